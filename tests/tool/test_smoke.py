"""The URL after a deployment: this commit, another commit, or no answer."""

import socket
from pathlib import Path

import pytest
from infra.tool import health, smoke
from infra.tool.errors import ExitCode, ToolError
from infra.tool.health import Health, Response
from infra.tool.stack import Stack

from tests.support.checkout import Checkout
from tests.support.targets import Bench, bench, settings
from tests.support.web import AUTHORITY, Web, healthy, serving

COMMIT, OTHER = "a" * 40, "b" * 40
DOMAIN, BALANCER = "api.example.com", "ai-assistant-alb-1.us-east-1.elb.amazonaws.com"
PLACES = {DOMAIN: ["192.0.2.1"], BALANCER: ["192.0.2.2"]}


def stack(url: str = f"https://{DOMAIN}") -> Stack:
    return Stack("ai-assistant", "CREATE_COMPLETE", {"Url": url, "LoadBalancerDomain": BALANCER})


class Fetch:
    """Answers by the host that is connected to, and repeats the last answer. None: no answer."""

    def __init__(self, **answers: list[str | int | None]) -> None:
        self.answers = {name: list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, url: str, *, timeout: float, via: str = "") -> Response:
        assert (url, timeout) == (f"https://{DOMAIN}/health", 5)
        name = "balancer" if via == BALANCER else "domain"
        self.asked.append(name)
        given = self.answers[name]
        answer = given.pop(0) if len(given) > 1 else given[0]
        if answer is None:
            raise ConnectionRefusedError("connection refused")
        if isinstance(answer, int):
            return Response(answer, b"")
        return Response(200, f'{{"commit": "{answer}"}}'.encode())


def required(
    fetch: Fetch, *, commit: str = COMMIT, reachable: bool = True, hosts: object = None
) -> tuple[Bench, str]:
    """The line about the URL. By default, its name points to the load balancer.

    Raises ToolError."""
    there = hosts if isinstance(hosts, dict) else {DOMAIN: ["192.0.2.2"], BALANCER: ["192.0.2.2"]}
    tried = bench(fetch=fetch, hosts=there, deploy={"reachable": reachable})
    return tried, smoke.require(tried.target, stack(), commit)


# --- the outcomes ---


@pytest.mark.parametrize(
    ("answer", "commit", "result"),
    [
        (Health(200, 1, COMMIT), COMMIT, "this commit"),
        (Health(200, 1, OTHER), COMMIT, "another commit"),
        (Health(200, 1, ""), COMMIT, "another commit"),
        (Health(503, 1, COMMIT), COMMIT, "another commit"),
        (Health(302, 1, ""), COMMIT, "another commit"),
        (Health(200, 1, OTHER), "", "this commit"),
        (Health(503, 1, OTHER), "", "another commit"),
        (Health(error="refused"), COMMIT, "cannot be reached"),
        (Health(error="refused"), "", "cannot be reached"),
    ],
)
def test_an_answer_is_judged_by_its_status_and_commit(
    answer: Health, commit: str, result: str
) -> None:
    assert smoke.judge(answer, commit).value == result


def test_an_answer_with_this_commit_is_printed_with_its_time() -> None:
    _, told = required(Fetch(domain=[COMMIT]))
    assert told.startswith(f"https://{DOMAIN} answers with commit {COMMIT[:7]} in ")


def test_earlier_tasks_may_answer_for_a_while() -> None:
    fetch = Fetch(domain=[OTHER, 503, None, COMMIT])
    tried, told = required(fetch)
    assert "answers with commit" in told
    assert tried.out.splitlines() == [
        f"  0 s: https://{DOMAIN}: it answered with commit {OTHER}, asking again"
    ]


def test_another_commit_is_an_error_after_a_minute() -> None:
    fetch = Fetch(domain=[OTHER])
    with pytest.raises(ToolError, match=f"it answered with commit {OTHER}") as error:
        required(fetch)
    assert (error.value.code, error.value.exit) == ("url-other-commit", ExitCode.FAILED)
    assert len(fetch.asked) == 60 / 2 + 1


def test_while_it_asks_a_line_is_printed_every_30_seconds() -> None:
    tried = bench(fetch=Fetch(domain=[503]), hosts={DOMAIN: ["192.0.2.2"], BALANCER: ["192.0.2.2"]})
    smoke.ask_until(tried.target.runtime, stack(), COMMIT)
    assert [line.partition(":")[0] for line in tried.out.splitlines()] == ["  0 s", "  30 s"]


