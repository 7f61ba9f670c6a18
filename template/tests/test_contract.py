"""Values that several files repeat must agree. Each test names the files: change them together."""

import json
import re
import runpy
from functools import cache
from pathlib import Path
from typing import Any

from infra.tool import deployment_alarms, settings_file

ROOT = Path(__file__).resolve().parents[1]

FARGATE_STOP_TIMEOUT = 120  # seconds; the longest that Fargate waits before it kills


SETTINGS = settings_file.read(ROOT)
NAMES = SETTINGS.names


@cache
def document(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def container() -> Any:
    named = [
        container
        for container in document("infra/task-definition.json")["containerDefinitions"]
        if container["name"] == NAMES.container
    ]
    assert len(named) == 1, f"task-definition.json has exactly one container {NAMES.container}"
    return named[0]


def environment() -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container()["environment"]}


@cache
def gunicorn() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def dockerfile(instruction: str) -> str:
    """The argument of the last such instruction in the Dockerfile."""
    found = re.findall(
        rf"^{instruction} (.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found, f"the Dockerfile has no {instruction}"
    return str(found[-1])


def arn(service: str, rest: str) -> str:
    here = SETTINGS.service
    return f"arn:{here.partition}:{service}:{here.region}:{here.account}:{rest}"


def named(sid: str) -> list[str]:
    """The ARNs in a statement of the deploy policy, including its conditions."""
    statements = document("ops/iam-policy-github-actions.json")["Statement"]
    return re.findall(
        r"arn:[^\"]+", json.dumps([each for each in statements if each["Sid"] == sid])
    )


def test_the_task_definition_has_the_names_of_the_settings() -> None:
    task = document("infra/task-definition.json")
    assert task["family"] == NAMES.family
    assert task["executionRoleArn"] == SETTINGS.role_arn(NAMES.execution_role)
    assert task["taskRoleArn"] == SETTINGS.role_arn(NAMES.task_role)
    assert container()["image"] == f"{SETTINGS.service.registry}/{NAMES.repository}"
    logs = container()["logConfiguration"]["options"]
    assert logs["awslogs-group"] == NAMES.log_group
    assert logs["awslogs-region"] == SETTINGS.service.region


def test_the_deploy_policy_has_the_names_of_the_settings() -> None:
    cluster = NAMES.cluster
    service = f"{cluster}/{NAMES.service}"
    family = arn("ecs", f"task-definition/{NAMES.family}:*")
    alarms = arn("cloudwatch", f"alarm:TargetTracking-service/{service}-Alarm*")
    assert named("ReadTheStack") == [arn("cloudformation", f"stack/{NAMES.stack}/*")]
    assert named("PushImages") == [arn("ecr", f"repository/{NAMES.repository}")]
    assert named("RegisterRevisions") == [family]
    assert named("TagNewRevisions") == [family]
    assert named("PassTheTasksTheirRoles") == [
        SETTINGS.role_arn(NAMES.execution_role),
        SETTINGS.role_arn(NAMES.task_role),
    ]
    assert named("RollOutRevisionsOfThisFamily") == [arn("ecs", f"service/{service}"), family]
    assert named("WatchTheService") == [
        arn("ecs", f"service/{service}"),
        arn("ecs", f"service-deployment/{service}/*"),
        arn("ecs", f"service-revision/{service}/*"),
    ]
    assert named("ListTasks") == [arn("ecs", f"cluster/{cluster}")]
    assert named("ReadTasks") == [arn("ecs", f"task/{cluster}/*")]
    log = arn("logs", f"log-group:{NAMES.log_group}")
    assert named("ReadTheLog") == [log, f"{log}:log-stream:*"]
    assert named("ScaleTheService") == [arn("application-autoscaling", "scalable-target/*")]
    policies = arn("autoscaling", f"scalingPolicy:*:resource/ecs/service/{service}:policyName/*")
    assert named("KeepTheAlarmsOfTheScaling") == [arn("cloudwatch", "alarm:"), alarms, policies]


def test_deploys_may_set_the_schedule_of_the_scaling() -> None:
    if not document("infra/autoscaling.json").get("scheduledActions"):
        return
    policy = (ROOT / "ops/iam-policy-github-actions.json").read_text(encoding="utf-8")
    for action in "DeleteScheduledAction", "PutScheduledAction":
        assert f'"application-autoscaling:{action}"' in policy, (
            f"ops/iam-policy-github-actions.json: ScaleTheService needs {action} for "
            "scheduledActions in infra/autoscaling.json; then provision, before you push"
        )


def test_ci_tests_with_the_uv_and_the_python_of_the_image() -> None:
    """Raise them together: a bot that follows the Dockerfile does not see the workflows."""
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    workflows = ROOT / ".github" / "workflows"
    ci = (workflows / "ci.yml").read_text(encoding="utf-8")
    every = "".join(path.read_text(encoding="utf-8") for path in sorted(workflows.glob("*.yml")))
    uv = re.findall(r"^FROM ghcr\.io/astral-sh/uv:([\d.]+)", image, re.MULTILINE)
    python = re.findall(r"^FROM python:([\d.]+)", image, re.MULTILINE)
    assert set(re.findall(r'^ +version: "(.+)"$', every, re.MULTILINE)) == set(uv)
    assert re.findall(r'^ +- "(3\.\d+)"$', ci, re.MULTILINE)[-1:] == python


def test_every_file_names_the_same_port() -> None:
    ports = {mapping["containerPort"] for mapping in container()["portMappings"]}
    bound = int(str(gunicorn()["bind"]).rpartition(":")[2])
    asked = int(re.findall(r"/dev/tcp/127\.0\.0\.1/(\d+)", " ".join(health_check()))[0])
    assert ports == {bound} == {asked} == {int(dockerfile("EXPOSE"))}, (
        "one port in task-definition.json (portMappings, healthCheck), gunicorn.conf.py, Dockerfile"
    )
    assert bound >= 1024, "a process that is not root cannot bind a lower port on Fargate"


def health_check() -> list[str]:
    return [str(word) for word in container()["healthCheck"]["command"]]


def test_the_server_outlives_an_idle_connection_of_the_load_balancer() -> None:
    assert gunicorn()["keepalive"] > load_balancer("idle_timeout.timeout_seconds"), (
        "keepalive of gunicorn.conf.py: above idle_timeout of stack.yml, or a few requests get 502"
    )


def test_the_server_stops_before_it_is_killed() -> None:
    graceful = gunicorn()["graceful_timeout"]
    assert graceful < container()["stopTimeout"] <= FARGATE_STOP_TIMEOUT, (
        "stopTimeout of task-definition.json: more than graceful_timeout of gunicorn.conf.py"
    )
    assert 0 < gunicorn()["LIFESPAN_SECONDS"] < graceful, "requests and the lifespan both need time"


def test_request_bodies_leave_most_of_the_memory_to_the_app() -> None:
    """A body takes several times its size while it is parsed."""
    [megabytes] = re.findall(
        r"^BODY_BUDGET = (\d+) \* 2\*\*20$",
        (ROOT / "app/limits.py").read_text(encoding="utf-8"),
        re.M,
    )
    memory = int(document("infra/task-definition.json")["memory"])
    assert int(megabytes) * int(environment()["WEB_CONCURRENCY"]) <= memory / 8, (
        "app/limits.py: the BODY_BUDGET of all workers is at most an eighth of the task's memory"
    )


def test_a_starting_task_is_not_replaced() -> None:
    grace = document("infra/service.json")["healthCheckGracePeriodSeconds"]
    assert grace >= container()["healthCheck"]["startPeriod"], (
        "healthCheckGracePeriodSeconds of service.json: not less than the startPeriod"
    )


def test_there_is_a_worker_for_each_whole_processor() -> None:
    cpu = int(document("infra/task-definition.json")["cpu"])
    assert int(environment()["WEB_CONCURRENCY"]) == max(1, cpu // 1024), (
        "WEB_CONCURRENCY of task-definition.json: a worker for each whole vCPU, at least one"
    )


def test_the_container_runs_as_the_user_of_the_image() -> None:
    assert container()["user"] == dockerfile("USER"), (
        "the user of task-definition.json is the USER of the Dockerfile"
    )
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container()["user"]), "numbers, and not root"


