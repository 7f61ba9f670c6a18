"""The login of docker to the registry, without a change of the user's docker configuration."""

import json
import os
import shutil
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.tool.aws import Aws
from infra.tool.docker import Docker
from infra.tool.errors import Problem

NO_PASSWORD = Problem(
    "registry-password",
    "ECR returned no password for {registry}",
    "run the command again",
)
REFUSED = Problem(
    "registry-login",
    "docker cannot log in to {registry}: {why}",
    "check the network and the proxy of docker, then run the command again",
)
BROKEN = Problem(
    "docker-config",
    "docker's configuration {file} is not one JSON object: {why}",
    "correct it, or move it away",
)


@contextmanager
def logged_in(docker: Docker, aws: Aws, registry: str) -> Iterator[Docker]:
    """docker, logged in to the registry within the `with` block.

    Raises ToolError if ECR gives no password, or docker cannot log in with it.
    """
    with TemporaryDirectory(prefix="infra-docker-") as folder:
        private = docker.with_variables(
            **private_configuration(docker.environment, registry, Path(folder))
        )
        done = private.run(
            *("login", "--username", "AWS", "--password-stdin", registry),
            standard_input=password(aws, registry),
        )
        if done.returncode:
            raise REFUSED(registry=registry, why=done.stderr)
        yield private


def password(aws: Aws, registry: str) -> str:
    """The password of the user AWS. Raises ToolError."""
    for each in aws.ecr.get_authorization_token()["authorizationData"]:
        _, _, found = b64decode(each.get("authorizationToken", "")).decode().partition(":")
        if found:
            return found
    raise NO_PASSWORD(registry=registry)


def private_configuration(
    environment: Mapping[str, str], registry: str, folder: Path
) -> dict[str, str]:
    """Fill a folder with a copy of the user's docker configuration, which keeps the login to the
    registry. Returns the variables that make docker use it."""
    own = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    configuration = for_registry(read(own / "config.json"), registry, own / "cli-plugins")
    (folder / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    if (own / "contexts").is_dir():
        shutil.copytree(own / "contexts", folder / "contexts")
    variables = {"DOCKER_CONFIG": os.fspath(folder)}
    if (own / "buildx").is_dir():  # the builders, which buildx keeps locked while it uses them
        variables["BUILDX_CONFIG"] = os.fspath(own / "buildx")
    if environment.get("DOCKER_TLS_VERIFY"):  # docker looks for certificates beside config.json
        variables["DOCKER_CERT_PATH"] = os.fspath(own)
    return {name: value for name, value in variables.items() if needed(environment, name)}


def needed(environment: Mapping[str, str], name: str) -> bool:
    """Whether a variable is to be set: the user's own choice of another folder is kept."""
    return name == "DOCKER_CONFIG" or not environment.get(name)


def read(file: Path) -> dict[str, Any]:
    """The user's docker configuration; empty if no file exists. Raises ToolError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BROKEN(file=file, why=error) from None
    if not isinstance(found, dict):
        raise BROKEN(file=file, why=f"it is a {type(found).__name__}")
    return found


def for_registry(configuration: dict[str, Any], registry: str, plugins: Path) -> dict[str, Any]:
    """The configuration, with this file as the place of the registry's login.

    An empty helper overrides credsStore for one registry: some helpers cannot store a login
    (ecr-login: "not implemented"), and others would keep it. Other registries keep theirs.
    """
    helpers = configuration.get("credHelpers") or {}
    logins = configuration.get("auths") or {}
    folders = configuration.get("cliPluginsExtraDirs") or []
    return configuration | {
        "auths": {host: login for host, login in logins.items() if registry not in host},
        "credHelpers": helpers | {registry: ""},
        "cliPluginsExtraDirs": [*folders, os.fspath(plugins)],
    }
