"""The image of a commit: looked up in ECR, else built from the commit and pushed."""

import json
import os
import re
import shutil
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.tool import docker, image
from infra.tool.docker_login import private_configuration
from infra.tool.errors import ExitCode, ToolError

from simulator.programs import put_program
from simulator.simulation import SimulatedAws
from tests.support.rendering import Render
from tests.support.settings import change
from tests.tool.image_service import ImageService, base_environment

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "ai-assistant"

# Notes each call of docker in a file, with the files of the build context, then does it.
WATCHED = """
import json, os, sys
from pathlib import Path
calls, docker, *words = sys.argv[1:]
call = {"words": words, "environment": dict(os.environ), "files": {}, "modes": {}}
if "build" in words:
    context = Path(words[-1])
    for path in sorted(context.rglob("*")):
        if path.is_file():
            name = path.relative_to(context).as_posix()
            call["files"][name] = path.read_text()
            call["modes"][name] = oct(path.stat().st_mode & 0o111)
if "login" in words:
    call["config"] = json.loads(Path(os.environ["DOCKER_CONFIG"], "config.json").read_text())
with open(calls, "a") as file:
    file.write(json.dumps(call) + "\\n")
os.execv(docker, [docker, *words])
"""


class Stage(ImageService):
    """The service, with a repository in the simulated ECR and a docker whose calls are noted."""

    aws: SimulatedAws

    @property
    def calls(self) -> list[dict[str, Any]]:
        file = self.scratch / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def call(self, verb: str) -> dict[str, Any]:
        [found] = [call for call in self.calls if verb in call["words"][:2]]
        return found

    @property
    def verbs(self) -> list[str]:
        return [re.sub("buildx ", "", " ".join(call["words"][:2])) for call in self.calls]

    def provide(self) -> str:
        self.used = self.target
        return image.provide(self.used, self.head, self.documents)

    def configure_docker(self, **members: object) -> Path:
        folder = Path(self.environment["DOCKER_CONFIG"])
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(members))
        return folder


