"""The login to the registry with a real docker: it works with any helper, and leaves nothing."""

import json
import os
import shutil
from pathlib import Path

import pytest
from infra.tool.aws import Aws
from infra.tool.docker import Docker
from infra.tool.docker_login import logged_in

from simulator.programs import put_program
from simulator.simulation import SimulatedAws

pytestmark = pytest.mark.container

# As awslabs/amazon-ecr-credential-helper does: it stores nothing.
HELPER = 'echo "not implemented"; exit 1'


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    """The engine's client, with a configuration whose helper cannot store a login."""
    (tmp_path / "bin").mkdir()
    put_program(tmp_path / "bin" / "docker-credential-refuses", "/bin/sh", "-c", HELPER)
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"credsStore": "refuses"}))
    if (own / "cli-plugins").is_dir():
        shutil.copytree(own / "cli-plugins", tmp_path / "docker" / "cli-plugins")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL made=by-a-test\n")
    return Docker(
        tmp_path,
        {
            **os.environ,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": os.fspath(tmp_path / "docker"),
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        },
    )


def test_docker_pushes_although_its_helper_stores_no_login(docker: Docker) -> None:
    with SimulatedAws(docker=None) as aws:
        registry, name = aws.address, f"{aws.address}/app:tag"
        aws.client("ecr").create_repository(repositoryName="app")
        words = ("login", "--username", "AWS", "--password-stdin", registry)
        without = docker.run(*words, standard_input="password-0")
        assert without.returncode, "the helper, or the registry, refuses this login"

        with logged_in(docker, Aws(aws.session(), "us-east-1"), registry) as private:
            assert private.run("build", "--tag", name, ".").returncode == 0
            pushed = private.run("push", name)
        assert pushed.returncode == 0, pushed.stderr
        [image] = aws.client("ecr").describe_images(repositoryName="app")["imageDetails"]
        assert image["imageTags"] == ["tag"]

        again = docker.run("push", name)
        docker.run("rmi", name)
        assert again.returncode, "the login ended with the block"
    files = {path.name for path in (docker.folder / "docker").iterdir()} - {"cli-plugins", "buildx"}
    assert files <= {"config.json", ".buildNodeID", ".token_seed", ".token_seed.lock"}
    config = docker.folder / "docker" / "config.json"
    assert json.loads(config.read_text()) == {"credsStore": "refuses"}
