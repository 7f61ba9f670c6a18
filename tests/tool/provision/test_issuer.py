"""An enterprise's own issuer of tokens: provider, trust and settings agree."""

from support.checkout import SUBJECT, Checkout

ISSUER = "token.actions.githubusercontent.com/my-enterprise"


def test_the_deploy_role_trusts_the_issuer_of_the_settings(new: Checkout) -> None:
    new.set("github.issuer", ISSUER)
    new.administer("provision").expect(0)
    iam = new.aws.client("iam")
    [provider] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert provider["Arn"].endswith(f":oidc-provider/{ISSUER}")
    role = iam.get_role(RoleName=new.settings.names.deploy_role)["Role"]
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Federated": provider["Arn"]}
    assert statement["Condition"]["StringEquals"] == {
        f"{ISSUER}:aud": "sts.amazonaws.com",
        f"{ISSUER}:sub": SUBJECT,
    }
