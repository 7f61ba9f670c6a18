"""Break each guard of deploy and rollback once, and see that a quick test notices.

    uv run --no-sync python tests/tool/mutations.py            all of them: some minutes
    uv run --no-sync python tests/tool/mutations.py watch.py   those with this in their edit

A mutation is one edit of a file of template/infra/tool, and the tests that are about it. It prints
those that no test notices, and exits with 1 if there are any.

All of it is one run of pytest. Where a test is about to run, a fork of the process imports the tool
anew, with one edit, and runs the test. So the account of the test is made once, and a mutation
takes a second and not twenty.
"""

# ruff: noqa: E501 -- an edit and its tests stand on one line
import importlib
import os
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "template" / "infra"
IMPORT_THE_TOOL = {
    "support",
    *(
        f"support.{name}"
        for name in ("answers", "checkout", "document_edits", "network", "targets")
    ),
}
LIMIT = 120  # seconds for a test with a mutation; one that hangs is noticed


@dataclass(frozen=True)
class Mutation:
    file: str  # of template/infra/tool
    old: str
    new: str
    tests: str  # file of tests/tool without test_, and words of which a test's name has one

    @property
    def test_file(self) -> str:
        return f"tests/tool/test_{self.tests.partition(' ')[0]}.py"

    def concerns(self, item: pytest.Item) -> bool:
        _, _, words = self.tests.partition(" ")
        alternatives = [each.split(" and ") for each in words.split(" or ")]
        return item.nodeid.startswith(self.test_file) and any(
            all(word in item.name for word in words) for words in alternatives
        )

    @property
    def name(self) -> str:
        return f"{self.file}: {self.old.strip()!r} -> {self.new.strip()!r}"


def of(file: str, *edits: tuple[str, str, str]) -> Sequence[Mutation]:
    return [Mutation(file, *edit) for edit in edits]


