"""A docker push lands in ECR, and a tag that is settled cannot be moved."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from simulator.fixtures import Ground
from simulator.simulation import SimulatedAws

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
EVERY_STEP = {
    *("ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"),
    *("ecr:PutImage", "ecr:UploadLayerPart"),
}


class Docker:
    """`docker` as a script calls it: with the host that ECR has in the world outside."""

    def __init__(self, aws: SimulatedAws, folder: Path, principal: str = "root") -> None:
        self.folder = folder
        self.environment = os.environ | aws.environment(principal)
        (folder / "Dockerfile").write_text("FROM scratch\nARG COMMIT\nENV COMMIT=$COMMIT\n")

    def run(self, command: str, typing: str = "") -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=typing,
            capture_output=True,
            text=True,
            shell=True,
        )
        return done.returncode, done.stdout + done.stderr

    def logs_in(self, password: str = "aws ecr get-login-password") -> tuple[int, str]:
        return self.run(f"{password} | docker login --username AWS --password-stdin {HOST}")

    def pushes(self, tag: str, commit: str = "") -> tuple[int, str]:
        name = f"{HOST}/app:{tag}"
        code, text = self.run(
            f"docker build --platform linux/amd64 --tag {name} --build-arg COMMIT={commit or tag} ."
        )
        assert code == 0, text
        return self.run(f"docker push {name}")


@pytest.fixture
def docker(ground: Ground, tmp_path: Path) -> Docker:
    return Docker(ground.aws, tmp_path)


def tags(ground: Ground) -> dict[str, str]:
    """The digest of each tag that ECR lists."""
    found = ground.aws.client("ecr").describe_images(repositoryName="app")["imageDetails"]
    return {tag: image["imageDigest"] for image in found for tag in image["imageTags"]}


def test_a_push_lands_in_ecr_under_the_digest_that_docker_names(
    ground: Ground, docker: Docker
) -> None:
    assert docker.logs_in() == (0, "Login Succeeded\n")
    code, text = docker.pushes("second")
    assert code == 0, text
    assert f"second: digest: {tags(ground)['second']} size: " in text
    assert {call.name for call in ground.aws.calls if call.by_docker} == EVERY_STEP


def test_the_same_commit_is_the_same_image(ground: Ground, docker: Docker) -> None:
    ground.aws.client("ecr").put_image_tag_mutability(
        repositoryName="app", imageTagMutability="MUTABLE"
    )
    docker.logs_in()
    for tag, commit in ("a", "1"), ("b", "1"), ("c", "2"):
        assert docker.pushes(tag, commit)[0] == 0
    assert tags(ground)["a"] == tags(ground)["b"] != tags(ground)["c"]


def test_an_immutable_tag_is_refused_whatever_the_image(ground: Ground, docker: Docker) -> None:
    docker.logs_in()
    assert docker.pushes("second")[0] == 0
    before = tags(ground)
    for commit in "second", "other":
        code, text = docker.pushes("second", commit)
        assert code == 1
        assert (
            "tag invalid: The image tag 'second' already exists in the 'app' repository and cannot "
            "be overwritten because the tag is immutable." in text
        )
    assert tags(ground) == before


def test_a_wrong_password_is_refused(ground: Ground, docker: Docker) -> None:
    code, text = docker.logs_in("echo wrong")
    assert (code, "401 Unauthorized" in text) == (1, True)
    code, text = docker.pushes("second")
    assert (code, "no basic auth credentials" in text) == (1, True)
    assert "second" not in tags(ground)


@pytest.mark.slow
@pytest.mark.parametrize("step", sorted(EVERY_STEP))
def test_each_step_of_a_push_needs_its_permission(
    ground: Ground, tmp_path: Path, step: str
) -> None:
    def allow(*actions: str) -> None:
        one = "arn:aws:ecr:us-east-1:123456789012:repository/app"
        ground.allow(
            "pusher",
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {"Effect": "Allow", "Action": list(actions), "Resource": one},
        )

    anybody: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    ground.role("pusher", anybody)
    allow(*EVERY_STEP - {step})
    docker = Docker(ground.aws, tmp_path, "role/pusher")
    docker.logs_in()
    code, text = docker.pushes("second")
    assert code == 1
    assert "second" not in tags(ground)
    head = step == "ecr:BatchCheckLayerAvailability"
    assert ("parsing HTTP 403" if head else f"perform: {step} on resource") in text
    allow(*EVERY_STEP)
    assert docker.pushes("second")[0] == 0


@pytest.mark.parametrize("step", ["ecr:UploadLayerPart", "ecr:PutImage"])
def test_a_push_can_break_half_way(ground: Ground, docker: Docker, step: str) -> None:
    docker.logs_in()
    ground.aws.faults.drop(step)
    code, text = docker.pushes("second")
    assert (code, "EOF" in text) == (1, True), text
    assert "second" not in tags(ground)
    assert docker.pushes("second")[0] == 0


def test_a_repository_that_is_missing_is_named(ground: Ground, docker: Docker) -> None:
    docker.logs_in()
    ground.aws.client("ecr").delete_repository(repositoryName="app", force=True)
    code, text = docker.pushes("second")
    assert code == 1
    assert "name unknown: The repository with name 'app' does not exist" in text


def test_the_docker_daemon_can_be_stopped(docker: Docker) -> None:
    docker.environment["SIMULATED_DOCKER"] = "off"
    assert docker.logs_in()[0] == 1
    assert "Is the docker daemon running?" in docker.run("docker version")[1]
