"""STS: the identity of the caller, and credentials of roles."""

from typing import Any

from simulator.principals import Credentials
from simulator.refusal import Refused
from simulator.service import Service

Json = dict[str, Any]


class Sts(Service):
    """A web identity token is the text `HOST|AUDIENCE|SUBJECT` here, without a signature."""

    name = "sts"

    def get_caller_identity(self, _: Json) -> Json:
        who = self.world.caller
        return {"UserId": who.id, "Account": self.account.id, "Arn": who.arn}

    def assume_role(self, parameters: Json) -> Json:
        role = parameters["RoleArn"].split(":role/")[-1]
        who = self.world.caller
        refusal = Refused(
            "AccessDenied",
            f"User: {who.arn} is not authorized to perform: sts:AssumeRole on resource: "
            f"{parameters['RoleArn']}",
            403,
        )
        account = self.account.arn("iam", "root", region="")
        try:
            let_in = any(
                self.world.principals.lets_in(role, "AWS", arn, "sts:AssumeRole", {})
                for arn in (who.arn, account)
            )
        except Refused as missing:
            raise refusal from missing
        if not let_in:
            raise refusal
        session = parameters["RoleSessionName"]
        return self._handed_out(self.world.principals.session(role, session))

    def assume_role_with_web_identity(self, parameters: Json) -> Json:
        """Worded as in aws-actions/configure-aws-credentials#1888."""
        role = parameters["RoleArn"].split(":role/")[-1]
        host, audience, subject = parameters["WebIdentityToken"].split("|")
        provider = self.account.arn("iam", f"oidc-provider/{host}", region="")
        try:
            known = self.account.moto(
                "iam", "GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": provider}
            )
        except Refused as missing:
            raise Refused(
                "InvalidIdentityToken",
                f"No OpenIDConnect provider found in your account for https://{host}",
            ) from missing
        if audience not in known["ClientIDList"]:
            raise Refused("InvalidIdentityToken", "Incorrect token audience")
        claims = {f"{host}:aud": audience, f"{host}:sub": subject}
        action = "sts:AssumeRoleWithWebIdentity"
        refusal = Refused("AccessDenied", f"Not authorized to perform {action}", 403)
        try:
            let_in = self.world.principals.lets_in(role, "Federated", provider, action, claims)
        except Refused as missing:
            raise refusal from missing
        if not let_in:
            raise refusal
        credentials = self.world.principals.session(role, parameters["RoleSessionName"])
        about = {"SubjectFromWebIdentityToken": subject, "Provider": provider, "Audience": audience}
        return self._handed_out(credentials) | about

    def _handed_out(self, credentials: Credentials) -> Json:
        who = credentials.principal
        return {
            "Credentials": {
                "AccessKeyId": credentials.access_key,
                "SecretAccessKey": credentials.secret,
                "SessionToken": credentials.token,
                "Expiration": credentials.expires,
            },
            "AssumedRoleUser": {"AssumedRoleId": who.id, "Arn": who.arn},
        }