MUTATIONS: Sequence[Mutation] = [
    *of(
        "deployment.py",
        (' or now.status != "ACTIVE"', "", "verdict table"),
        ('if ours and ours.status == "PRIMARY":', "if ours:", "verdict table"),
        (', "FAILED": Verdict.FAILED}', "}", "verdict table"),
        ('"COMPLETED": Verdict.STEADY, ', "", "verdict table"),
        ('if ours and ours.state == "COMPLETED":', "if False:", "verdict table"),
        ("    if primary is None:\n        return Verdict.IN_PROGRESS\n", "", "verdict any_answers"),
        ('(not ours or ours.state == "FAILED")', "True", "verdict table"),
        ('(not ours or ours.state == "FAILED")', "bool(ours)", "verdict table"),
        ("primary.task_definition in before.earlier and ", "", "verdict table"),
        (' or "rolling back" in primary.reason', "", "verdict table"),
        ("if each.id != primary.id)", "if True)", "verdict others"),
        (" if event.time >= before.created", "", "verdict events"),
        ("in reversed(now.events)", "in now.events", "verdict events"),
        ("if ours.running < ours.desired:", "if False:", "verdict phase"),
        ("    if leaving:\n", "    if False:\n", "verdict phase"),
    ),
    *of(
        "watch.py",
        ("            if not self._is_believed(service):\n                continue\n", "", "verdict"),
        ("BELIEVED = 3", "BELIEVED = 2", "verdict"),
        ("BELIEVED = 3", "BELIEVED = 4", "verdict"),
        ("self.listed = self.listed or bool(", "self.listed = bool(", "verdict"),
        ("            patience.answered()\n", "", "verdict"),
        ('waits}",\n    "to keep watching, {again}",\n    ExitCode.UNKNOWN', 'waits}",\n    "to keep watching, {again}",\n    ExitCode.FAILED', "errors reviewed"),
        ('{text}",\n    "to keep watching, {again}",\n    ExitCode.UNKNOWN', '{text}",\n    "to keep watching, {again}",\n    ExitCode.FAILED', "errors reviewed"),
        ("            ended = verdict is not Verdict.IN_PROGRESS\n", "            ended = verdict is not Verdict.IN_PROGRESS or self.seconds >= settings.timeout_seconds\n", "verdict"),
        ("            if event.id not in self._events\n", "", "watch each_event"),
        (" if pause.hook not in self._events]", "]", "hooks named"),
        ("if not hooks.has_pause_hooks(service):", "if False:", "hooks no_call"),
        ('            phase += ", waiting for an answer to a PAUSE hook"\n', "            pass\n", "hooks named"),
        ('"".join(f"; {pause.text}" for pause in self.pauses)', '""', "hooks unknown"),
        ("        if text != self._warned:\n", "        if True:\n", "watch cannot_be_read"),
        ("            clock.sleep(settings.poll_seconds)\n", "            clock.sleep(settings.poll_seconds * 2)\n", "watch never_ends"),
        ("ended=ended and verdict is not Verdict.STEADY", "ended=False", "watch seen_at_a_bad_end"),
    ),
    *of("patience.py", ("MOST = 3", "MOST = 2", "verdict"), ("MOST = 3", "MOST = 4", "verdict")),
    *of(
        "stopped_tasks.py",
        ('task.get("startedBy") == self.deployment', "True", "watch other_deployments"),
        (" not in ENDED and not at_the_end", " in () and not at_the_end", "watch stopping"),
        (" and not at_the_end", "", "watch stopping"),
        ("if arn not in self._settled]", "]", "watch reported_once"),
        ("MOST_AT_ONCE = 100", "MOST_AT_ONCE = 101", "watch one_call"),
        ("list(self._describe_unsettled())", "self._describe_unsettled()", "watch half_way"),
        ("        ended.sort(key=lambda task: task.stopped)\n", "", "watch in_the_order"),
        ('each.get("name") == container and "exitCode" in each', "True", "watch has_run"),
        ('    if container.get("healthStatus") == "UNHEALTHY":\n', "    if False:\n", "watch end_of_a_container"),
        ('one_line("; ".join(parts))', '"; ".join(parts)', "watch harmless"),
    ),
    *of(
        "outcome.py",
        ("EVENTS_SHOWN = 10", "EVENTS_SHOWN = 11", "watch ten_events"),
        ("LINES_SHOWN = 20", "LINES_SHOWN = 21", "watch last_task"),
        ("sorted(outcome.stopped, key=lambda task: task.stopped)", "outcome.stopped", "watch ten_events"),
        ("ran[-1].log_stream_suffix", "ran[0].log_stream_suffix", "watch last_task"),
        ("if task.log_stream_suffix]", "]", "watch last_task or without_a_log"),
        ("    if not ran or not prefix:\n", "    if not ran:\n", "watch without_a_log"),
        ("{one_line(event.get('message', ''))}", "{event.get('message', '')}", "watch last_task"),
        ("        missing = error.aws_code", "        raise\n        missing = error.aws_code", "watch log_that_cannot"),
        ("    with target.runtime.console.quoted():\n", "    if True:\n", "output runner_no_orders"),
        ("    if outcome.verdict is Verdict.STEADY:\n        return\n", "", "deploy first_deploy"),
        ('    "{revision} was overtaken by {now}",\n    "if {now} was deployed on purpose: nothing; if not, {again}",\n    ExitCode.FAILED', '    "{revision} was overtaken by {now}",\n    "if {now} was deployed on purpose: nothing; if not, {again}",\n    ExitCode.DONE', "errors reviewed"),
    ),
    *of(
        "progress.py",
        ("HEARTBEAT = 30", "HEARTBEAT = 31", "watch every_30 or promised"),
        ("if is_new or view.seconds - self._printed >= HEARTBEAT:", "if is_new:", "watch at_least_every"),
        ("    if not console.is_terminal:\n", "    if True:\n", "output one_table"),
    ),
    *of(
        "deploy.py",
        ("    target.repository.require_lock()\n", "", "deploy this_machine"),
        ("    target.repository.require_clean()\n", "", "deploy this_machine"),
        ("    checks.check_credentials(target)\n", "", "deploy first_deploy"),
        ("    if (present.commit, present.document) != (plan.commit, plan.document):\n        return Step.DEPLOY\n", "", "deploy not_repeated"),
        ("(present.commit, present.document) != (plan.commit, plan.document)", "present.commit != plan.commit", "deploy not_repeated"),
        ("(present.commit, present.document) != (plan.commit, plan.document)", "present.document != plan.document", "deploy not_repeated"),
        ('    if primary.state == "IN_PROGRESS":\n        return Step.WATCH\n', "", "deploy not_repeated"),
        ('if primary.state == "COMPLETED" and runs else', "if runs else", "deploy not_repeated"),
        ('primary.state == "COMPLETED" and runs', 'primary.state == "COMPLETED"', "deploy not_repeated"),
        (" or (plan.schedules and primary.desired == 0)", "", "deploy wants_none"),
        ("    apply_scaling(target, plan)\n", "", "deploy only_has_its_scaling"),
        ("    require_tasks(target, present, wanted, plan.schedules)\n", "", "scaling count_of_zero_that"),
        ('    target.fact("url", smoke.require(target, plan.stack, plan.commit))\n', "", "smoke deploy_that_another"),
        ('    github.write_output(target.runtime.environment, "url", plan.stack.url)\n', "", "output leaves_its_url"),
        ('    announce(target, step)\n    if step is not Step.NOTHING:\n', '    announce(target, step)\n    if True:\n', "deploy only_has_its_scaling"),
        ("    with target.while_it_continues(\n", "    if (\n", "deploy lost_answer_to_a_change"),
        ("    with target.while_it_continues(in_progress(before.revision)):\n", "    if True:\n", "deploy first_deploy"),
        ("    outcome.require_steady(target, before, ended, deployed, remedy)\n", "", "verdict"),
        ("scaling.schedules_of_bounds(target.aws, settings.names) if service else []", "[]", "scaling raised"),
    ),
    *of(
        "target.py",
        ("            if error.proves_nothing_began:\n                self.continuing = \"\"\n", "", "deploy refusal_after"),
        ("            if error.proves_nothing_began:\n", "            if True:\n", "deploy lost_answer_to_a_change"),
        ('        except ParamValidationError as error:\n            self.continuing = ""\n', "        except ParamValidationError as error:\n", "deploy client_refuses"),
        ("        self.continuing = then\n", '        self.continuing = ""\n', "interruptions between"),
        ("bool(self.aws.changes)", "False", "deploy refusal_after"),
        ("bool(self.aws.changes)", "True", "deploy refusal_before and cloudformation"),
        ('            if name == "rollback" and number:\n', "            if False:\n", "output names_the_revision"),
    ),
    *of(
        "rollback.py",
        ("([1-9][0-9]{{0,8}})", "([0-9]{{0,8}})", "rollback no_revision_of_the_family"),
        ('({re.escape(family)}:)?', "(.*:)?", "rollback no_revision_of_the_family"),
        ("    number = parse(named, settings)\n    checks.check_credentials(target)\n", "    checks.check_credentials(target)\n    number = parse(named, settings)\n", "rollback no_revision_of_the_family"),
        ("    checks.check_credentials(target)\n", "", "rollback no_call_too_many"),
        ("    if service is None or service.primary is None:\n        raise NO_SERVICE(service=settings.names.service)\n", "    assert service and service.primary\n", "rollback without_a_service"),
        ('    target.command = f"rollback {number}"\n', "", "rollback overtaken"),
        ("        require_usable(target, chosen)\n", "", "rollback expired"),
        ('    if chosen.status != "ACTIVE":\n', "    if False:\n", "rollback inactive"),
        ("    if not image.exists(target, reference):\n", "    if False:\n", "rollback expired"),
        ('    if not reference.startswith((f"{repository}@", f"{repository}:")):\n', "    if False:\n", "rollback elsewhere"),
        ('        if error.aws_code == "ClientException":\n', "        if False:\n", "rollback exist"),
        ("    if not number:\n        raise NO_EARLIER", "    if False:\n        raise NO_EARLIER", "rollback no_earlier or names_the_limit"),
        ("            **count,\n", "", "rollback scaled_to_zero"),
        ("    if service.desired >= target.settings.tasks.min:\n        return []\n", "", "rollback no_call_too_many"),
        ("    return scaling.schedules_of_bounds(target.aws, target.settings.names)\n", "    return []\n", "scaling rollback_leaves_a_count"),
        ("    require_tasks(target, chosen, service.desired, schedules)\n", "", "scaling rollback_leaves_a_count"),
        ('    if primary.state == "IN_PROGRESS":\n        return Step.WATCH\n', "", "rollback watched_confirmed"),
        ('primary.state == "COMPLETED" and runs', "runs", "rollback watched_confirmed"),
        ('primary.state == "COMPLETED" and runs', 'primary.state == "COMPLETED"', "rollback watched_confirmed"),
        ("    if primary is None or not is_present:\n", "    if primary is None:\n", "rollback watched_confirmed"),
        ('    target.fact("url", look_at_url(target, chosen))\n', "", "smoke rollback_asks"),
        ('chosen.commit or "unknown"', "chosen.commit", "rollback unknown_commit"),
        ('(git revert, or git revert -m 1 for a merge commit)', "", "rollback no_call_too_many"),
        ("        raise NO_URL(why=why, again=target.again)\n", '        return ""\n', "rollback without_a_url"),
        ("        raise NO_URL(why=error.message, again=target.again) from None\n", "        raise\n", "rollback stack_that_cannot_be_read"),
        ("    with target.while_it_continues(\n", "    if (\n", "rollback lost_answer"),
    ),
    *of(
        "history.py",
        ("reverse=True", "reverse=False", "history ordered"),
        ('key=lambda each: each["createdAt"], ', 'key=lambda each: 0, ', "history ordered"),
        ('return list(dict.fromkeys(each["targetServiceRevisionArn"] for each in ordered))', 'return [each["targetServiceRevisionArn"] for each in ordered]', "history ordered"),
        ("MOST_AT_ONCE = 20", "MOST_AT_ONCE = 21", "history every_page"),
        ("if name == family and number.isdigit() else 0", "if number.isdigit() else 0", "history family_has"),
        ("        if not token:\n", "        if True:\n", "history every_page"),
        ("return list(dict.fromkeys(number for number in numbers if number))", "return [number for number in numbers if number]", "history every_page"),
        ("if number < present), 0)", "if number != present), 0)", "history last_earlier"),
        ("    if is_on_its_way and present in steady and any(number > present for number in later):\n        return present\n", "", "history recognised"),
        ("is_on_its_way and present in steady and", "present in steady and", "history recognised"),
        ("is_on_its_way and present in steady and", "is_on_its_way and", "history recognised"),
        (" and any(number > present for number in later)", "", "history recognised"),
        ("status=[status], ", "", "history every_page"),
        ('list_deployments(aws, names, "SUCCESSFUL")', 'list_deployments(aws, names, "IN_PROGRESS")', "history every_page"),
        ("    if not arns:\n        return []\n", "", "history without_a_history"),
    ),
    *of(
        "hooks.py",
        ('hook.get("status") == "AWAITING_ACTION"', "True", "hooks awaits_action"),
        ('hook.get("targetType") == "PAUSE" and ', "", "hooks awaits_action"),
        ('any(hook.get("targetType") == "PAUSE" for hook in hooks)', "bool(hooks)", "hooks only_pause"),
        (" UTC, then {self.then}", "", "hooks awaits_action"),
    ),
    *of(
        "scaling.py",
        ("        if not schedules:\n", "        if True:\n", "scaling raised"),
        ("        if not schedules:\n", "        if False:\n", "scaling bounds_and_policies"),
        ('        if action.get("ScalableTargetAction")\n', "", "scaling without_bounds"),
        ("if name not in named]", "if False]", "scaling deleted_and_named"),
        ("if name not in named]", "]", "scaling deleted_and_named"),
        ('            if error.aws_code != "ObjectNotFoundException":\n', "            if True:\n", "scaling gone_already"),
        ('            if error.aws_code != "ObjectNotFoundException":\n', "            if False:\n", "scaling refused_deletion"),
        ("        if error.exit is ExitCode.UNKNOWN:  # AWS may have done it\n            raise\n", "", "scaling lost_answer"),
        ('    if metric.get("PredefinedMetricType") != "ALBRequestCountPerTarget":\n', "    if True:\n", "scaling bounds_and_policies"),
        ("            aws.scaling.put_scaling_policy(**request)\n", "            pass\n", "scaling bounds_and_policies"),
    ),
    *of(
        "smoke.py",
        ("    if answer.error:\n        return Result.UNREACHABLE\n", "", "smoke judged"),
        ("answer.status == 200 and ", "", "smoke judged"),
        ('commit in ("", answer.commit)', "True", "smoke judged"),
        ('commit in ("", answer.commit)', "commit == answer.commit", "smoke judged"),
        ("PATIENCE = 60", "PATIENCE = 58", "smoke after_a_minute"),
        ("        if is_elsewhere and judge", "        if judge", "smoke gone_around"),
        ("is_elsewhere and judge(answer, commit) is not Result.THIS_COMMIT", "is_elsewhere", "smoke another_way"),
        ("        and not (runtime.resolve(domain) & runtime.resolve(balancer))\n", "", "smoke gone_around"),
        ("        if target.settings.is_reachable:\n", "        if True:\n", "smoke note"),
        ("        if target.settings.is_reachable:\n", "        if False:\n", "smoke no_answer_is_no_verdict"),
        ("    if smoke.via:\n", "    if False:\n", "smoke missing_record"),
        ("    if smoke.result is Result.OTHER_COMMIT:\n", "    if False:\n", "smoke after_a_minute"),
        ("        if seconds - said >= HEARTBEAT:\n", "        if said < 0:\n", "smoke every_30"),
    ),
    *of(
        "health.py",
        ("build_opener(EveryStatus, *direct)", "build_opener(*direct)", "smoke any_status"),
        ("    except HTTPException as broken:\n        raise OSError(f\"no HTTP response: {broken!r}\") from broken\n\n\ndef fetch_via", "    except ZeroDivisionError as broken:\n        raise OSError(f\"no HTTP response: {broken!r}\") from broken\n\n\ndef fetch_via", "smoke no_http"),
        ("    except HTTPException as broken:\n        raise OSError(f\"no HTTP response: {broken!r}\") from broken\n    finally", "    except ZeroDivisionError as broken:\n        raise OSError(f\"no HTTP response: {broken!r}\") from broken\n    finally", "smoke no_http"),
        ("server_hostname=self.host)", "server_hostname=self.via)", "smoke certificate"),
        ("ssl.create_default_context()", "ssl._create_unverified_context()", "smoke certificate"),
        ('headers={"Host": parts.netloc, ', "headers={", "smoke via_asks"),
        ("    except OSError as error:\n        return Health", "    except ZeroDivisionError as error:\n        return Health", "smoke closed_port"),
        ("one_line(commit) if isinstance(commit, str) else", "commit if isinstance(commit, str) else", "smoke read_from_any"),
        ("TIMEOUT = 5.0", "TIMEOUT = 50.0", "smoke its_time"),
        ("MOST_BYTES = 65_536", "MOST_BYTES = 9_999_999", "smoke long_body"),
        ("except (ValueError, RecursionError):", "except ZeroDivisionError:", "smoke read_from_any"),
    ),
    *of(
        "github.py",
        ('"\\\\`*_{}[]<>|!"', '""', "output annotation_and_heading"),
        ('f"    {line}"', 'f"{line}"', "output one_annotation"),
        ("    if path := environment.get(name):\n", "    if False and (path := environment.get(name)):\n", "output not_ready"),
        ("    if next_step:\n", "    if False:\n", "output re_run_the_job"),
    ),
    *of(
        "console.py",
        ('environment.get("GITHUB_ACTIONS") == "true"', "True", "output outside"),
        ('environment.get("GITHUB_ACTIONS") == "true"', "False", "output not_ready"),
        ("text = escaped(", "text = (", "output not_ready"),
        ('"%", "%25"', '"%", "%"', "output stays_on_its_line"),
        ('.replace("\\r", "%0D")', "", "output stays_on_its_line"),
        ("no_color=bool(environment.get(\"NO_COLOR\"))", "no_color=False", "output no_color"),
        ("force_terminal=file.isatty()", "force_terminal=False", "output red_on"),
        ("force_terminal=file.isatty()", "force_terminal=True", "output stderr"),
        (" and not self._out.is_dumb_terminal", "", "output cannot_redraw"),
        ("token = secrets.token_hex(16)", 'token = "constant-token"', "output no_token"),
        ("        try:\n            yield\n        finally:\n            if self.in_github:", "        if True:\n            yield\n            if self.in_github:", "output quotes_end"),
        ('        self._err.print(Text(text), soft_wrap=True)\n\n    def error', '        self._out.print(Text(text), soft_wrap=True)\n\n    def error', "output stderr"),
    ),
    *of(
        "text.py",
        ('"Cc", ', "", "output untrusted"),
        ('"Cf", ', "", "output untrusted"),
        ('"Cs", ', "", "output untrusted"),
        ('.replace("##[", "# #[")', "", "output untrusted"),
    ),
    *of("errors.py", ("one_line(value)", "value", "deploy without_a_reason")),
    *of(
        "cli.py",
        (" == 130:\n", " == 131:\n", "interruptions rollback_that_is_stopped and 9"),
        ("    except Terminated:\n        code = stop(target, ExitCode.TERMINATED)\n", "", "interruptions sigterm"),
        ("        if target.has_changed_aws:\n            unexpected", "        if False:\n            unexpected", "deploy error_of_the_tool"),
        ("        if target.has_changed_aws:\n            unexpected", "        if True:\n            unexpected", "deploy error_of_the_tool"),
        ("    if target.continuing:\n        runtime", "    if False:\n        runtime", "interruptions sigterm"),
        ("    if target.title:\n", "    if False:\n", "output not_ready"),
        ("    target.title = TITLES[code]\n", "    return code\n", "output cancelled"),
        ("    if target.continuing:\n        code = ExitCode.UNKNOWN\n", "", "deploy something_continues"),
        ("    if isinstance(error, AwsError) and code is ExitCode.UNKNOWN:\n", "    if False:\n", "deploy lost_answer_to_a_change"),
        ("[word for word in words if word]", "list(words)", "cli empty_argument"),
    ),
    *of(
        "aws.py",
        ("        if is_change(model.name):\n            self.changes.append(operation)\n", "", "deploy refusal_after"),
        ("            self.changes.append(operation)\n        raise AwsError", "            pass\n        raise AwsError", "aws may_have_happened"),
        ("        return Kind.CHANGE_LOST\n", "        return Kind.LOST\n", "deploy lost_answer_to_a_change"),
        ("error.get('Message') or 'no reason was given'", "error.get('Message')", "deploy without_a_reason"),
        ("(HTTPClientError, ResponseParserError, *NOT_SENT)", "(HTTPClientError, *NOT_SENT)", "deploy cannot_be_read"),
        ('retries={"mode": "standard"}', 'retries={"total_max_attempts": 1}', "deploy throttles_once"),
        ("        return Kind.DENIED\n", "        return Kind.REFUSED\n", "deploy refusal_before and cloudformation"),
    ),
    *of(
        "revision.py",
        ("        request,\n        documents.task_definition,", "        documents.task_definition,", "deploy document_tag"),
        ("        documents.task_definition,\n", "", "deploy document_tag"),
        ("        documents.autoscaling,\n", "", "deploy document_tag"),
        ("        settings.tasks.min,\n", "", "deploy document_tag"),
        ("        settings.tasks.max,\n", "", "deploy document_tag"),
        (", sort_keys=True", "", "deploy order_of_members"),
        ('"tags": [*tags, ', '"tags": [', "deploy tags_of_the_document"),
        ("if container.get(\"image\") == repository else container", "", "deploy second_container"),
        ('if container.get("image") == repository', 'if container.get("portMappings")', "document_members each_container"),
        ("return task_definition | {\n", 'return {k: v for k, v in task_definition.items() if k != "pidMode"} | {\n', "document_members task_definition"),
    ),
    *of(
        "service_request.py",
        ('        "clientToken": task_definition.rpartition("/")[2][-36:],\n', "", "deploy first_deploy"),
        ('        "desiredCount": settings.tasks.min,\n    }\n\n\ndef update', '        "desiredCount": settings.tasks.max,\n    }\n\n\ndef update', "deploy first_deploy"),
        (" or schedule_owns_count", "", "scaling count_of_zero_that"),
        ('return {"desiredCount": settings.tasks.min}', "return {}", "scaling without_a_schedule"),
        (">= settings.tasks.min or", ">= 0 or", "scaling without_a_schedule"),
        ('"capacityProviderStrategy": strategy, "forceNewDeployment": True', '"capacityProviderStrategy": strategy', "document_deploys spot_and_back"),
        ("if as_shares(strategy) != as_shares(runs_on):", "if strategy:", "document_deploys spot_and_back"),
        ("if as_shares(strategy) != as_shares(runs_on):", "if strategy != runs_on:", "document_deploys only_its_order"),
        ('{"launchType", *ONLY_NEW}', '{"launchType", "monitoring", *ONLY_NEW}', "document_members member_of_a_service"),
        ('    return document | {\n        "cluster"', '    return {k: v for k, v in document.items() if k != "monitoring"} | {\n        "cluster"', "document_members member_of_a_service"),
    ),
    *of(
        "service_document.py",
        ('    "clientToken": "the revision",\n', '', "document_members member_of_a_service"),
        ('    "cluster": "infra/settings.toml",\n', '', "document_members member_of_a_service"),
        ('    "loadBalancers": "the stack",\n', '', "document_members member_of_a_service"),
        ('    "networkConfiguration": "the stack",\n', '', "document_members member_of_a_service"),
        ('    "serviceName": "infra/settings.toml",\n', '', "document_members member_of_a_service"),
        ('    "taskDefinition": "the revision",\n', '', "document_members member_of_a_service"),
        ('    "placementConstraints": "Fargate places tasks by itself",\n', '', "document_members member_of_a_service"),
        ('    "placementStrategy": "Fargate places tasks by itself",\n', '', "document_members member_of_a_service"),
        ('    "role": "ECS uses its service-linked role",\n', '', "document_members member_of_a_service"),
        ('if ("launchType" in document) == ("capacityProviderStrategy" in document):', 'if False:', "document_cases first_deploy_refuses"),
        ('"launchType", "FARGATE") != "FARGATE"', '"launchType", "FARGATE") == "EC2"', "document_members member_of_a_service"),
        ('if others := sorted(set(names) - PROVIDERS):', 'if others := []:', "document_members strategy_of_capacity"),
        ('if len(set(names)) < len(names):', 'if False:', "document_members strategy_of_capacity"),
        ('if not any(weight for _, weight, _ in shares):', 'if False:', "document_members strategy_of_capacity"),
        ('sum(base > 0 for _, _, base in shares) > 1', 'False', "document_members strategy_of_capacity"),
        ('"schedulingStrategy", "REPLICA") != "REPLICA"', '"schedulingStrategy", "REPLICA") == "x"', "document_members member_of_a_service"),
        ('get("type", "ECS")) != "ECS"', 'get("type", "ECS")) == "EXTERNAL"', "document_members member_of_a_service"),
        ('get("strategy", "ROLLING")) != "ROLLING"', 'get("strategy", "ROLLING")) == "CANARY"', "document_members member_of_a_service"),
        ('{"canaryConfiguration", "linearConfiguration"}', '{"canaryConfiguration"}', "document_members member_of_a_service"),
        ('if has_no_room(document) and least >= 100:', 'if False:', "document_members ecs_would_refuse"),
        ('if has_no_room(document) and document.get("avail', 'if False and document.get("avail', "document_members ecs_would_refuse"),
        ('if as_set(document[member]) != as_set(found):', 'if False:', "document_members only_a_new_service or only_create_service"),
        ('    return sorted(json.dumps(item, sort_keys=True) for item in value)\n', '    return value\n', "document_members only_a_new_service"),
        ('if not (is_off(value) or value ==', 'if False and not (is_off(value) or value ==', "document_cases not_removed"),
        ('present = {**primary, **running}', 'present = {**running}', "document_members that_is_removed"),
        ('    return found | {\n', '    return found or {\n', "document_members that_is_removed"),
        ('    "deploymentController": {"type": "ECS"},\n', '', "document_members document_that_made_it"),
        ('    "propagateTags": "NONE",\n', '', "document_members that_is_removed"),
        ('    "platformVersion",\n', '', "document_members that_is_removed"),
        ('    if isinstance(value, Mapping) and {"enable"', '    if False and {"enable"', "document_members that_is_removed or document_that_made_it"),
        ('"DISABLED" if has_no_room(document) else "ENABLED"', '"ENABLED"', "document_members rebalancing"),
    ),
    *of(
        "documents.py",
        ('object_pairs_hook=without_repetition', '', "broken_documents no_object"),
        ('if marker := CONFLICT.search(text):', 'if marker := None:', "broken_documents no_object"),
        ('    if not text.strip():\n        return "it is empty"\n', '', "broken_documents no_object"),
        ('if error.msg == "Extra data":', 'if False:', "broken_documents no_object"),
        ('    if not isinstance(document, dict):\n', '    if False:\n', "broken_documents no_object"),
        ('    except FileNotFoundError:\n', '    except IsADirectoryError:\n', "broken_documents missing"),
        ('except (OSError, ValueError) as error:', 'except OSError as error:', "broken_documents no_object"),
        ('if (family := task["family"]) != names.family:', 'if (family := task["family"]) == "":', "broken_documents does_not_fit"),
        ('    if len(named) != 1:\n', '    if not named:\n', "broken_documents does_not_fit"),
        ('    if len(named) != 1:\n', '    if len(named) > 1:\n', "broken_documents does_not_fit"),
        ('len(ports) != 1 or "containerPort" not in ports[0]', '"containerPort" not in ports[0]', "broken_documents does_not_fit"),
        ('len(ports) != 1 or "containerPort" not in ports[0]', 'len(ports) != 1', "document_cases first_deploy_refuses"),
        ('if named[0].get("image") != image:', 'if False:', "broken_documents does_not_fit"),
        ('if tag.get("key") in (COMMIT, DOCUMENT):', 'if False:', "broken_documents does_not_fit"),
        ('    yield from about_platform(task)\n', '', "broken_documents does_not_fit"),
        ('if unknown := autoscaling.keys() - {"policies"}:', 'if unknown := set():', "document_cases first_deploy_refuses"),
        ('if names.count(name) > 1}', 'if False}', "document_cases first_deploy_refuses"),
        ('for member in sorted(policy.keys() & ADDED_TO_POLICY.keys()):', 'for member in ():', "document_members PutScalingPolicy or label"),
        ('if "ResourceLabel" in metric:', 'if False:', "document_members label"),
        ('    if kind not in CONFIGURATIONS:\n', '    if False:\n', "document_cases first_deploy_refuses"),
        ('elif CONFIGURATIONS[kind] not in policy:', 'elif False:', "document_cases first_deploy_refuses"),
        ('("service.json", [*service_document.complaints(documents.service)]),', '("service.json", []),', "document_cases first_deploy_refuses"),
        ('("autoscaling.json", [*about_autoscaling(documents.autoscaling)]),', '("autoscaling.json", []),', "document_cases first_deploy_refuses"),
    ),
    *of(
        "api_model.py",
        ('    return [line.partition(', '    return [] and [line.partition(', "document_members ecs_would_refuse"),
        (' or [\n        *about_enumerations(request, shape)\n    ]', '', "document_members ecs_would_refuse"),
        ('for index, item in enumerate(value):\n            yield', 'for index, item in ():\n            yield', "broken_documents does_not_fit"),
    ),
    *of(
        "stack.py",
        ('        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",\n', "", "deploy final_outputs"),
        ('        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",\n', "", "document_deploys cleanup_of_the_stack"),
        ('        "UPDATE_ROLLBACK_COMPLETE",\n', "", "deploy final_outputs"),
    ),
    *of(
        "lookup.py",
        (' if service.get("status") != "INACTIVE"]', "]", "deploy was_deleted"),
    ),
    *of("checks.py", ("    if service and service.is_draining:\n", "    if False:\n", "rollback deleted")),
]  # fmt: skip


