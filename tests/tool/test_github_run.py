"""A re-run of a workflow: it deploys only the newest commit, and begins no rollback."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from infra.tool import github_run

from simulator.ecs.rollouts import Hangs
from tests.support.checkout import Checkout
from tests.workflows.runner import served


class GitHub:
    """GitHub's API, for a branch at a commit."""

    def __init__(self, url: str) -> None:
        self.asked: list[str] = []
        self.answer: object = None
        self.environment = {
            "GITHUB_API_URL": url,
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": "my-company/ai-assistant",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_TOKEN": "the-token",
        }

    def is_at(self, commit: str) -> None:
        self.answer = {"ref": "refs/heads/main", "object": {"type": "commit", "sha": commit}}


@contextmanager
def github() -> Iterator[GitHub]:
    def reply(path: str, headers: Mapping[str, str]) -> str | int | None:
        found.asked += [path, headers.get("Authorization", "")]
        if isinstance(found.answer, int | None):
            return found.answer
        return found.answer if isinstance(found.answer, str) else json.dumps(found.answer)

    with served(reply) as url:
        found = GitHub(url)
        yield found


OTHER = "f" * 40

# --- deploy ---


def test_a_re_run_deploys_the_newest_commit(deployed: Checkout) -> None:
    head = deployed.release()
    with github() as api:
        api.is_at(head)
        deployed.run("deploy", **api.environment).expect(0)
    assert api.asked == [
        "/repos/my-company/ai-assistant/git/ref/heads/main",
        "Bearer the-token",
    ]


def test_a_re_run_deploys_nothing_if_main_has_a_newer_commit(deployed: Checkout) -> None:
    deployed.release()
    with github() as api:
        api.is_at(OTHER)
        done = deployed.run("deploy", **api.environment).expect(2, "main-moved-on")
    assert done.operations == [], "it must end before it asks AWS for anything"
    assert OTHER in done.err


def test_a_first_attempt_deploys_without_asking_github(deployed: Checkout) -> None:
    """A newer run waits for it, by the concurrency group of the workflow."""
    deployed.release()
    with github() as api:
        api.is_at(OTHER)
        deployed.run("deploy", **api.environment | {"GITHUB_RUN_ATTEMPT": "1"}).expect(0)
    assert api.asked == []


def test_a_laptop_does_not_ask_github(deployed: Checkout) -> None:
    deployed.release()
    deployed.run("deploy").expect(0)


@pytest.mark.parametrize(
    "answer", [401, 404, 500, None, "<html>", [], {}, {"object": {}}, {"object": {"sha": None}}]
)
def test_a_re_run_deploys_nothing_if_github_does_not_answer(
    provisioned: Checkout, answer: object
) -> None:
    with github() as api:
        api.answer = answer
        done = provisioned.run("deploy", **api.environment).expect(2, "main-unknown")
    assert done.operations == []
    assert "the-token" not in done.text


@pytest.mark.parametrize("name", ["GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_REF"])
def test_a_re_run_without_the_address_of_the_api_deploys_nothing(
    provisioned: Checkout, name: str
) -> None:
    with github() as api:
        given = {key: value for key, value in api.environment.items() if key != name}
        provisioned.run("deploy", **given).expect(2, "main-unknown")
    assert api.asked == []


def test_a_token_does_not_follow_a_redirect() -> None:
    """urllib sends ordinary headers to every host that the first one redirects to."""
    seen: list[Mapping[str, str]] = []

    def reply(path: str, headers: Mapping[str, str]) -> str:
        seen.append(headers)
        return json.dumps(path)

    with served(reply) as there, served(lambda *_: f"{there}/there") as here:
        assert github_run.get_json(f"{here}/here", "the-token") == "/there"
    assert "Authorization" not in seen[0], "add the token as an unredirected header"


@pytest.mark.parametrize(
    ("attempt", "is_rerun"), [("", False), ("1", False), ("2", True), ("10", True), ("x", False)]
)
def test_the_attempt_of_a_run_decides_whether_it_is_a_re_run(attempt: str, is_rerun: bool) -> None:
    assert github_run.is_rerun({"GITHUB_RUN_ATTEMPT": attempt}) is is_rerun


# --- rollback ---


@pytest.mark.parametrize("named", [[], ["1"]])
def test_a_re_run_starts_no_rollback(deployed_twice: Checkout, named: list[str]) -> None:
    """The revision that was right at the first attempt may not be right any more."""
    before = deployed_twice.revision
    done = deployed_twice.run("rollback", *named, GITHUB_RUN_ATTEMPT="2")
    done.expect(2, "nothing-to-watch").expect_no_change()
    assert deployed_twice.revision == before


@pytest.mark.parametrize("named", [[], ["1"]])
def test_a_re_run_watches_the_rollback_that_is_in_progress(
    deployed_twice: Checkout, named: list[str]
) -> None:
    deployed_twice.set("deploy.timeout_seconds", 60)
    deployed_twice.aws.next_rollout(Hangs())
    deployed_twice.run("rollback", *named).expect(3, "deployment-timeout")
    done = deployed_twice.run("rollback", *named, GITHUB_RUN_ATTEMPT="2")
    done.expect(3, "deployment-timeout").expect_no_change()


def test_a_re_run_does_not_roll_back_the_deploy_that_is_in_progress(
    deployed_twice: Checkout,
) -> None:
    deployed_twice.set("deploy.timeout_seconds", 60)
    deployed_twice.release()
    deployed_twice.aws.next_rollout(Hangs())
    deployed_twice.run("deploy").expect(3, "deployment-timeout")
    done = deployed_twice.run("rollback", GITHUB_RUN_ATTEMPT="2")
    done.expect(2, "nothing-to-watch").expect_no_change()
