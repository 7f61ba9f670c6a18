"""`docker` on the PATH of a script: every registry host leads to the simulation.

    docker_client.py real DOCKER ARGUMENT...     runs DOCKER, with the host replaced
    docker_client.py recorded ARGUMENT...        does what a deploy needs without an engine: a build
                                                 makes a small image with its commit and its
                                                 platform, and a push really pushes it

Python starts this with -I and -S, so it imports little, and nothing of the simulator. With
SIMULATED_DOCKER=off in the environment no engine answers, and with SIMULATED_BUILDX=off docker has
no plugin buildx. SIMULATED_BUILDER is the driver of the builder, for example docker-container.
"""

import base64
import gzip
import hashlib
import http.client
import io
import itertools
import json
import os
import re
import sys
import tarfile
from pathlib import Path

ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OFF = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
    "Is the docker daemon running?"
)


class Failed(Exception):
    """The message with which docker exits with 1."""


def main() -> int:
    mode, *words = sys.argv[1:]
    if mode == "real":
        docker, *words = words
        host = os.environ["SIMULATED_REGISTRY"]
        os.execv(docker, ["docker", *(ECR.sub(host, word) for word in words)])
    commands = {
        "version": version,
        "buildx": buildx,
        "login": login,
        "build": build,
        "push": push,
    }
    command, *rest = words
    try:
        if os.environ.get("SIMULATED_DOCKER") == "off":
            raise Failed(OFF)
        if command not in commands:
            raise Failed(f"docker: '{command}' is not a docker command that is simulated.")
        commands[command](rest)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # docker says nothing then
        return 130
    return 0


def version(words: list[str]) -> None:
    print(re.sub(r"{{\.(Client|Server)\.Version}}", "29.0.0", words[-1]))


# --- state between two calls ---


def kept(name: str) -> Path:
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name.replace("/", "_")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def configuration() -> dict[str, dict[str, str]]:
    file = Path(os.environ["DOCKER_CONFIG"], "config.json")
    found: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.exists() else {}
    return found


# --- the commands ---


def login(words: list[str]) -> None:
    host, user = words[-1], words[words.index("--username") + 1]
    known = configuration()
    if known.get("credHelpers", {}).get(host, known.get("credsStore")) == "ecr-login":
        # awslabs/amazon-ecr-credential-helper#102: it reads logins and stores none.
        raise Failed("Error saving credentials: error storing credentials: not implemented")
    password = sys.stdin.read().strip()
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    kept(f"auth-{host}").write_text(token)
    status, _, _ = ask(host, "GET", "/v2/")
    if status != 200:
        kept(f"auth-{host}").unlink()
        raise Failed(
            f"Error response from daemon: login attempt to https://{host}/v2/ failed with status: "
            f"{status} Unauthorized"
        )
    print("Login Succeeded")


def buildx(words: list[str]) -> None:
    """docs.docker.com/build/builders/drivers: only the driver `docker` loads images by itself."""
    if os.environ.get("SIMULATED_BUILDX") == "off":
        raise Failed("docker: unknown command: docker buildx")
    driver = os.environ.get("SIMULATED_BUILDER", "docker")
    command, *rest = words
    if command == "version":
        print("github.com/docker/buildx v0.30.0 0000000")
    elif command == "inspect":
        print(f"Name:   its-builder\nDriver: {driver}\n\nNodes:\nName:      its-builder")
        print("Platforms: linux/amd64*, linux/arm64, linux/386")
    elif command == "build":
        build(rest, loads=driver == "docker" or "--load" in rest)
    else:
        raise Failed(f"docker: 'buildx {command}' is not a docker command that is simulated.")


def build(words: list[str], *, loads: bool = True) -> None:
    options = list(itertools.pairwise(words))
    values = {key: value for key, value in options if key.startswith("--")}
    arguments = [value for key, value in options if key == "--build-arg"]
    if not Path(words[-1], "Dockerfile").exists():
        raise Failed(
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open Dockerfile: "
            "no such file or directory"
        )
    if not loads:
        print("WARNING: No output specified. Build result will only remain in the build cache.")
        return
    system, _, machine = values["--platform"].partition("/")
    layer = one_file("built", "\n".join([values["--platform"], *arguments]).encode())
    config = {
        "architecture": machine,
        "os": system,
        "config": {"Env": arguments},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }
    image = {"config": json.dumps(config), "layer": base64.b64encode(layer).decode()}
    kept(f"image-{values['--tag']}").write_text(json.dumps(image))
    print(f"Built {values['--tag']}")


def one_file(name: str, content: bytes) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()


def push(words: list[str]) -> None:
    name = words[-1]
    host, _, path = name.partition("/")
    repository, _, tag = path.partition(":")
    if not kept(f"image-{name}").exists():
        raise Failed(f"An image does not exist locally with the tag: {host}/{repository}")
    image = json.loads(kept(f"image-{name}").read_text())
    config = image["config"].encode()
    layer = gzip.compress(base64.b64decode(image["layer"]), mtime=0)
    print(f"The push refers to repository [{host}/{repository}]")
    for blob in layer, config:
        push_blob(host, repository, blob)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
            "layers": [{"mediaType": LAYER, "size": len(layer), "digest": digest(layer)}],
        }
    ).encode()
    where = f"/v2/{repository}/manifests/{tag}"
    answered(ask(host, "PUT", where, manifest, {"Content-Type": IMAGE}))
    print(f"{tag}: digest: {digest(manifest)} size: {len(manifest)}")


def push_blob(host: str, repository: str, blob: bytes) -> None:
    status, _, _ = ask(host, "HEAD", f"/v2/{repository}/blobs/{digest(blob)}")
    if status == 200:
        print(f"{digest(blob)[7:19]}: Layer already exists")
        return
    if status == 401:
        raise Failed("no basic auth credentials")
    if status != 404:  # docker gets no reason: the answer to a HEAD has no body
        raise Failed(f"error parsing HTTP {status} response body: unexpected end of JSON input")
    started = answered(ask(host, "POST", f"/v2/{repository}/blobs/uploads/"))
    where = started["location"]
    answered(ask(host, "PATCH", where, blob))
    answered(ask(host, "PUT", f"{where}?digest={digest(blob)}"))
    print(f"{digest(blob)[7:19]}: Pushed")


# --- requests to the registry ---

Answered = tuple[int, dict[str, str], bytes]


def ask(
    host: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answered:
    known = kept(f"auth-{host}")
    sent = {"Authorization": f"Basic {known.read_text()}"} if known.exists() else {}
    connection = http.client.HTTPConnection(os.environ["SIMULATED_REGISTRY"])
    try:
        connection.request(method, path, body, sent | (headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    except (OSError, http.client.HTTPException):
        raise Failed(f"error: {method} https://{host}{path}: EOF") from None
    finally:
        connection.close()


def answered(answer: Answered) -> dict[str, str]:
    """The headers. Raises Failed with the registry's error."""
    status, headers, body = answer
    if status < 400:
        return headers
    error = json.loads(body)["errors"][0]
    raise Failed(f"{error['code'].lower().replace('_', ' ')}: {error['message']}")


if __name__ == "__main__":
    sys.exit(main())