class Mutator:
    """A plugin of pytest that runs each test of a mutation with that mutation."""

    def __init__(self, mutations: Sequence[Mutation], copy: Path) -> None:
        self.copy = copy  # of the package `infra`
        self.left = list(mutations)  # not noticed yet
        self.tried: set[Mutation] = set()
        self.unusable: list[str] = []  # tests that fail when they are run in this way

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if any(each.concerns(item) for each in self.left)]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        concerned = [each for each in self.left if each.concerns(pyfuncitem)]
        if concerned and not passes(pyfuncitem, self.copy.parent):
            self.unusable.append(pyfuncitem.nodeid)
        elif concerned:
            for mutation in concerned:
                self.try_out(mutation, pyfuncitem)
        return (yield)

    def try_out(self, mutation: Mutation, item: pytest.Function) -> None:
        path = self.copy / "tool" / mutation.file
        text = path.read_text(encoding="utf-8")
        self.tried.add(mutation)
        path.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
        if not passes(item, self.copy.parent):
            self.left.remove(mutation)
        path.write_text(text, encoding="utf-8")


def passes(item: pytest.Function, folder: Path) -> bool:
    """Whether a test passes in a fork that imports the tool from a folder."""
    before = files_of(item)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, about threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(LIMIT)
            run(item, folder)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    for path in files_of(item) - before:  # the next run begins with the same files
        path.unlink()
    return os.waitstatus_to_exitcode(status) == 0


