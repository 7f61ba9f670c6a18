"""The deploy role trusts one subject of GitHub's tokens, which is never guessed."""

import json
import os
from pathlib import Path

import pytest
from infra.tool.health import Response
from infra.tool.provision.subject import ask, repository_of, subject

from tests.support.checkout import SUBJECT, Checkout
from tests.support.targets import bench, settings

PREFIX = "repo:my-company@11/ai-assistant@22"
STANDARD = {"use_default": True, "sub_claim_prefix": PREFIX}
PATH = "repos/my-company/ai-assistant/actions/oidc/customization/sub"


def text(answer: object) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


# --- GitHub's answer ---


@pytest.mark.parametrize(
    "answer",
    [
        STANDARD,
        {"sub_claim_prefix": PREFIX},
        STANDARD | {"use_default": False},
        STANDARD | {"use_default": False, "include_claim_keys": ["repo", "context"]},
    ],
)
def test_a_standard_subject_is_that_of_main(answer: object) -> None:
    assert subject(text(answer), settings().github) == f"{PREFIX}:ref:refs/heads/main"


@pytest.mark.parametrize(
    ("name", "ending"), [("production", "production"), ("eu: live, 1", "eu%3A live, 1")]
)
def test_the_subject_ends_in_the_github_environment(name: str, ending: str) -> None:
    github = settings(github={"environment": name}).github
    assert subject(text(STANDARD), github) == f"{PREFIX}:environment:{ending}"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no JSON",
        "[]",
        {"message": "Not Found"},
        {"use_default": True},
        {"use_default": False, "include_claim_keys": ["repository_id"], "sub_claim_prefix": PREFIX},
        {"sub_claim_prefix": 7},
        {"sub_claim_prefix": "repo:*/*"},
        {"sub_claim_prefix": "repo:a/b\nsubject c"},
    ],
)
def test_nothing_is_guessed_from_any_other_answer(answer: object) -> None:
    assert subject(text(answer), settings().github) == ""


# --- the repository ---


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/some-one/a.service.git",
        "https://github.com/some-one/a.service/",
        "https://github.com/some-one/a.service",
        "git@github.com:some-one/a.service.git",
        "git@github.com:some-one/a.service",
    ],
)
def test_the_repository_is_read_from_both_forms_of_a_remote(url: str) -> None:
    assert repository_of(url) == "some-one/a.service"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/a/b.git",
        "https://github.com.example.com/a/b.git",
        "git@gitlab.com:a/b.git",
        "https://github.com/a/b/c",
        "https://github.com/a/..",
        "https://github.com/a/b?c=*",
    ],
)
def test_other_remotes_are_not_accepted_as_github(url: str) -> None:
    assert repository_of(url) == ""


# --- the command ---


def gh_answers(checkout: Checkout, answer: object, code: int = 0) -> None:
    """Put a `gh` on the PATH that records its arguments and prints this answer."""
    folder = checkout.folder.parent / f"{checkout.folder.name}-bin"
    folder.mkdir()
    (folder / "gh").write_text(
        f"#!/bin/sh\necho \"$GH_PROMPT_DISABLED $*\" >>'{folder}/asked'\n"
        f"cat '{folder}/answer'\nexit {code}\n",
        encoding="utf-8",
    )
    (folder / "gh").chmod(0o755)
    (folder / "answer").write_text(text(answer), encoding="utf-8")
    checkout.environment["PATH"] = f"{folder}{os.pathsep}{checkout.environment['PATH']}"


def asked_of_gh(checkout: Checkout) -> list[str]:
    asked = Path(checkout.environment["PATH"].partition(os.pathsep)[0]) / "asked"
    return asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []


def trusted(checkout: Checkout) -> str:
    """The subject that the deploy role trusts."""
    found = checkout.aws.client("iam").get_role(RoleName=checkout.settings.names.deploy_role)
    [statement] = found["Role"]["AssumeRolePolicyDocument"]["Statement"]
    subject: str = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    return subject


def test_gh_is_asked_without_a_prompt_and_its_answer_is_trusted(rendered: Checkout) -> None:
    gh_answers(rendered, STANDARD)
    rendered.administer("provision").expect(0)
    assert asked_of_gh(rendered) == [f"1 api --hostname github.com {PATH}"]
    assert trusted(rendered) == f"{PREFIX}:ref:refs/heads/main"