def test_a_read_only_container_has_a_place_for_temporary_files() -> None:
    assert container()["readonlyRootFilesystem"] is True, (
        "readonlyRootFilesystem of task-definition.json: true, so that nothing replaces the code"
    )
    assert "TMPDIR=/dev/shm" in (ROOT / "Dockerfile").read_text(encoding="utf-8"), (
        "TMPDIR of the Dockerfile: in memory, because the root file system is read-only"
    )


def test_a_rollout_can_start_new_tasks_before_it_stops_old_ones() -> None:
    deployment = document("infra/service.json")["deploymentConfiguration"]
    assert deployment["minimumHealthyPercent"] == 100, (
        "minimumHealthyPercent of service.json: 100, or a rollout stops tasks too early"
    )
    assert deployment["maximumPercent"] > 100, (
        "maximumPercent of service.json: more than 100, or a single task can never be replaced"
    )
    assert deployment["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}, (
        "deploymentCircuitBreaker of service.json: on, or a bad revision stays"
    )


def in_the_stack(pattern: str) -> set[str]:
    """Matches in infra/stack.yml, read as text because its tags are CloudFormation's."""
    found = set(re.findall(pattern, (ROOT / "infra/stack.yml").read_text(encoding="utf-8")))
    assert found, f"infra/stack.yml has nothing like {pattern}"
    return found