@pytest.fixture
def stage(
    example: Render, tmp_path: Path, aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A test fails if it leaves a temporary file."""
    given = aws.environment()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    bin = tmp_path / "bin"
    bin.mkdir()
    real = shutil.which("docker", path=given["PATH"])
    assert real, "the simulation puts its docker on the PATH"
    put_program(
        bin / "docker",
        sys.executable,
        "-I",
        "-S",
        "-c",
        WATCHED,
        os.fspath(tmp_path / "calls"),
        real,
    )
    path = {"PATH": f"{bin}{os.pathsep}{given['PATH']}"}
    config = {"DOCKER_CONFIG": os.fspath(tmp_path / "docker")}
    environment = {**base_environment(), **given, **path, **config}
    found = Stage(example, tmp_path, environment, aws.session())
    found.aws = aws
    aws.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    aws.calls.clear()
    yield found
    assert list((tmp_path / "tmp").iterdir()) == [], "remove every temporary file, also on errors"


def refused(code: str, act: Callable[[], object]) -> ToolError:
    with pytest.raises(ToolError) as caught:
        act()
    assert caught.value.code == code, caught.value
    return caught.value


# --- what is built, and how it is named ---


def test_the_image_is_named_after_the_commit_and_returned_by_its_digest(stage: Stage) -> None:
    found = stage.provide()

    [listed] = stage.aws.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert listed["imageTags"] == [stage.head]
    assert found == f"{REGISTRY}/{REPOSITORY}@{listed['imageDigest']}"
    assert stage.used.has_changed_aws, "a push changes AWS: a later refusal is exit code 1"


def test_an_image_that_ecr_has_is_not_built_again(stage: Stage) -> None:
    first = stage.provide()
    before = len(stage.calls)
    stage.environment["PATH"] = "/usr/bin:/bin"  # docker is needed only to build
    (stage.scratch / "bin" / "docker").unlink()

    assert stage.provide() == first
    assert len(stage.calls) == before
    assert not stage.used.has_changed_aws
    assert "nothing is built" in stage.said


def test_a_tag_that_was_moved_to_another_image_is_trusted(stage: Stage) -> None:
    ecr = stage.aws.client("ecr")
    stage.provide()
    other = stage.head
    stage.write("NOTES.md", "another commit\n")
    stage.commit("Change something")
    [manifest] = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": other}])[
        "images"
    ]
    ecr.put_image(
        repositoryName=REPOSITORY, imageManifest=manifest["imageManifest"], imageTag=stage.head
    )
    assert stage.provide().endswith(manifest["imageId"]["imageDigest"])


def test_an_image_is_looked_up_as_a_revision_names_it(stage: Stage) -> None:
    """A revision that was registered by hand may name a tag, and not a digest."""
    by_digest = stage.provide()
    by_tag = f"{REGISTRY}/{REPOSITORY}:{stage.head}"
    found = [image.exists(stage.target, name) for name in (by_digest, by_tag)]
    assert found == [True, True]
    gone = f"{by_digest[:-1]}{'0' if by_digest[-1] != '0' else '1'}"
    assert not image.exists(stage.target, gone)
    assert not image.exists(stage.target, f"{by_tag}0")


@pytest.mark.parametrize(
    ("architecture", "platform"), [("X86_64", "linux/amd64"), ("ARM64", "linux/arm64")]
)
def test_the_platform_follows_the_task_definition(
    stage: Stage, architecture: str, platform: str
) -> None:
    stage.change(
        "infra/task-definition.json",
        {"runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": architecture}},
    )
    stage.provide()
    words = stage.call("build")["words"]
    assert words[words.index("--platform") + 1] == platform
    assert words[words.index("--build-arg") + 1] == f"COMMIT={stage.head}"


def test_build_flags_of_the_settings_come_before_the_context(stage: Stage) -> None:
    flags = ["--label", "a=b c", "--label", "d=e"]
    change(stage.folder, "deploy.build_flags", flags)
    stage.commit("Label the image")
    stage.provide()
    assert stage.call("build")["words"][-5:-1] == flags


def test_buildkit_is_on_and_makes_no_attestations(stage: Stage) -> None:
    stage.provide()
    environment = stage.call("build")["environment"]
    assert environment["DOCKER_BUILDKIT"] == "1"
    assert environment["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1", "ECR would count each as an image"


# --- the files that are built ---


def test_the_build_context_has_only_the_files_of_the_commit(stage: Stage) -> None:
    stage.write(".env", "SECRET=1\n")  # .gitignore names it: the tree counts as clean
    stage.write("app/local.py", "")
    (stage.folder / ".git" / "info").mkdir(exist_ok=True)
    stage.write(".git/info/exclude", "app/local.py\n")
    stage.provide()

    files = stage.call("build")["files"]
    assert sorted(files) == sorted(stage.git("ls-files").splitlines())
    assert files["Dockerfile"] == (stage.folder / "Dockerfile").read_text()
    assert ".dockerignore" in files


def test_attributes_for_archives_do_not_change_what_is_built(stage: Stage) -> None:
    stage.write("app/version.txt", "$Format:%H$\n")
    stage.write(".gitattributes", "app/version.txt export-subst\ngunicorn.conf.py export-ignore\n")
    (stage.folder / "app" / "run.sh").write_text("#!/bin/sh\n")
    (stage.folder / "app" / "run.sh").chmod(0o755)
    stage.commit("Mark files")
    stage.provide()

    built = stage.call("build")
    assert built["files"]["app/version.txt"] == "$Format:%H$\n"
    assert "gunicorn.conf.py" in built["files"]
    assert built["modes"]["app/run.sh"] == "0o111", "a file keeps its exec bit"
    assert built["modes"]["app/version.txt"] == "0o0"


def test_the_git_index_of_the_user_is_not_changed(stage: Stage) -> None:
    stage.provide()
    assert stage.git("status", "--porcelain") == ""
    assert "infra-" not in stage.git("worktree", "list")


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_the_context_is_removed_if_the_build_is_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ending: type[BaseException]
) -> None:
    """The fixture above fails if a file is left."""
    run = docker.Docker.run

    def stopped(self: docker.Docker, *words: str, **options: Any) -> Any:
        if "build" in words:
            assert Path(words[-1], "Dockerfile").exists()
            raise ending
        return run(self, *words, **options)

    monkeypatch.setattr(docker.Docker, "run", stopped)
    with pytest.raises(ending):
        stage.provide()


# --- the login ---


def test_the_password_goes_to_docker_by_stdin_alone(stage: Stage) -> None:
    stage.provide()
    everything = json.dumps(stage.calls) + stage.said
    assert "password-0" not in everything, "the simulated ECR calls its first password so"
    assert "cGFzc3dvcmQtM" not in everything
    assert stage.call("login")["words"] == [
        *("login", "--username", "AWS", "--password-stdin", REGISTRY)
    ]


def test_the_docker_configuration_of_the_user_is_used_and_never_changed(stage: Stage) -> None:
    given = {
        "auths": {REGISTRY: {"auth": "b2xk"}, "ghcr.io": {"auth": "Z2hjcg=="}},
        "credsStore": "desktop",
        "currentContext": "default",
        "proxies": {"default": {"httpProxy": "http://proxy:3128"}},
    }
    folder = stage.configure_docker(**given)
    (folder / "contexts" / "meta").mkdir(parents=True)
    (folder / "contexts" / "meta" / "meta.json").write_text("{}")
    (folder / "buildx").mkdir()
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}
    stage.provide()

    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]} == before
    login = stage.call("login")
    assert login["environment"]["DOCKER_CONFIG"] != os.fspath(folder)
    assert login["environment"]["BUILDX_CONFIG"] == os.fspath(folder / "buildx")
    assert login["config"] == {
        **given,
        "auths": {"ghcr.io": {"auth": "Z2hjcg=="}},
        "credHelpers": {REGISTRY: ""},
        "cliPluginsExtraDirs": [os.fspath(folder / "cli-plugins")],
    }


@pytest.mark.parametrize(
    "members", [{"credsStore": "ecr-login"}, {"credHelpers": {REGISTRY: "ecr-login"}}]
)
def test_a_credential_helper_that_cannot_store_a_login_is_not_used(
    stage: Stage, members: dict[str, Any]
) -> None:
    """awslabs/amazon-ecr-credential-helper#102: `docker login` says "not implemented"."""
    stage.configure_docker(**members)
    assert stage.provide()


def test_contexts_builders_and_certificates_are_those_of_the_user(tmp_path: Path) -> None:
    own, private = tmp_path / "own", tmp_path / "private"
    for name in "contexts/meta/0a1b", "contexts/tls", "buildx/instances", "cli-plugins":
        (own / name).mkdir(parents=True)
    (own / "contexts/meta/0a1b/meta.json").write_text('{"Name":"remote"}')
    private.mkdir()
    given = {"DOCKER_CONFIG": os.fspath(own), "DOCKER_TLS_VERIFY": "1"}
    assert private_configuration(given, REGISTRY, private) == {
        "DOCKER_CONFIG": os.fspath(private),
        "BUILDX_CONFIG": os.fspath(own / "buildx"),
        "DOCKER_CERT_PATH": os.fspath(own),
    }
    assert (private / "contexts/meta/0a1b/meta.json").read_text() == '{"Name":"remote"}'

    (private / "config.json").unlink()
    shutil.rmtree(private / "contexts")
    elsewhere = {"BUILDX_CONFIG": "/builders", "DOCKER_CERT_PATH": "/certificates"}
    assert private_configuration(given | elsewhere, REGISTRY, private) == {
        "DOCKER_CONFIG": os.fspath(private)
    }


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_broken_docker_configuration_is_named(stage: Stage, text: str) -> None:
    folder = stage.configure_docker()
    (folder / "config.json").write_text(text)
    error = refused("docker-config", stage.provide)
    assert os.fspath(folder / "config.json") in error.message


def test_a_login_that_the_registry_refuses_ends_the_command_before_the_build(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.tool.docker_login.password", lambda *_: "wrong")
    error = refused("registry-login", stage.provide)
    assert "Unauthorized" in error.message
    assert error.exit is None
    assert not stage.used.has_changed_aws, "exit code 2: nothing was changed"
    assert "buildx build" not in [" ".join(call["words"][:2]) for call in stage.calls]


def test_without_a_password_nothing_is_built(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    target, commit, found = stage.target, stage.head, stage.documents
    without: list[list[dict[str, str]]] = [
        [],
        [{}],
        [{"authorizationToken": b64encode(b"AWS:").decode()}],
    ]
    for given in without:
        answer = {"authorizationData": given}
        monkeypatch.setattr(target.aws.ecr, "get_authorization_token", lambda a=answer: a)
        error = refused("registry-password", lambda: image.provide(target, commit, found))
        assert error.exit is None
    assert not target.has_changed_aws, "exit code 2: nothing has changed"
    assert not [call for call in stage.calls if "build" in call["words"]]


# --- what is not ready, and what fails ---


def test_a_missing_repository_says_to_provision(stage: Stage) -> None:
    stage.aws.client("ecr").delete_repository(repositoryName=REPOSITORY)
    error = refused("repository-missing", stage.provide)
    assert "uv run --frozen -m infra provision" in error.remedy
    assert stage.calls == []


def test_another_refusal_of_ecr_is_an_error(stage: Stage) -> None:
    stage.aws.faults.refuse("ecr:DescribeImages", "AccessDeniedException", "not you", status=400)
    error = refused("aws-denied", stage.provide)
    assert "ecr:DescribeImages" in error.message
    assert stage.calls == []


def test_a_response_without_an_image_starts_a_build(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = stage.target
    monkeypatch.setattr(target.aws.ecr, "describe_images", lambda **_: {"imageDetails": []})
    assert image.find(target, stage.head) is None


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("SIMULATED_DOCKER", "off", "docker-silent"),
        ("SIMULATED_BUILDX", "off", "buildx-missing"),
        ("PATH", "/usr/bin-without-docker", "docker-missing"),
    ],
)
def test_a_docker_that_cannot_build_is_reported_before_the_login(
    stage: Stage, variable: str, value: str, code: str
) -> None:
    target, commit, found = stage.target, stage.head, stage.documents
    stage.environment[variable] = value
    refused(code, lambda: image.provide(target, commit, found))
    assert stage.aws.calls.names == ["ecr:DescribeImages"]


def test_an_image_of_a_docker_container_builder_is_loaded_and_pushed(stage: Stage) -> None:
    """cuber-cloud/cuber-gem#18: the driver docker-container loads no image by itself."""
    stage.environment["SIMULATED_BUILDER"] = "docker-container"
    assert stage.provide()


def test_a_build_that_fails_changes_nothing(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    (stage.folder / "Dockerfile").unlink()
    stage.commit("Lose the Dockerfile")
    refused("image-not-built", stage.provide)
    assert not stage.used.has_changed_aws, "exit code 2: nothing has changed"
    assert "failed to read dockerfile" in capfd.readouterr().err, "docker's words stay visible"


def test_a_push_that_breaks_off_is_exit_code_1_and_the_next_run_succeeds(stage: Stage) -> None:
    stage.aws.faults.drop("ecr:PutImage")
    refused("image-not-pushed", stage.provide)
    assert stage.used.has_changed_aws
    assert stage.provide()


def test_an_image_that_another_deploy_of_the_commit_pushed_first_is_returned(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stage.provide()
    answers = iter([None])
    find = image.find
    monkeypatch.setattr(image, "find", lambda target, commit: next(answers, find(target, commit)))
    assert stage.provide() == first
    assert "docker could not push it" in stage.said


def test_a_push_that_reports_success_without_an_image_is_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = docker.Docker.run

    def lying(self: docker.Docker, *words: str, **options: Any) -> Any:
        return run(self, "version") if words[0] == "push" else run(self, *words, **options)

    monkeypatch.setattr(docker.Docker, "run", lying)
    refused("image-not-pushed", stage.provide)


# --- the output ---


@pytest.mark.parametrize("failing", [False, True])
def test_a_workflow_folds_what_docker_prints(stage: Stage, failing: bool) -> None:
    stage.environment["GITHUB_ACTIONS"] = "true"
    if failing:
        (stage.folder / "Dockerfile").unlink()
        stage.commit("Lose the Dockerfile")
        refused("image-not-built", stage.provide)
    else:
        stage.provide()
    commands = re.findall(r"^::([\w-]+)", stage.out.getvalue(), re.MULTILINE)
    one = ["group", "stop-commands", "TOKEN", "endgroup"]
    found = ["TOKEN" if re.fullmatch("[0-9a-f]{32}", name) else name for name in commands]
    assert found == one * (1 if failing else 2), "a group is closed, also on failure"


def test_outside_of_github_no_line_is_a_workflow_command(stage: Stage) -> None:
    stage.provide()
    assert "::" not in stage.said


# --- check ---


def test_check_names_the_builder_and_logs_in(stage: Stage) -> None:
    stage.run("check")
    assert re.search(r"^ok  builder +its-builder \(docker\)$", stage.said, re.MULTILINE)
    assert re.search(rf"^ok  registry +{REGISTRY}$", stage.said, re.MULTILINE)
    assert stage.aws.calls.changing == []


@pytest.mark.parametrize(
    ("variable", "value", "failing"),
    [
        ("SIMULATED_BUILDX", "off", "NO  builder"),
        ("SIMULATED_DOCKER", "off", "NO  docker"),
    ],
)
def test_check_reports_a_problem_of_docker(
    stage: Stage, variable: str, value: str, failing: str
) -> None:
    stage.environment[variable] = value
    assert stage.run("check") == ExitCode.NOT_READY
    assert failing in stage.said


# --- which builder ---

INSPECTED = """Name:   many
Driver: docker-container

Nodes:
Name:      many0
Platforms: linux/amd64*, linux/386
Name:      many1
Platforms: linux/arm64*, linux/arm/v7
"""


def test_a_builder_builds_for_the_platforms_of_all_its_nodes() -> None:
    builder = docker.as_builder(INSPECTED)
    assert (builder.name, builder.driver) == ("many", "docker-container")
    assert [*builder.platforms] == ["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7"]
    builder.require("linux/arm64")
    refused("builder-platform", lambda: builder.require("linux/s390x"))


def test_a_builder_that_is_not_started_names_no_platform_and_is_not_refused() -> None:
    docker.as_builder("Name: idle\nDriver: docker-container\n").require("linux/arm64")


@pytest.mark.parametrize(("version", "number"), [("20.10.24+dfsg1", 20), ("28.2.2", 28)])
def test_the_major_version_is_read(version: str, number: int) -> None:
    assert docker.major(version) == number


def test_docker_before_23_builds_without_the_plugin(stage: Stage) -> None:
    stage.environment["SIMULATED_BUILDX"] = "off"
    found = image.docker_of(stage.target).builder("20.10.24+dfsg1")
    assert [*found.command] == ["build"]
