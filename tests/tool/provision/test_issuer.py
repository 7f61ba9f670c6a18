"""An enterprise's own issuer of tokens: provider, trust and settings agree."""

import json

from tests.support.checkout import SUBJECT, Checkout

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


def test_a_plan_shows_the_issuer_before_and_after(new: Checkout) -> None:
    new.administer("provision").expect(0)
    assert "trust " not in new.administer("provision", "--plan").expect(0).out
    new.set("github.issuer", ISSUER)
    run = new.administer("provision", "--plan").expect(0)
    assert f"trust       token.actions.githubusercontent.com -> {ISSUER}\n" in run.out


def test_a_plan_shows_a_trust_that_was_changed_by_hand(new: Checkout) -> None:
    new.administer("provision").expect(0)
    iam, role = new.aws.client("iam"), new.settings.names.deploy_role
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    [statement] = trust["Statement"]
    other = "repo:stranger/app:ref:refs/heads/main"
    statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] = [
        SUBJECT,
        other,
    ]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    run = new.administer("provision", "--plan").expect(0)
    assert f"trust       {SUBJECT}, {other} -> {SUBJECT}" in run.out
