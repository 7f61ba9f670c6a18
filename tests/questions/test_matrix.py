"""Whatever the answers: every size, every pair of options, hostile but legal texts."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from simulator.ecs.fargate import FARGATE
from tests.support.answer_matrix import OPTIONS, all_pairs, cells, pair_sets, pairs, size_sets
from tests.support.document_checks import policy_findings, task_findings, unexpected
from tests.support.linting import lint
from tests.support.rendering import (
    ANSWERS_FILE,
    TEMPLATED,
    Answers,
    Render,
    asked,
    render,
    rendered_name,
)

VARYING = sorted(map(rendered_name, TEMPLATED))
LEFT_OVER = re.compile(r"(?i)your[-_ ](app|account|region|repo)|change_?me|todo|fixme|placeholder")
ACCOUNT_ID = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def whole(template: Path, folder: Path) -> list[Render]:
    """A render for each size of processor."""
    sets = {answers["cpu"]: answers for answers in pair_sets().values()}
    return [render(template, folder / "whole" / str(cpu), sets[cpu]) for cpu in FARGATE]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(pair_sets, id="pairs"),
        pytest.param(size_sets, id="sizes", marks=pytest.mark.slow),
    ],
)
def renders(
    request: pytest.FixtureRequest, varying: Path, folder: Path, whole: list[Render]
) -> list[Render]:
    """A render for each set of answers; the plain files are links to those of a whole one."""
    sets: dict[str, Answers] = request.param()
    ignore = shutil.ignore_patterns(*(Path(name).name for name in VARYING))
    for name in sets:
        shutil.copytree(whole[0].path, folder / name, copy_function=os.link, ignore=ignore)
    return [render(varying, folder / name, answers) for name, answers in sets.items()]


def test_the_matrix_has_every_size_and_every_pair_of_options() -> None:
    sets = [*pair_sets().values(), *size_sets().values()]
    sizes = {(answers["cpu"], answers["memory"]) for answers in sets}
    assert sizes == {(cpu, mib) for cpu, memories in FARGATE.items() for mib in memories}
    assert len(sizes) == 74
    assert set().union(*map(pairs, cells())) == all_pairs()
    answered = {key for values in OPTIONS.values() for answers in values for key in answers}
    assert answered | {"memory"} == set(asked()), "OPTIONS in tests/support/answer_matrix.py"


def wrong_memories(cpu: int) -> list[int]:
    """In MiB, those next to the sizes of the processor first."""
    sizes = FARGATE[cpu]
    others = {mib for memories in FARGATE.values() for mib in memories} - set(sizes)
    below = [mib for mib in sorted(others, reverse=True) if mib < min(sizes)]
    above = [mib for mib in sorted(others) if mib > max(sizes)]
    between = sorted(others - {*below, *above})
    return [*between[:1], *below[:1], *above[:1], *between[1:], *below[1:], *above[1:]]


@pytest.mark.parametrize("is_next", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cpu", FARGATE)
def test_only_the_memory_sizes_of_a_cpu_are_accepted(
    varying: Path, tmp_path: Path, example: Render, cpu: int, is_next: bool
) -> None:
    wrong = wrong_memories(cpu)
    chosen = [min(FARGATE[cpu]) - 1, *wrong[:3]] if is_next else [max(FARGATE[cpu]) * 2, *wrong[3:]]
    for memory in chosen:
        refusal = "nothing"
        try:
            render(varying, tmp_path / "service", {**example.answers, "cpu": cpu, "memory": memory})
        except ValueError as error:
            refusal = str(error)
        assert "Invalid choice for 'memory'" in refusal, (
            f"copier.yml: memory has to refuse {memory} for cpu {cpu}, as Fargate does, "
            f"and said {refusal}"
        )


def test_the_default_memory_is_the_smallest(varying: Path, tmp_path: Path, example: Render) -> None:
    for cpu, sizes in FARGATE.items():
        answers = {key: value for key, value in example.answers.items() if key != "memory"}
        service = render(varying, tmp_path / str(cpu), {**answers, "cpu": cpu})
        memory = service.json("infra/task-definition.json")["memory"]
        assert memory == str(min(sizes)), (
            f"copier.yml: for cpu {cpu} the default of memory is the smallest: {min(sizes)}"
        )


def test_every_file_can_be_parsed(whole: list[Render], renders: list[Render]) -> None:
    first = whole[0]
    for path in [*first.path.rglob("*.yml"), *first.path.rglob("*.yaml")]:
        yaml.compose(path.read_text())  # not loaded: CloudFormation's tags are its own
    for path in first.path.rglob("*.json"):
        first.json(str(path.relative_to(first.path)))
    for service in renders:  # the other files are the same in each
        for name in VARYING:
            if name.endswith(".json"):
                service.json(name)
            if name.endswith(".toml"):
                tomllib.loads(service.text(name))
        yaml.compose(service.text(ANSWERS_FILE))


def test_the_answers_file_has_the_given_answers(renders: list[Render]) -> None:
    for service in renders:
        kept = yaml.safe_load(service.text(ANSWERS_FILE))
        assert {key: kept[key] for key in service.answers} == service.answers


def test_the_task_definition_has_the_answers(renders: list[Render]) -> None:
    for service in renders:
        task = service.json("infra/task-definition.json")
        answers = service.answers
        sizes = (str(answers["cpu"]), str(answers["memory"]))
        assert (task["cpu"], task["memory"]) == sizes, "task-definition.json: cpu, memory"
        assert task["runtimePlatform"]["cpuArchitecture"] == answers["cpu_architecture"]
        environment = {
            e["name"]: e["value"] for e in task["containerDefinitions"][0]["environment"]
        }
        assert environment["APP_TITLE"] == answers["app_name"]
        assert environment["APP_DESCRIPTION"] == answers["description"]
        assert environment["WEB_CONCURRENCY"] == str(max(1, answers["cpu"] // 1024))


PARTITIONS = {
    "us-east-1": ("aws", "amazonaws.com"),
    "ap-southeast-7": ("aws", "amazonaws.com"),
    "cn-northwest-1": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-west-1": ("aws-us-gov", "amazonaws.com"),
}


def test_the_region_decides_the_partition_and_the_registry(renders: list[Render]) -> None:
    for service in renders:
        account, region = service.answers["aws_account_id"], service.answers["aws_region"]
        partition, domain = PARTITIONS[region]
        settings = service.settings()
        assert settings.service.partition == partition, f"copier.yml: partition of {region}"
        assert settings.service.registry == f"{account}.dkr.ecr.{region}.{domain}"
        for name in VARYING:
            assert set(re.findall(r"\barn:([a-z-]+):", service.text(name))) <= {partition}, name


def test_the_settings_are_the_answers(renders: list[Render]) -> None:
    for service in renders:
        settings, answers = service.settings(), service.answers
        assert settings.service.name == answers["app_name"]
        assert settings.service.account == answers["aws_account_id"]
        assert settings.service.region == answers["aws_region"]
        assert settings.github.repository == answers["github_repository"]
        assert settings.tasks.min == answers["min_tasks"]
        assert settings.tasks.max == answers["max_tasks"]


def test_names_fit_into_the_limits_of_aws(renders: list[Render]) -> None:
    for settings in (service.settings() for service in renders):
        for suffix in "alb", "tg":
            assert len(f"{settings.service.name}-{suffix}") <= 32, "load balancer, target group"
        names = settings.names
        for role in names.execution_role, names.task_role, names.deploy_role:
            assert len(role) <= 64, role


def without_description(service: Render, name: str) -> str:
    return service.text(name).replace(service.answers["description"], "")


def test_nothing_is_left_to_fill_in(renders: list[Render]) -> None:
    for service in renders:
        for name in VARYING:
            text = without_description(service, name)
            assert not LEFT_OVER.search(text), f"{name}: {LEFT_OVER.search(text)}"
            assert not re.search(r"(?<!\$)\{\{|\{%|\{#", text), f"{name}: Jinja is left in it"


def test_no_account_but_the_answered_one_is_named(renders: list[Render]) -> None:
    for name, content in renders[0].files().items():
        if name not in VARYING:
            assert not ACCOUNT_ID.search(content.decode()), name
    for service in renders:
        for name in VARYING:
            ids = set(ACCOUNT_ID.findall(without_description(service, name)))
            assert ids <= {service.answers["aws_account_id"]}, name


def test_only_the_five_files_vary(whole: list[Render]) -> None:
    first = whole[0].files()
    for service in whole[1:]:
        files = service.files()
        assert files.keys() == first.keys()
        varied = {name for name in files if files[name] != first[name]}
        assert varied <= set(VARYING)


def test_files_with_answers_pass_the_linters_in_every_render(
    folder: Path, renders: list[Render]
) -> None:
    def everywhere(name: str) -> list[str]:
        return [str((service.path / name).relative_to(folder)) for service in renders]

    rules = str(renders[0].path / ".yamllint.yml")
    lint(folder, ["yamllint", "--strict", "-c", rules], everywhere(ANSWERS_FILE))


def test_ecs_accepts_every_task_definition(tmp_path: Path, renders: list[Render]) -> None:
    tasks = {f"Task{i}": s.json("infra/task-definition.json") for i, s in enumerate(renders)}
    findings = task_findings(tasks, tmp_path)
    assert {name: found for name, found in findings.items() if found} == {}


def test_iam_accepts_every_policy(renders: list[Render]) -> None:
    for service in renders:
        policy = service.json("ops/iam-policy-github-actions.json")
        assert unexpected(policy_findings(policy)) == [], service.answers


def test_every_policy_fits_a_group(renders: list[Render]) -> None:
    """IAM's quota for the inline policies of a group, which is half of a role's."""
    for service in renders:
        policy = service.json("ops/iam-policy-github-actions.json")
        assert len(json.dumps(policy, separators=(",", ":"))) <= 5_120, service.answers


def test_the_contract_that_ships_with_a_service_holds_in_every_render(
    folder: Path, renders: list[Render]
) -> None:
    command = f"{sys.executable} -m pytest -q --import-mode=importlib -c /dev/null --rootdir"
    done = subprocess.run(
        [*command.split(), folder, *(s.path / "tests" / "test_contract.py" for s in renders)],
        cwd=renders[0].path,  # gunicorn.conf.py imports the app's own logs.py
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(renders[0].path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