def files_of(item: pytest.Function) -> set[Path]:
    """The files in the temporary folder of a test."""
    scratch = item.funcargs.get("tmp_path")
    return set(scratch.iterdir()) if isinstance(scratch, Path) else set()


def run(item: pytest.Function, folder: Path) -> None:
    """Run a test with the tool, and all that imports it, imported anew."""
    sys.dont_write_bytecode = True
    for name in list(sys.modules):
        package = name.partition(".")[0]
        if name == item.module.__name__ or package == "infra" or name in IMPORT_THE_TOOL:
            del sys.modules[name]
    sys.path.insert(0, os.fspath(folder))
    importlib.invalidate_caches()
    module = importlib.import_module(item.module.__name__)
    fresh = importlib.import_module("support.checkout").Checkout
    arguments: dict[str, Any] = {}
    for name in item._fixtureinfo.argnames:
        value: Any = item.funcargs[name]
        if type(value).__name__ == "Checkout":
            value = fresh(value.aws, value.folder, dict(value.environment))
            value = value.copy(Path(tempfile.mkdtemp(dir=folder), "service"))  # a test may edit it
        arguments[name] = value
    test: Callable[..., object] = getattr(module, item.originalname)
    aws = getattr(item.funcargs.get("account"), "aws", None)
    if aws is None:
        test(**arguments)
        return
    with aws.scripts.in_a_fork():
        test(**arguments)
        aws.check()


def main() -> int:
    words = sys.argv[1:] or [""]
    wanted = [each for each in MUTATIONS if any(word in each.name for word in words)]
    for each in wanted:
        text = (TOOL / "tool" / each.file).read_text(encoding="utf-8")
        assert each.old in text, f"no longer in the file: {each.name}"
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "infra")
        shutil.copytree(TOOL, copy, ignore=shutil.ignore_patterns("__pycache__"))
        mutator = Mutator(wanted, copy)
        files = sorted({each.test_file for each in wanted})
        options = ["--numprocesses=0", "--quiet", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
        os.chdir(ROOT)
        pytest.main([*options, *files], plugins=[mutator])
    for each in mutator.left:
        print("SURVIVES " if each in mutator.tried else "NOT TRIED", each.name)
    for name in mutator.unusable:
        print("fails without a mutation:", name)
    print(f"{len(wanted)} mutations, {len(mutator.left)} survive")
    return 1 if mutator.left else 0


if __name__ == "__main__":
    sys.exit(main())
