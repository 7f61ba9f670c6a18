"""Callers: access keys, their principals, and the policies of these in IAM."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from simulator.account import Account
from simulator.policies import Need, denial, trusts
from simulator.refusal import Refused

Json = dict[str, Any]

ROOT_KEY, ROOT_SECRET = "AKIAROOT000000000000", "root"


@dataclass(frozen=True)
class Principal:
    """A caller with credentials: the account's root, a user, or a session of a role."""

    kind: str  # "root", "user" or "role"
    name: str  # of the user or the role
    arn: str
    id: str


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret: str
    token: str
    expires: datetime | None
    principal: Principal


@dataclass
class Principals:
    """All callers with credentials. Like moto, it checks no signature."""

    account: Account
    sessions: dict[str, Credentials] = field(default_factory=dict)
    # With the number of changes of IAM at which they were read: each call of a deploy needs them.
    _policies: dict[Principal, tuple[int, list[Json]]] = field(default_factory=dict)

    def reset(self) -> None:
        self.sessions.clear()

    # --- identity ---

    @property
    def root(self) -> Principal:
        arn = self.account.arn("iam", "root", region="")
        return Principal("root", "root", arn, self.account.id)

    @property
    def nobody(self) -> Principal:
        """The caller of an unsigned request."""
        return Principal("nobody", "", "", "")

    def whose(self, access_key: str, token: str) -> Principal:
        """Raises KeyError for unknown credentials."""
        if access_key == ROOT_KEY:
            return self.root
        if session := self.sessions.get(access_key):
            if session.token != token:
                raise KeyError(access_key)
            return session.principal
        return self.user(self._owner(access_key))

    def _owner(self, access_key: str) -> str:
        iam = self.account.moto
        for user in iam("iam", "ListUsers")["Users"]:
            keys = iam("iam", "ListAccessKeys", {"UserName": user["UserName"]})
            for key in keys["AccessKeyMetadata"]:
                if key["AccessKeyId"] == access_key and key["Status"] == "Active":
                    return str(user["UserName"])
        raise KeyError(access_key)

    def user(self, name: str) -> Principal:
        found = self.account.moto("iam", "GetUser", {"UserName": name})["User"]
        return Principal("user", name, found["Arn"], found["UserId"])

    def role(self, name: str) -> Json:
        """A role as IAM shows it. Raises Refused if it does not exist."""
        found: Json = self.account.moto("iam", "GetRole", {"RoleName": name})["Role"]
        return found

    def as_role(self, role: str, session: str) -> Principal:
        """The principal of a session of a role. Raises Refused if the role does not exist."""
        arn = self.account.arn("sts", f"assumed-role/{role}/{session}", region="")
        return Principal("role", role, arn, f"{self.role(role)['RoleId']}:{session}")

    def session(self, role: str, session: str, seconds: int = 3600) -> Credentials:
        """Credentials of a role for any caller: checking the trust policy is up to the caller."""
        number = len(self.sessions)
        credentials = Credentials(
            access_key=f"ASIA{number:016}",
            secret=f"secret-{number}",
            token=f"token-{number}",
            expires=self.account.clock.now() + timedelta(seconds=seconds),
            principal=self.as_role(role, session),
        )
        self.sessions[credentials.access_key] = credentials
        return credentials

    def credentials(self, who: str) -> Credentials:
        """Credentials of "root", "user/NAME" or "role/NAME"; IAM lacks those of "nobody"."""
        kind, _, name = who.partition("/")
        if kind == "root":
            return Credentials(ROOT_KEY, ROOT_SECRET, "", None, self.root)
        if kind == "nobody":
            return Credentials("AKIANOBODY0000000000", "none", "", None, self.nobody)
        if kind == "user":
            made = self.account.moto("iam", "CreateAccessKey", {"UserName": name})["AccessKey"]
            key, secret = made["AccessKeyId"], made["SecretAccessKey"]
            return Credentials(key, secret, "", None, self.user(name))
        assert kind == "role", f"{who} is no root, user/NAME or role/NAME"
        return self.session(name, "test")

    # --- permissions ---

    def check(self, principal: Principal, needs: list[Need]) -> None:
        """Raises Refused for the first need that the principal's policies do not cover.

        The words are those of "Troubleshoot access denied error messages" in the IAM User Guide;
        those of a probe are an assumption. The root may do anything.
        """
        if principal.kind == "root":
            return
        policies, boundary = self.policies(principal), self.boundary(principal)
        for need in needs:
            why = denial(policies, need) or outside(boundary, need)
            if why and need.is_probe:
                raise Refused(
                    "ValidationException",
                    f"{principal.arn} is missing the following permissions: {need.action}",
                )
            if why:
                raise Refused(
                    "AccessDenied",
                    f"User: {principal.arn} is not authorized to perform: {need.action} on "
                    f"resource: {need.resource} {why}",
                    403,
                )

    def boundary(self, principal: Principal) -> Json | None:
        """The policy that bounds what a role may do, if it has one."""
        if principal.kind != "role":
            return None
        found = self.role(principal.name).get("PermissionsBoundary", {})
        arn = found.get("PermissionsBoundaryArn")
        return self._managed(arn) if arn else None

    def policies(self, principal: Principal) -> list[Json]:
        """Inline and attached policies of a role, or of a user and its groups."""
        changes, found = self._policies.get(principal, (-1, []))
        if changes != self.account.iam_changes:
            found = list(self._read_policies(principal))
            self._policies[principal] = self.account.iam_changes, found
        return found

    def _read_policies(self, principal: Principal) -> Iterator[Json]:
        yield from self._policies_of(principal.kind.capitalize(), principal.name)
        if principal.kind == "user":
            asked = {"UserName": principal.name}
            for group in self.account.moto("iam", "ListGroupsForUser", asked)["Groups"]:
                yield from self._policies_of("Group", group["GroupName"])

    def _policies_of(self, kind: str, name: str) -> Iterator[Json]:
        who = {f"{kind}Name": name}
        iam = self.account.moto
        for policy_name in iam("iam", f"List{kind}Policies", who)["PolicyNames"]:
            found = iam("iam", f"Get{kind}Policy", who | {"PolicyName": policy_name})
            yield document(found["PolicyDocument"])
        for attached in iam("iam", f"ListAttached{kind}Policies", who)["AttachedPolicies"]:
            yield self._managed(attached["PolicyArn"])

    def _managed(self, arn: str) -> Json:
        """A managed policy, in its default version."""
        iam, policy = self.account.moto, {"PolicyArn": arn}
        version = iam("iam", "GetPolicy", policy)["Policy"]["DefaultVersionId"]
        found = iam("iam", "GetPolicyVersion", policy | {"VersionId": version})
        return document(found["PolicyVersion"]["Document"])

    def lets_in(self, role: str, kind: str, who: str, action: str, context: Json) -> bool:
        """Whether the trust policy of an existing role allows a principal to assume it."""
        policy = document(self.role(role)["AssumeRolePolicyDocument"])
        return trusts(policy, kind, who, action, context)


def outside(boundary: Json | None, need: Need) -> str | None:
    """Why a permissions boundary does not allow something, as AWS words it."""
    if boundary is None or denial([boundary], need) is None:
        return None
    return f"because no permissions boundary allows the {need.action} action"


def document(found: Any) -> Json:
    """A policy as IAM keeps it: text, escaped as in a URL; botocore has read it already."""
    if isinstance(found, str):
        found = json.loads(unquote(found))
    policy: Json = found
    return policy
