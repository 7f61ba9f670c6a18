"""Does the URL answer with the commit that was deployed?"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from infra.tool import health
from infra.tool.errors import ExitCode, Problem
from infra.tool.health import Health
from infra.tool.progress import HEARTBEAT
from infra.tool.runtime import Runtime
from infra.tool.stack import Stack
from infra.tool.target import Target

OTHER_COMMIT = Problem(
    "url-other-commit",
    "{url}/health does not answer with commit {commit} after {seconds} s: {answer}",
    "check which load balancer the URL points to: uv run --frozen -m infra status",
    ExitCode.FAILED,
)
UNREACHABLE = Problem(
    "url-unreachable",
    "the deployment is complete, but {url} cannot be reached from here: {why}",
    "check the URL from a network that reaches it, then {again}",
    ExitCode.UNKNOWN,
)

PATIENCE = 60  # seconds; earlier tasks may answer until their target group has drained them
SHORT = 10  # seconds, for a URL that is not expected to answer from here
PAUSE = 2  # seconds between two requests


class Result(Enum):
    THIS_COMMIT = "this commit"
    OTHER_COMMIT = "another commit"
    UNREACHABLE = "cannot be reached"


@dataclass(frozen=True)
class Smoke:
    result: Result
    answer: Health  # the last one
    seconds: int
    via: str  # the load balancer that answered for the domain name; else empty


def judge(answer: Health, commit: str) -> Result:
    """`commit` may be empty if the revision does not say it: then any healthy answer will do."""
    if answer.error:
        return Result.UNREACHABLE
    if answer.status == 200 and commit in ("", answer.commit):
        return Result.THIS_COMMIT
    return Result.OTHER_COMMIT


def ask_until(runtime: Runtime, stack: Stack, commit: str, *, is_reachable: bool = True) -> Smoke:
    """Ask until the commit answers, for a minute at most; without an answer, for as long only if
    one is expected.

    If the domain name points elsewhere, or nowhere yet, the load balancer is asked by its own name.
    """
    clock, balancer = runtime.clock, stack.load_balancer_domain
    domain = urlsplit(stack.url).hostname or ""
    is_elsewhere = (
        bool(balancer)
        and domain != balancer.lower()
        and not (runtime.resolve(domain) & runtime.resolve(balancer))
    )
    began, said = clock.now(), -HEARTBEAT
    while True:
        answer, via = health.ask(runtime.fetch, stack.url), ""
        if is_elsewhere and judge(answer, commit) is not Result.THIS_COMMIT:
            answer, via = health.ask(runtime.fetch, stack.url, via=balancer), balancer
        seconds = round((clock.now() - began).total_seconds())
        result = judge(answer, commit)
        is_expected = is_reachable or result is not Result.UNREACHABLE
        if result is Result.THIS_COMMIT or seconds >= (PATIENCE if is_expected else SHORT):
            return Smoke(result, answer, seconds, via)
        if seconds - said >= HEARTBEAT:
            said = seconds
            runtime.console.say(f"  {seconds} s: {stack.url}: {in_words(answer)}, asking again")
        clock.sleep(PAUSE)


def in_words(answer: Health) -> str:
    """An answer that was not the right one."""
    if answer.error:
        return f"no answer ({answer.error})"
    if answer.status == 200 and answer.commit:
        return f"it answered with commit {answer.commit}"
    return f"it answered with status {answer.status}"


def require(target: Target, stack: Stack, commit: str) -> str:
    """The line to print about the URL, once it answers with the commit.

    Raises ToolError if another commit answers, or if nothing answers. If the URL is not expected to
    be reachable from here, no answer is a line to print and no error.
    """
    is_reachable = target.settings.is_reachable
    smoke = ask_until(target.runtime, stack, commit, is_reachable=is_reachable)
    answer = smoke.answer
    if smoke.result is Result.OTHER_COMMIT:
        raise OTHER_COMMIT(
            url=stack.url, commit=commit, seconds=smoke.seconds, answer=in_words(answer)
        )
    if smoke.result is Result.UNREACHABLE:
        if is_reachable:
            raise UNREACHABLE(url=stack.url, why=answer.error, again=target.again)
        return f"{stack.url} cannot be reached from here: not asked for the commit"
    if smoke.via:
        return (
            f"{stack.url} does not point to the load balancer, which answers with the commit: "
            f"add a DNS record (CNAME or alias) for {smoke.via}"
        )
    return f"{stack.url} answers with commit {answer.commit[:7]} in {answer.milliseconds} ms"