def load_balancer(key: str) -> int:
    """A number among the attributes of the load balancer and its target group."""
    [value] = in_the_stack(rf'Key: {re.escape(key)}\n +Value: "(\d+)"')
    return int(value)


def test_the_load_balancer_finds_the_container_and_its_health() -> None:
    [mapping] = container()["portMappings"]
    ports = in_the_stack(r"Port: (\d+)") - {"80", "443"}
    assert ports == {str(mapping["containerPort"])}
    [path] = in_the_stack(r"HealthCheckPath: (.+)")
    assert f"GET {path} " in " ".join(health_check())


def test_no_request_is_cut_off_by_a_rollout() -> None:
    delay = load_balancer("deregistration_delay.timeout_seconds")
    graceful = gunicorn()["graceful_timeout"]
    assert delay >= graceful + 20, (
        "deregistration_delay of stack.yml: new requests still arrive while a task is deregistered"
    )
    finish = graceful - gunicorn()["LIFESPAN_SECONDS"]
    assert delay + finish >= load_balancer("idle_timeout.timeout_seconds")
    [body] = re.findall(
        r"^BODY_TIMEOUT = (\d+)$", (ROOT / "app/limits.py").read_text(encoding="utf-8"), re.M
    )
    assert delay + finish >= int(body), "a slow body arrives before the task is stopped"


def seconds_of_alarm(ending: str) -> int:
    """The seconds that the alarm looks back: its period times its evaluation periods."""
    [alarm] = re.findall(
        rf"AlarmName: !Sub \$\{{AppName\}}-{ending}\n(.+?)\n\n",
        (ROOT / "infra/stack.yml").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    [period] = re.findall(r" Period: (\d+)", alarm)
    [periods] = re.findall(r" EvaluationPeriods: (\d+)", alarm)
    return int(period) * int(periods)


def test_a_deploy_waits_for_its_alarms_and_its_job_for_the_deploy() -> None:
    """ECS completes a deployment only after a bake time, which it computes from the alarms."""
    timeout = SETTINGS.deploy.timeout_seconds
    longest = max(seconds_of_alarm(ending) for ending in deployment_alarms.OF_THE_STACK)
    if SETTINGS.alarms.roll_back:
        assert longest <= timeout / 3, (
            "Period x EvaluationPeriods of each alarm of stack.yml: at most a third of [deploy] "
            "timeout_seconds, because the tasks are replaced in that time, too"
        )
    workflows = (ROOT / ".github/workflows").glob("*-ecs.yml")
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(workflows))
    job = 60 * max(int(minutes) for minutes in re.findall(r"timeout-minutes: (\d+)", text))
    assert timeout <= job - 15 * 60, (
        "[deploy] timeout_seconds: 15 minutes less than timeout-minutes of deploy-ecs.yml, for the "
        "build and the scan of the image"
    )


def test_the_retention_of_the_settings_is_allowed_by_the_stack() -> None:
    [days] = in_the_stack(r"\[(1, 3, 5[\d, ]+)\]")
    assert str(SETTINGS.logs.retention_days) in days.split(", ")