def test_without_an_answer_the_outcome_is_unknown() -> None:
    with pytest.raises(ToolError, match="connection refused") as error:
        required(Fetch(domain=[None]))
    assert (error.value.code, error.value.exit) == ("url-unreachable", ExitCode.UNKNOWN)
    assert "run this again: uv run --frozen -m infra deploy" in error.value.remedy


def test_no_answer_is_a_note_if_none_is_expected_from_here() -> None:
    _, told = required(Fetch(domain=[None]), reachable=False)
    assert "cannot be reached from here" in told


def test_earlier_tasks_may_answer_for_a_while_also_if_no_answer_is_expected() -> None:
    _, told = required(Fetch(domain=[*[OTHER] * 20, COMMIT]), reachable=False)
    assert "answers with commit" in told


def test_another_commit_is_an_error_even_if_no_answer_is_expected() -> None:
    with pytest.raises(ToolError, match="does not answer with commit"):
        required(Fetch(domain=[OTHER]), reachable=False)


@pytest.mark.parametrize(
    ("section", "values"),
    [("network", {"internal": True}), ("network", {"allowed_cidrs": ["192.0.2.0/24"]})],
)
def test_an_internal_or_limited_service_is_not_expected_to_answer(
    section: str, values: dict[str, object]
) -> None:
    assert not settings(**{section: values}).is_reachable


# --- a domain name that does not point to the load balancer ---


def test_the_load_balancer_is_asked_by_its_own_name_and_the_missing_record_is_named() -> None:
    fetch = Fetch(domain=[None], balancer=[COMMIT])
    _, told = required(fetch, hosts=PLACES)
    assert fetch.asked == ["domain", "balancer"]
    assert f"add a DNS record (CNAME or alias) for {BALANCER}" in told


def test_a_domain_name_without_a_record_is_reported_too() -> None:
    _, told = required(Fetch(domain=[None], balancer=[COMMIT]), hosts=PLACES | {DOMAIN: []})
    assert "does not point to the load balancer" in told


def test_a_domain_name_that_reaches_the_commit_through_a_cdn_is_accepted() -> None:
    """For example through a CDN."""
    fetch = Fetch(domain=[COMMIT], balancer=[None])
    _, told = required(fetch, hosts=PLACES)
    assert fetch.asked == ["domain"]
    assert "answers with commit" in told


def test_another_commit_behind_the_load_balancer_is_an_error() -> None:
    with pytest.raises(ToolError, match="does not answer with commit"):
        required(Fetch(domain=[None], balancer=[OTHER]), hosts=PLACES)


def test_a_domain_name_that_points_to_the_load_balancer_is_used() -> None:
    fetch = Fetch(domain=[OTHER], balancer=[COMMIT])
    with pytest.raises(ToolError):
        required(fetch)
    assert set(fetch.asked) == {"domain"}


# --- at the end of a deploy or a rollback ---


def test_a_deploy_fails_if_the_url_answers_with_another_commit(deployed: Checkout) -> None:
    deployed.release()
    deployed.answer = Response(200, f'{{"commit": "{OTHER}"}}'.encode())
    run = deployed.run("deploy")
    run.expect(1, "url-other-commit")
    assert deployed.revision == "ai-assistant-task:2"


def test_a_deploy_with_an_unreachable_url_is_unknown_until_the_url_answers(
    deployed: Checkout,
) -> None:
    commit = deployed.release()
    deployed.answer = OSError("no route to host")
    run = deployed.run("deploy").expect(3, "url-unreachable")
    assert "continues" not in run.err, "the deployment itself is complete"
    assert [name for name in run.changes if name.startswith("application-autoscaling:")]
    deployed.answer = None
    run = deployed.run("deploy").expect(0)
    assert f"answers with commit {commit[:7]}" in run.out


def test_a_rollback_asks_for_the_commit_of_its_revision(deployed_twice: Checkout) -> None:
    answer = Response(200, f'{{"commit": "{deployed_twice.head}"}}'.encode())
    deployed_twice.answer = answer
    deployed_twice.run("rollback").expect(1, "url-other-commit")


def test_a_rollback_whose_url_cannot_be_reached_can_be_run_again(deployed_twice: Checkout) -> None:
    deployed_twice.answer = OSError("no")
    run = deployed_twice.run("rollback").expect(3, "url-unreachable")
    assert "infra rollback 1" in run.err
    deployed_twice.answer = None
    deployed_twice.run("rollback", "1").expect(0).expect_no_change()


