"""Why AWS refused the credentials of a workflow's run, by the token that GitHub gives to it."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import Checkout, Run
from tests.workflows.runner import served

ISSUER = "token.actions.githubusercontent.com"
CLASSIC = "repo:my-company/ai-assistant:ref:refs/heads/main"
IMMUTABLE = "repo:my-company@1234/ai-assistant@56789:ref:refs/heads/main"
PATH = "/token?api-version=2.0"


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def token(**claims: object) -> str:
    """A token whose padding and alphabet differ from ordinary base64."""
    payload = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": IMMUTABLE}
    return f"{part({'alg': 'RS256'})}.{part(payload | claims | {'x': '>>>???'})}.c2lnbmF0dXJl"


def explain(checkout: Checkout, answer: object = "", **environment: str) -> Run:
    """Run the command in a job to which GitHub gives this answer, or this token."""
    asked: list[str] = []

    def reply(path: str, headers: Mapping[str, str]) -> str | int | None:
        asked.extend([path, headers.get("Authorization", "")])
        if isinstance(answer, str):
            return json.dumps({"count": 1, "value": answer or token()})
        return answer if isinstance(answer, int) else json.dumps(answer)

    with served(reply) as url:
        given = {
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
            "ACTIONS_ID_TOKEN_REQUEST_URL": url + PATH,
            "GITHUB_REF": "refs/heads/main",
            "HAS_KEYS": "false",
        }
        done = checkout.run("explain-credentials", **(given | environment))
    if asked:
        assert asked == [f"{PATH}&audience=sts.amazonaws.com", "Bearer request-token"]
    given_token = answer or token() if isinstance(answer, str) else "request-token"
    for secret in ("request-token", *given_token.split(".")):
        assert secret not in done.text, "no part of a token may be printed"
    return done


# --- which claim differs ---


@pytest.mark.parametrize(
    "subject",
    [
        CLASSIC,
        IMMUTABLE,
        "repo:my-company@1234/ai-assistant@567890:environment:live",
        "repo:my-company@12/ai-assistant@5678:ref:refs/heads/main",
    ],
)
def test_a_subject_that_differs_is_named_with_the_setting(rendered: Checkout, subject: str) -> None:
    rendered.set("github.subject", "repo:my-company@9/ai-assistant@9:ref:refs/heads/main")
    done = explain(rendered, token(sub=subject)).expect(1, "subject-differs")
    assert f'[github] subject = "{subject}"' in done.err
    assert "uv run --frozen -m infra provision" in done.err


def test_an_issuer_that_differs_is_named_with_the_setting(rendered: Checkout) -> None:
    """An enterprise can have an issuer of its own. The subject is right, and stays as it is."""
    rendered.set("github.subject", IMMUTABLE)
    issuer = f"{ISSUER}/my-enterprise"
    done = explain(rendered, token(iss=f"https://{issuer}")).expect(1, "issuer-differs")
    assert f'[github] issuer = "{issuer}"' in done.err
    assert "[github] subject" not in done.err


def test_an_issuer_of_the_settings_does_not_differ(rendered: Checkout) -> None:
    rendered.set("github.subject", IMMUTABLE)
    rendered.set("github.issuer", f"{ISSUER}/my-enterprise")
    explain(rendered, token(iss=f"https://{ISSUER}/my-enterprise")).expect(2, "role-refused")
    explain(rendered).expect(1, "issuer-differs")


@pytest.mark.parametrize("audience", ["https://github.com/my-company", ["a", "b"]])
def test_an_audience_that_differs_is_named(rendered: Checkout, audience: object) -> None:
    rendered.set("github.subject", IMMUTABLE)
    done = explain(rendered, token(aud=audience)).expect(1, "audience-differs")
    assert "sts.amazonaws.com" in done.err
    assert "GITHUB_" not in done.err, "no setting has the audience"


def test_all_claims_that_differ_are_named_at_once(rendered: Checkout) -> None:
    rendered.set("github.subject", CLASSIC)
    done = explain(rendered, token(iss=f"https://{ISSUER}/slug")).expect(1, "issuer-differs")
    assert f'[github] issuer = "{ISSUER}/slug" and [github] subject = "{IMMUTABLE}"' in done.err


# --- when nothing differs ---


def test_a_subject_that_is_set_already_is_not_suggested_again(rendered: Checkout) -> None:
    rendered.set("github.subject", IMMUTABLE)
    done = explain(rendered).expect(2, "role-refused")
    assert "uv run --frozen -m infra provision" in done.err
    assert "[github] subject" not in done.err


def test_a_subject_that_no_setting_names_is_printed_with_the_setting(rendered: Checkout) -> None:
    done = explain(rendered).expect(2, "role-refused")
    assert f'[github] subject = "{IMMUTABLE}"' in done.err
    assert "uv run --frozen -m infra provision" in done.err


@pytest.mark.parametrize("subject", ["", IMMUTABLE])
def test_a_refused_run_of_another_branch_is_not_told_to_widen_the_trust(
    rendered: Checkout, subject: str
) -> None:
    rendered.set("github.subject", subject)
    wild = "refs/heads/wild"
    sent = IMMUTABLE.replace("refs/heads/main", wild)
    for other in sent, "repo:my-company@1234/ai-assistant@56789:environment:live":
        done = explain(rendered, token(sub=other), GITHUB_REF=wild).expect(1, "branch-not-trusted")
        assert "GITHUB_" not in done.err, "a setting would give the role to another branch"


def test_a_branch_that_the_setting_names_is_trusted(rendered: Checkout) -> None:
    subject = IMMUTABLE.replace("main", "live")
    rendered.set("github.subject", subject)
    explain(rendered, token(sub=subject), GITHUB_REF="refs/heads/live").expect(2, "role-refused")
    explain(rendered).expect(1, "branch-not-trusted")


# --- without a token ---


def test_refused_keys_are_not_reported_as_a_refused_role(rendered: Checkout) -> None:
    done = explain(rendered, HAS_KEYS="true").expect(1, "keys-refused")
    assert "AWS_SECRET_ACCESS_KEY" in done.err
    assert "123456789012" in done.err


@pytest.mark.parametrize(
    "answer",
    [404, 500, {}, [], {"value": None}, {"value": "x"}, {"value": "a.b.c"}, {"value": "a.e30.c"}],
)
def test_without_a_token_the_error_still_names_the_remedy(rendered: Checkout, answer: Any) -> None:
    done = explain(rendered, answer).expect(2, "token-missing")
    assert "uv run --frozen -m infra provision" in done.err


def test_a_missing_permission_for_the_token_is_reported(rendered: Checkout) -> None:
    nowhere = "http://127.0.0.1:1/token?"
    explain(rendered, ACTIONS_ID_TOKEN_REQUEST_URL=nowhere).expect(2, "token-missing")
    explain(rendered, ACTIONS_ID_TOKEN_REQUEST_URL="").expect(1, "token-forbidden")
    explain(rendered, GITHUB_REF="").expect(2, "not-in-workflow")


def test_claims_cannot_give_the_runner_commands(rendered: Checkout, tmp_path: Path) -> None:
    hostile = "repo:a\n::add-mask::b\r::stop-commands::c ##[error]d"
    summary = tmp_path / "summary.md"
    done = explain(
        rendered, token(sub=hostile), GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary)
    )
    commands = [line for line in done.text.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == 1, "only the annotation of the error"
    assert "##[" not in done.text
    assert "repo:a" in summary.read_text(encoding="utf-8")
