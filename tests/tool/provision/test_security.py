"""[security] except the boundary: keys, path, deletion protection, access logs, web ACL."""

import json
from typing import Any

import pytest
from infra.tool.provision import role_arns

from simulator.ecs.rollouts import Crashes
from tests.support.checkout import Checkout
from tests.support.company_settings import (
    BUCKET,
    ROLE_PATH,
    create_bucket,
    create_key,
    create_log_key,
    create_web_acl,
    write_role_path,
)
from tests.support.targets import settings

TASK, POLICY = "infra/task-definition.json", "ops/iam-policy-github-actions.json"


def balancer_attributes(checkout: Checkout) -> dict[str, str]:
    elb = checkout.aws.client("elbv2")
    [balancer] = elb.describe_load_balancers()["LoadBalancers"]
    arn = balancer["LoadBalancerArn"]
    found = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    return {each["Key"]: each["Value"] for each in found}


def stack(checkout: Checkout) -> Any:
    name = checkout.settings.names.stack
    [found] = checkout.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return found


def web_acl(checkout: Checkout) -> str:
    """The ARN of the web ACL of the load balancer; empty if it has none."""
    [balancer] = checkout.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    found = checkout.aws.client("wafv2").get_web_acl_for_resource(
        ResourceArn=balancer["LoadBalancerArn"]
    )
    return str(found.get("WebACL", {}).get("ARN", ""))


def log_key(checkout: Checkout) -> str:
    found = checkout.aws.client("logs").describe_log_groups()["logGroups"]
    names = checkout.settings.names
    [group] = [each for each in found if each["logGroupName"] == names.log_group]
    return str(group.get("kmsKeyId", ""))


def provision(checkout: Checkout) -> None:
    checkout.administer("provision").expect(0)


def destroy(checkout: Checkout, code: int = 0, error: str = "", *words: str) -> None:
    checkout.run("destroy", *words, principal="root", typed="ai-assistant").expect(code, error)


# --- deletion protection ---


def test_a_protected_service_is_destroyed_only_once_the_setting_is_off(running: Checkout) -> None:
    running.set("security.deletion_protection", True)
    provision(running)
    assert balancer_attributes(running)["deletion_protection.enabled"] == "true"
    assert stack(running)["EnableTerminationProtection"]
    destroy(running, 2, "deletion-protected-by-setting")
    assert running.ecs_service["runningCount"] > 0
    running.set("security.deletion_protection", False)
    provision(running)
    assert balancer_attributes(running)["deletion_protection.enabled"] == "false"
    assert not stack(running)["EnableTerminationProtection"]
    destroy(running)


def test_a_protection_that_a_person_turned_on_stays(existing: Checkout) -> None:
    existing.aws.client("cloudformation").update_termination_protection(
        StackName="ai-assistant", EnableTerminationProtection=True
    )
    provision(existing)
    assert stack(existing)["EnableTerminationProtection"]


def test_a_creation_that_fails_can_be_rolled_back_and_repeated(new: Checkout) -> None:
    """CloudFormation could not delete a load balancer that is protected from the start."""
    new.set("security.deletion_protection", True)
    new.aws.cloudformation.fails("HttpListener", "create", "not today")
    new.administer("provision").expect(1, "stack-not-changed")
    assert stack(new)["StackStatus"] == "ROLLBACK_COMPLETE"
    provision(new)
    assert balancer_attributes(new)["deletion_protection.enabled"] == "true"


# --- access logs ---


def test_access_logs_are_turned_on_and_off(running: Checkout) -> None:
    create_bucket(running.aws)
    running.set("security.access_logs_bucket", BUCKET)
    provision(running)
    found = balancer_attributes(running)
    assert found["access_logs.s3.enabled"] == "true"
    assert found["access_logs.s3.bucket"] == BUCKET
    running.set("security.access_logs_bucket", "")
    provision(running)
    assert balancer_attributes(running)["access_logs.s3.enabled"] == "false"


def test_a_bucket_that_refuses_the_load_balancer_is_explained(running: Checkout) -> None:
    """Conditions and denials of its policy are seen only once the load balancer writes."""
    create_bucket(running.aws)
    s3 = running.aws.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    denied = {**policy["Statement"][0], "Effect": "Deny"}
    policy["Statement"].append(denied)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    running.set("security.access_logs_bucket", BUCKET)
    run = running.administer("provision").expect(1, "access-logs-denied")
    assert f"arn:aws:s3:::{BUCKET}/AWSLogs/123456789012/*" in run.err
    assert stack(running)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert running.ecs_service["runningCount"] > 0


# --- web ACL ---


def test_a_web_acl_is_added_changed_and_removed(running: Checkout) -> None:
    for name in "first", "second":
        wanted = create_web_acl(running.aws, name)
        running.set("security.web_acl", wanted)
        plan = running.administer("provision", "--plan").expect(0)
        assert "the web ACL $5 a month" in plan.out
        provision(running)
        assert web_acl(running) == wanted, "the load balancer must not be left without a web ACL"
    running.set("security.web_acl", "")
    provision(running)
    assert web_acl(running) == ""


