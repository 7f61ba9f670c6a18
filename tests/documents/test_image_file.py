"""The instructions of Dockerfile and .dockerignore. tests/container builds and runs the image."""

import re

import pytest

from tests.support.build_context import CONTEXT, EDIT
from tests.support.rendering import Render

Instruction = tuple[str, str]  # such as ("USER", "10001:10001")


@pytest.fixture(scope="module")
def instructions(example: Render) -> list[Instruction]:
    text = re.sub(r"^#.*\n", "", example.text("Dockerfile"), flags=re.MULTILINE)
    found = re.findall(r"^([A-Z]+) (.+)$", text.replace("\\\n", " "), re.MULTILINE)
    return [(name, " ".join(rest.split())) for name, rest in found]


def of(instructions: list[Instruction], name: str) -> list[str]:
    return [rest for each, rest in instructions if each == name]


BASES = [
    (r"ghcr\.io/astral-sh/uv:\d+\.\d+\.\d+ AS uv", "a full version of uv: CI runs the same"),
    (r"python:3\.\d+-slim-[a-z]+ AS base", "a slim Python on a named Debian: the full one is 1 GB"),
    (r"base AS build", "what is built has the Python that runs"),
    (r"base", "the image is made of the base, so that no build tool is in it"),
]


def test_base_images_are_small_and_have_a_named_version(instructions: list[Instruction]) -> None:
    found = of(instructions, "FROM")
    assert len(found) == len(BASES), f"Dockerfile: FROM {found}: write a base into BASES as well"
    for line, (pattern, reason) in zip(found, BASES, strict=True):
        assert re.fullmatch(pattern, line), f"Dockerfile: FROM {line}: {reason}"


def test_only_locked_packages_of_the_app_are_installed(
    instructions: list[Instruction],
) -> None:
    [command] = re.findall(r"uv sync [^&]*", " ".join(of(instructions, "RUN")))
    assert command.split() == ["uv", "sync", "--locked", "--no-default-groups"], (
        f"Dockerfile: `{command}`: --locked refuses a stale uv.lock, --no-default-groups keeps "
        "boto3 and the linters out"
    )


ENVIRONMENT = {
    "COMMIT": ("$COMMIT", "/health answers it, and a deploy waits for it"),
    "PATH": ("/srv/.venv/bin:$PATH", "the packages are there"),
    "PYC_INVALIDATION_MODE": ("UNCHECKED_HASH", "files have no time of their own"),
    "PYTHONUNBUFFERED": ("1", "or the last lines of a crash are lost"),
    "TMPDIR": ("/dev/shm", "the root file system is read-only"),
    "UV_COMPILE_BYTECODE": ("1", "or each start compiles all packages"),
    "UV_LINK_MODE": ("copy", "the cache is another file system"),
    "UV_PYTHON_DOWNLOADS": ("never", "the Python of the image is the one that CI tests"),
}


def test_environment_variables_have_the_chosen_values(instructions: list[Instruction]) -> None:
    words = [word.split("=", 1) for rest in of(instructions, "ENV") for word in rest.split()]
    found = dict(words)
    for name, (value, reason) in ENVIRONMENT.items():
        assert found.pop(name, None) == value, f"Dockerfile: ENV {name}={value}: {reason}"
    assert not found, f"Dockerfile: {sorted(found)} are for all to read: add them to ENVIRONMENT"


def test_only_the_app_is_copied(instructions: list[Instruction]) -> None:
    copied = [rest for rest in of(instructions, "COPY") if not rest.startswith("--from=")]
    assert copied == [
        "pyproject.toml uv.lock* ./",
        "app /code/srv/app",
        "gunicorn.conf.py /code/srv/",
    ], "Dockerfile: name what is copied, so that no secret and no test gets into an image"
    assert not of(instructions, "ADD"), "Dockerfile: ADD fetches and unpacks: use COPY"


def test_the_build_uses_no_secret(instructions: list[Instruction]) -> None:
    mounts = re.findall(r"--mount=(\S+)", " ".join(of(instructions, "RUN")))
    assert mounts == ["type=cache,target=/root/.cache/uv"], (
        f"Dockerfile: {mounts}: only the cache of uv is mounted"
    )
    assert of(instructions, "ARG") == ["COMMIT=unknown"], "Dockerfile: anyone can read an ARG"


def test_the_commit_is_set_last(instructions: list[Instruction]) -> None:
    """Two commits of the same code then have the same layers."""
    assert instructions[-2:] == [("ARG", "COMMIT=unknown"), ("ENV", "COMMIT=$COMMIT")], (
        "Dockerfile: end with ARG COMMIT and ENV COMMIT, or each commit pushes the layers after it"
    )


def test_every_user_can_read_the_code_and_none_can_write_it(
    instructions: list[Instruction],
) -> None:
    rights = re.findall(r"chmod [^&]*", " ".join(of(instructions, "RUN")))
    assert [command.strip() for command in rights] == ["chmod -R u=rwX,go=rX /code"], (
        "Dockerfile: the user of the image reads the code, whatever the umask of the checkout"
    )


def test_gunicorn_gets_sigterm(instructions: list[Instruction]) -> None:
    assert of(instructions, "CMD") == ['["gunicorn"]'], (
        "Dockerfile: a list, or a shell gets SIGTERM and every stop cuts off requests"
    )
    assert not of(instructions, "ENTRYPOINT")


def test_the_build_gets_the_code_and_no_secret(example: Render) -> None:
    lines = example.text(".dockerignore").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    let_in = {name: not is_ignored(name, patterns) for name in CONTEXT}
    wrong = [name for name in CONTEXT if let_in[name] != CONTEXT[name]]
    assert not wrong, f"{EDIT}: {wrong}"


def is_ignored(name: str, patterns: list[str]) -> bool:
    """The last pattern that matches a file or a folder above it decides: Docker's documentation,
    "Build context", ".dockerignore files"."""
    ignored = False
    for pattern in patterns:
        if re.fullmatch(f"{as_regex(pattern.removeprefix('!'))}(/.*)?", name):
            ignored = not pattern.startswith("!")
    return ignored


def as_regex(pattern: str) -> str:
    parts = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*/|\*\*|\*)", pattern)
    return "".join(parts.get(piece, re.escape(piece)) for piece in pieces)