# --- over real connections ---


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make OpenSSL trust the authority of the tests' certificates."""
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def test_an_answer_comes_with_its_status_and_body() -> None:
    with serving(healthy(COMMIT)) as web:
        answer = health.fetch(f"http://127.0.0.1:{web.port}/health", timeout=5)
    assert (answer.status, health.commit_in(answer.body)) == (200, COMMIT)
    assert web.asked == [(f"127.0.0.1:{web.port}", "/health")]


@pytest.mark.parametrize("via", ["", "127.0.0.1"])
@pytest.mark.parametrize("status", [301, 302, 307, 404, 500, 503])
def test_any_status_is_an_answer_and_redirects_are_not_followed(status: int, via: str) -> None:
    with serving(healthy(OTHER)) as elsewhere:
        location = {"Location": f"http://127.0.0.1:{elsewhere.port}/health"}
        with serving(Web(status, b"body", location)) as web:
            answer = health.fetch(f"http://127.0.0.1:{web.port}/health", timeout=5, via=via)
    assert (answer.status, answer.body) == (status, b"body")
    assert elsewhere.asked == []


@pytest.mark.parametrize("via", ["", "127.0.0.1"])
@pytest.mark.parametrize(
    "raw",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_response_that_is_not_http_counts_as_no_answer(raw: bytes, via: str) -> None:
    with serving(Web(raw=raw)) as web, pytest.raises(OSError, match="no HTTP response"):
        health.fetch(f"http://127.0.0.1:{web.port}/health", timeout=5, via=via)


def test_a_long_body_is_read_in_part() -> None:
    with serving(Web(body=b"x" * 100_000)) as web:
        answer = health.fetch(f"http://127.0.0.1:{web.port}/health", timeout=5)
    assert len(answer.body) == 65_536


@pytest.mark.parametrize("via", ["", "127.0.0.1"])
def test_a_closed_port_counts_as_no_answer(via: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = health.ask(health.fetch, f"http://127.0.0.1:{port}", via=via)
    assert answer.status is None
    assert "refused" in answer.error


def test_a_silent_server_counts_as_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/health"
        with pytest.raises(OSError, match="timed out"):
            health.fetch(url, timeout=0.2)


def test_via_asks_another_host_for_the_name_of_the_url() -> None:
    with serving(healthy(COMMIT)) as web:
        answer = health.fetch(f"http://{DOMAIN}:{web.port}/health", timeout=5, via="127.0.0.1")
    assert health.commit_in(answer.body) == COMMIT
    assert web.asked == [(f"{DOMAIN}:{web.port}", "/health")]


@pytest.mark.usefixtures("trusted")
def test_via_checks_the_certificate_of_the_name_of_the_url() -> None:
    with serving(healthy(COMMIT), certificate_for=DOMAIN) as web:
        answer = health.fetch(f"https://{DOMAIN}:{web.port}/health", timeout=5, via="127.0.0.1")
        assert health.commit_in(answer.body) == COMMIT
        with pytest.raises(OSError, match="certificate verify failed"):
            health.fetch(f"https://other.example.com:{web.port}/", timeout=5, via="127.0.0.1")


def test_via_refuses_a_certificate_of_an_unknown_authority() -> None:
    with (
        serving(healthy(COMMIT), certificate_for=DOMAIN) as web,
        pytest.raises(OSError, match="certificate verify failed"),
    ):
        health.fetch(f"https://{DOMAIN}:{web.port}/health", timeout=5, via="127.0.0.1")


@pytest.mark.usefixtures("trusted")
def test_https_without_via_checks_the_certificate_too() -> None:
    with serving(healthy(COMMIT), certificate_for="127.0.0.1") as web:
        answer = health.fetch(f"https://127.0.0.1:{web.port}/health", timeout=5)
    assert health.commit_in(answer.body) == COMMIT


@pytest.mark.parametrize(
    ("body", "commit"),
    [
        (b'{"commit": "abc"}', "abc"),
        (b'{"commit": "a\\u0000b\\ud800\\u202e::c"}', "a b ::c"),
        (b'{"commit": 7}', ""),
        (b'["abc"]', ""),
        (b"<html>", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_a_commit_is_read_from_any_body(body: bytes, commit: str) -> None:
    assert health.commit_in(body) == commit


def test_a_name_has_the_addresses_that_it_resolves_to() -> None:
    assert "127.0.0.1" in health.addresses("localhost")
    assert health.addresses("no-such-host.invalid") == frozenset()