def test_the_subject_of_the_settings_wins_and_github_is_not_asked(rendered: Checkout) -> None:
    gh_answers(rendered, STANDARD)
    rendered.set("github.subject", "repo:a/b:ref:refs/heads/x")
    rendered.administer("provision").expect(0)
    assert asked_of_gh(rendered) == []
    assert trusted(rendered) == "repo:a/b:ref:refs/heads/x"


def test_without_an_answer_of_gh_github_is_asked_anonymously(rendered: Checkout) -> None:
    gh_answers(rendered, "gh: not signed in", code=4)
    rendered.answer = Response(200, json.dumps(STANDARD).encode())
    rendered.administer("provision").expect(0)
    assert trusted(rendered) == f"{PREFIX}:ref:refs/heads/main"


def test_a_gh_that_hangs_is_not_waited_for(
    rendered: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.tool.provision.subject.SECONDS", 0.2)
    gh_answers(rendered, STANDARD)
    program = Path(rendered.environment["PATH"].partition(os.pathsep)[0]) / "gh"
    program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    rendered.answer = Response(200, json.dumps(STANDARD).encode())
    rendered.administer("provision", "--plan").expect(0)


def test_github_is_asked_for_ten_seconds_at_most() -> None:
    asked: list[tuple[str, float]] = []

    def fetch(url: str, *, timeout: float, via: str = "") -> Response:
        asked.append((url, timeout))
        assert via == ""
        return Response(200, b"the answer")

    assert ask(bench(fetch=fetch).target.runtime, PATH) == "the answer"
    assert asked == [(f"https://api.github.com/{PATH}", 10.0)]


@pytest.mark.parametrize("answer", [Response(404, b'{"message": "no"}'), OSError("no route")])
def test_an_unknown_subject_is_refused_with_both_forms(
    rendered: Checkout, answer: Response | OSError
) -> None:
    gh_answers(rendered, "", code=1)
    rendered.answer = answer
    run = rendered.administer("provision").expect(2, "subject-unknown").expect_no_change()
    assert "OIDC settings of my-company/ai-assistant" in run.err
    assert '[github] subject = "repo:OWNER@OWNER_ID/NAME@NAME_ID:ref:refs/heads/main"' in run.err
    assert '"repo:OWNER/NAME:ref:refs/heads/main"' in run.err


def test_a_stack_keeps_its_subject_if_github_does_not_answer(provisioned: Checkout) -> None:
    gh_answers(provisioned, "", code=1)
    run = provisioned.administer("provision").expect(0)
    assert f"{SUBJECT} (as it is: " in run.out
    assert trusted(provisioned) == SUBJECT


def test_without_a_repository_the_setting_is_named(rendered: Checkout) -> None:
    rendered.set("github.repository", "")
    run = rendered.administer("provision").expect(2, "subject-unknown").expect_no_change()
    assert 'no remote "origin" on github.com' in run.err


def test_the_remote_names_the_repository_of_a_new_service(rendered: Checkout) -> None:
    rendered.set("github.repository", "")
    rendered.git("remote", "add", "origin", "git@github.com:my-company/ai-assistant.git")
    gh_answers(rendered, STANDARD)
    rendered.administer("provision").expect(0)
    assert trusted(rendered) == f"{PREFIX}:ref:refs/heads/main"


def test_a_clone_of_a_fork_does_not_move_the_trust_to_the_fork(provisioned: Checkout) -> None:
    provisioned.set("github.repository", "")
    provisioned.git("remote", "add", "origin", "https://github.com/stranger/ai-assistant.git")
    gh_answers(provisioned, {"sub_claim_prefix": "repo:stranger/ai-assistant"})
    run = provisioned.administer("provision").expect(2, "subject-of-clone").expect_no_change()
    assert SUBJECT in run.err
    assert "repo:stranger/ai-assistant:ref:refs/heads/main" in run.err
    assert trusted(provisioned) == SUBJECT


def test_a_setting_moves_the_trust_and_the_plan_shows_it(provisioned: Checkout) -> None:
    gh_answers(provisioned, STANDARD)
    after = f"{PREFIX}:ref:refs/heads/main"
    run = provisioned.administer("provision", "--plan").expect(0)
    assert f"trust       {SUBJECT} -> {after}" in run.out
    assert trusted(provisioned) == SUBJECT
    provisioned.administer("provision").expect(0)
    assert trusted(provisioned) == after
