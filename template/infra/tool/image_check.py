"""Whether an image is right: it becomes healthy as its task definition says, and is of a commit."""

from collections.abc import Callable, Sequence

from infra.tool import health
from infra.tool.api_model import Json
from infra.tool.clock import Clock
from infra.tool.console import Console
from infra.tool.container import Container, State, cpus_of, running, shell_of
from infra.tool.container_options import options, port_of
from infra.tool.documents import Documents
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.health import Health
from infra.tool.health_check import health_command, patience, probe_timeout
from infra.tool.image import docker_of
from infra.tool.target import Target
from infra.tool.text import one_line

EXITED = Problem(
    "container-exited",
    "the container exited after {seconds} s with {cause}{last}",
    "correct the app; if it needs a secret in a certain format, set a test value in "
    "[deploy.test_secrets] of infra/settings.toml",
    ExitCode.FAILED,
)
UNHEALTHY = Problem(
    "container-unhealthy",
    "the container did not pass its health check within {seconds} s: {last}",
    "correct the app, or healthCheck in infra/task-definition.json; its log is above",
    ExitCode.FAILED,
)
NO_ANSWER = Problem(
    "health-no-answer",
    "/health on the container's port {port} does not answer with 200: {why}",
    "make the app listen on 0.0.0.0 and answer /health; its log is above",
    ExitCode.FAILED,
)
WRONG_COMMIT = Problem(
    "commit-differs",
    "/health returns commit {found}, but the image is of commit {wanted}",
    "keep COMMIT in the Dockerfile, and return it from /health",
    ExitCode.FAILED,
)

POLL = 1.0  # seconds between two looks at the container


def check_image(target: Target, documents: Documents, image: str, commit: str) -> None:
    """Run an image as the task definition says. Raises ToolError unless it becomes healthy and
    /health answers with the commit. The container is removed, whatever happens."""
    runtime, docker = target.runtime, docker_of(target)
    task = documents.task_definition
    [definition] = [
        each
        for each in task["containerDefinitions"]
        if each["name"] == target.settings.names.container
    ]
    command = health_command(definition, shell_of(docker, image))
    stand_ins = target.settings.deploy.test_secrets
    chosen = options(task, definition, stand_ins, documents.platform, cpus_of(docker))
    if chosen.left_out:
        runtime.console.fact("left out", ", ".join(one_line(name) for name in chosen.left_out))
    with running(docker, image, chosen) as container:
        try:
            watch(target, container, definition, command, commit)
        except ToolError:
            show_log(runtime.console, container)
            raise


def watch(
    target: Target,
    container: Container,
    definition: Json,
    command: Sequence[str] | None,
    commit: str,
) -> None:
    """Wait until a container is healthy, then ask for its commit. Raises ToolError."""
    runtime, port, limit = target.runtime, port_of(definition), patience(definition)

    def probe() -> tuple[bool, str]:
        if command is not None:
            return container.execute(command, probe_timeout(definition))
        try:
            url = container.url(port)
        except ToolError as error:  # the port of a container that exited is not published
            return False, error.message
        answer = health.ask(runtime.fetch, url)
        return answer.status == 200, words_of(answer)

    asked = "health check" if command is not None else "/health: no health check is defined"
    runtime.console.say(f"waiting at most {limit:g} s for {asked}")
    seconds = wait(container, probe, runtime.clock, limit)
    runtime.console.fact("healthy", f"after {seconds:.0f} s")
    answer = health.ask(runtime.fetch, container.url(port))
    if answer.status != 200:
        raise NO_ANSWER(port=port, why=words_of(answer))
    if answer.commit != commit:
        raise WRONG_COMMIT(found=answer.commit or "none", wanted=commit)
    runtime.console.fact("commit", commit)


def wait(
    container: Container, probe: Callable[[], tuple[bool, str]], clock: Clock, limit: float
) -> float:
    """How many seconds a container took to become healthy. Raises ToolError as soon as it exits,
    or if the probe still fails after so many seconds."""
    started = clock.now()
    while True:
        passed, last = probe()
        state, seconds = container.state(), (clock.now() - started).total_seconds()
        if not state.running:
            last = "".join(f": {line}" for line in container.log()[-1:])
            raise EXITED(seconds=round(seconds), cause=cause_of(state), last=last)
        if passed:
            return seconds
        if seconds >= limit:
            memory = "it ran out of memory; " if state.out_of_memory else ""
            raise UNHEALTHY(seconds=round(seconds), last=memory + last)
        clock.sleep(POLL)


def cause_of(state: State) -> str:
    memory = " (it ran out of memory)" if state.out_of_memory else ""
    return f"exit code {state.exit_code}{memory}"


def words_of(answer: Health) -> str:
    return answer.error or f"status {answer.status}"


def show_log(console: Console, container: Container) -> None:
    lines = container.log()
    console.say("the end of its log" if lines else "it logged nothing")
    with console.quoted():
        for line in lines:
            console.say(f"  {line}")