def test_a_web_acl_that_cannot_be_associated_is_explained(running: Checkout) -> None:
    running.set("security.web_acl", create_web_acl(running.aws))
    running.aws.cloudformation.fails("WebAclAssociation", "create", "not today")
    running.administer("provision").expect(1, "web-acl-failed")


# --- plan ---


def test_a_plan_names_every_setting_and_property_that_changes(running: Checkout) -> None:
    """So a checkout that lacks a setting shows what it would take away."""
    acl = create_web_acl(running.aws)
    running.set("security.web_acl", acl)
    running.set("security.deletion_protection", True)
    plan = running.administer("provision", "--plan").expect(0).out
    assert f"settings    to change: WebAclArn = {acl} (it is empty)" in plan
    assert "settings    to change: DeletionProtection = true (it is empty)" in plan
    assert "LoadBalancer (AWS::ElasticLoadBalancingV2::LoadBalancer): LoadBalancerAttribut" in plan
    provision(running)
    running.set("security.web_acl", "")
    plan = running.administer("provision", "--plan").expect(0).out
    assert f"settings    to empty: WebAclArn (it is {acl})" in plan
    assert "policy      to change" not in plan, "the policy of the deploy role is as it was"


# --- keys ---


def test_the_key_of_the_log_is_added_changed_and_removed(running: Checkout) -> None:
    for wanted in create_log_key(running.aws), create_log_key(running.aws), "":
        running.set("security.log_key", wanted)
        provision(running)
        assert log_key(running) == wanted
        running.release()
        running.run("deploy").expect(0)


def test_a_key_that_refuses_the_log_is_explained(running: Checkout) -> None:
    """The condition of its policy is seen only once CloudWatch Logs uses it."""
    key = create_log_key(running.aws)
    kms = running.aws.client("kms")
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    others = policy.replace("arn:aws:logs:us-east-1:123456789012", "arn:aws:logs:us-east-1:999")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=others)
    running.set("security.log_key", key)
    run = running.administer("provision").expect(1, "log-key-denied")
    assert f"in the policy of the key {key}" in run.err
    assert "allow the service logs.us-east-1.amazonaws.com" in run.err


def test_a_log_that_was_kept_gets_the_key_too(existing: Checkout) -> None:
    destroy(existing)
    wanted = create_log_key(existing.aws)
    existing.set("security.log_key", wanted)
    provision(existing)
    assert log_key(existing) == wanted


def test_a_key_of_the_repository_is_for_new_stacks(new: Checkout) -> None:
    key = create_key(new.aws)
    new.set("security.repository_key", key)
    provision(new)
    [found] = new.aws.client("ecr").describe_repositories()["repositories"]
    assert found["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    new.release()
    new.run("deploy").expect(0)
    for other in "", create_key(new.aws):
        new.set("security.repository_key", other)
        run = new.administer("provision").expect(2, "setting-fixed").expect_no_change()
        assert f'[security] repository_key = "{key}"' in run.err


def test_images_that_were_kept_keep_their_key(existing: Checkout) -> None:
    destroy(existing)
    existing.set("security.repository_key", create_key(existing.aws))
    run = existing.administer("provision").expect(2, "repository-key").expect_no_change()
    assert '[security] repository_key = ""' in run.err
    destroy(existing, 0, "", "--purge")
    provision(existing)


def test_a_key_that_cannot_be_used_is_explained(new: Checkout) -> None:
    new.set("security.repository_key", create_key(new.aws))
    new.aws.cloudformation.fails("Repository", "create", "KmsException: not today")
    new.administer("provision").expect(1, "repository-key-denied")


# --- the path of the roles ---


def test_a_path_is_on_every_role_and_in_both_documents(new: Checkout) -> None:
    write_role_path(new)
    new.set("security.role_path", ROLE_PATH)
    provision(new)
    roles = new.aws.client("iam").list_roles(PathPrefix=ROLE_PATH)["Roles"]
    assert len(roles) == 3
    new.release()
    new.run("deploy").expect(0)
    role = "arn:aws:iam::123456789012:role/team/ai-assistant-us-east-1-github-actions"
    assert role in new.run("settings").expect(0).out
    new.aws.next_rollout(Crashes())
    new.release()
    new.run("deploy").expect(1, "deployment-rolled-back")


@pytest.mark.parametrize("path", [ROLE_PATH, ""])
def test_documents_that_do_not_agree_are_named_by_line(new: Checkout, path: str) -> None:
    if path:
        new.set("security.role_path", path)
    else:
        write_role_path(new)
    run = new.administer("provision").expect(2, "role-arns").expect_no_change()
    for name in TASK, POLICY:
        text = (new.folder / name).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(text, 1):
            assert (":role/" in line) == (f"{name}:{number} names" in run.err)


def test_a_path_cannot_change_later(existing: Checkout) -> None:
    write_role_path(existing)
    existing.set("security.role_path", ROLE_PATH)
    run = existing.administer("provision").expect(2, "setting-fixed").expect_no_change()
    assert '[security] role_path = ""' in run.err


def test_a_role_of_another_owner_may_have_another_path() -> None:
    line = '"taskRoleArn": "arn:aws:iam::123456789012:role/team/another"'
    assert [*role_arns.complaints(TASK, line, settings())] == []
