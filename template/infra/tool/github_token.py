"""Why AWS refused the credentials of a workflow's run: GitHub's token beside the settings.

The token itself is never printed.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.tool import github_run, settings_file
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.settings import Settings
from infra.tool.target import Target
from infra.tool.text import one_line
from infra.tool.workflow_settings import deploy_role

KEYS_REFUSED = Problem(
    "keys-refused",
    "AWS refused the access key in the secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: it is "
    "wrong, revoked, or does not belong to account {account}",
    "renew both secrets, or delete both to use the deploy role",
    ExitCode.FAILED,
)
NOT_IN_WORKFLOW = Problem(
    "not-in-workflow",
    "this command works only in a step of a GitHub workflow",
    "to check the credentials of this shell: uv run --frozen -m infra check",
)
NO_PERMISSION = Problem(
    "token-forbidden",
    "this job may not request the GitHub token that it needs to assume the deploy role",
    "give the job the permission id-token: write",
    ExitCode.FAILED,
)
NO_TOKEN = Problem(
    "token-missing",
    "AWS refused {role}, and GitHub issued no token to compare with the role's trust policy: {why}",
    "re-run this job; if the role does not exist yet: uv run --frozen -m infra provision, "
    "with an administrator's credentials for account {account}",
)
OTHER_BRANCH = Problem(
    "branch-not-trusted",
    "this run is for {ref}, but {role} trusts only {trusted}",
    "merge it into {trusted}: a push to that branch deploys",
    ExitCode.FAILED,
)
ISSUER_DIFFERS = Problem(
    "issuer-differs", "AWS refused {role}: {differences}", "{remedy}", ExitCode.FAILED
)
AUDIENCE_DIFFERS = Problem(
    "audience-differs", "AWS refused {role}: {differences}", "{remedy}", ExitCode.FAILED
)
SUBJECT_DIFFERS = Problem(
    "subject-differs", "AWS refused {role}: {differences}", "{remedy}", ExitCode.FAILED
)
DIFFERS = {
    "issuer": ISSUER_DIFFERS,
    "audience": AUDIENCE_DIFFERS,
    "subject": SUBJECT_DIFFERS,
}
REFUSED = Problem(
    "role-refused",
    "AWS refused {role}: it does not exist yet, or its trust policy does not match this run",
    "uv run --frozen -m infra provision, with an administrator's credentials for account {account}"
    "{otherwise}",
)

AUDIENCE = (
    "sts.amazonaws.com"  # what configure-aws-credentials asks for, and infra/stack.yml trusts
)


@dataclass(frozen=True)
class Claims:
    """The claims that AWS compares with the trust of a role."""

    issuer: str  # host and path
    audience: str
    subject: str


@dataclass(frozen=True)
class Difference:
    """A claim that is not the one that the settings name."""

    claim: str
    sent: str
    trusted: str
    setting: str  # the line to write; empty if no setting has it

    @property
    def text(self) -> str:
        return f"the {self.claim} of GitHub's token is {self.sent}, but it trusts {self.trusted}"


def cause(target: Target) -> ToolError:
    """Why AWS refused the credentials. Prints the claims of the token, and nothing else of it."""
    environment, settings = target.runtime.environment, target.settings
    role, account = deploy_role(settings), settings.service.account
    ref, trusted = environment.get("GITHUB_REF", ""), trusted_ref(settings)
    if not ref:
        return NOT_IN_WORKFLOW()
    if environment.get("HAS_KEYS") == "true":
        return KEYS_REFUSED(account=account)
    if not environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return NO_PERMISSION()
    try:
        claims = read_claims(environment)
    except OSError as error:
        return NO_TOKEN(role=role, account=account, why=error)
    for name, value in vars(claims).items():
        target.fact(name, one_line(value))
    if ref != trusted:
        return OTHER_BRANCH(ref=ref, role=role, trusted=trusted)
    if differences := compare(claims, settings):
        return differing(role, differences)
    line = settings_file.assignment("github", "subject", claims.subject)
    otherwise = f"; if that does not help, write {line} into {settings_file.FILE} first"
    return REFUSED(
        role=role, account=account, otherwise="" if settings.github.subject else otherwise
    )


def read_claims(environment: Mapping[str, str]) -> Claims:
    """The claims of a token that GitHub gives to this job. Raises OSError if it gives none."""
    url = f"{environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={AUDIENCE}"
    answer = github_run.get_json(url, environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""))
    try:
        payload = answer["value"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audience = claims["aud"]
        return Claims(
            issuer=claims["iss"].removeprefix("https://"),
            audience=audience if isinstance(audience, str) else ", ".join(audience),
            subject=claims["sub"],
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # No details: they could show a part of the token.
        raise OSError("its answer has no token with issuer, audience and subject") from None


def trusted_ref(settings: Settings) -> str:
    """The ref whose runs the role is for."""
    _, _, ref = settings.github.subject.rpartition(":ref:")
    return ref if ref.startswith("refs/") else "refs/heads/main"


def compare(claims: Claims, settings: Settings) -> Sequence[Difference]:
    """The claims that differ from the settings. An empty subject means the one that provision got
    from GitHub, which is not known here."""
    github = settings.github
    return [
        Difference(claim, sent, trusted, setting)
        for claim, sent, trusted, setting in (
            (
                "issuer",
                claims.issuer,
                github.issuer,
                settings_file.assignment("github", "issuer", claims.issuer),
            ),
            ("audience", claims.audience, AUDIENCE, ""),
            (
                "subject",
                claims.subject,
                github.subject or claims.subject,
                settings_file.assignment("github", "subject", claims.subject),
            ),
        )
        if sent != trusted
    ]


def differing(role: str, differences: Sequence[Difference]) -> ToolError:
    """The error about claims that differ; the first one decides its code."""
    lines = " and ".join(each.setting for each in differences if each.setting)
    remedies = (
        [f"write {lines} into {settings_file.FILE}, then: uv run --frozen -m infra provision"]
        if lines
        else []
    )
    if any(not each.setting for each in differences):
        remedies.append(f"ask GitHub for the audience {AUDIENCE}, the only one that AWS accepts")
    text = "; ".join(each.text for each in differences)
    return DIFFERS[differences[0].claim](role=role, differences=text, remedy="; ".join(remedies))
