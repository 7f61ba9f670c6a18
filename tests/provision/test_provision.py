"""infra/provision.sh makes what the service stands on, from whatever an account has already."""

import json
import re
import signal
from pathlib import Path

import pytest
from account import (
    AUDIENCE,
    BALANCER,
    CHANGE_SET,
    HOST,
    NO_CHANGES,
    PREFIX,
    SERVICE_ROLES,
    SUBJECT,
    ZONES,
    Account,
    changed,
    parameters,
)
from rendering import Render
from stage import URL, Json, Refusal, refusal

APPLIES = [
    "ecr put-image-tag-mutability",
    "ecr put-image-scanning-configuration",
    "logs put-retention-policy",
    "ecr put-lifecycle-policy",
    "iam put-role-policy",
]
MAKES_A_CHANGE_SET = "cloudformation create-change-set"
EXECUTES = "cloudformation execute-change-set"


@pytest.fixture
def account(example: Render, tmp_path: Path) -> Account:
    return Account(example, tmp_path)


def sent(account: Account) -> dict[str, str]:
    """The parameters of the stack that the script would send: AWS stops it right there."""
    account.answers(MAKES_A_CHANGE_SET, refusal("Stop"))
    run = account.provision()
    run.ends(2, "Stop")
    return parameters(run)


# --- what it makes ---


def test_a_new_account_gets_all_of_it_and_nothing_before_the_change_set_is_good(
    account: Account,
) -> None:
    run = account.provision()
    run.ends(0, f"{len(account.resources())} to add", URL, "infra/deploy-manual.sh")
    assert changed(run) == [
        MAKES_A_CHANGE_SET,
        "iam create-open-id-connect-provider",
        *["iam create-service-linked-role"] * 3,
        EXECUTES,
        *APPLIES,
    ]
    provider = run.request("iam create-open-id-connect-provider")
    assert provider == {"Url": f"https://{HOST}", "ClientIDList": [AUDIENCE]}
    made = [c.parameters() for c in run.calls if c.name == "iam create-service-linked-role"]
    assert [role["AWSServiceName"] for role in made] == list(SERVICE_ROLES)


def test_a_second_run_changes_nothing_but_applies_the_documents(account: Account) -> None:
    account.is_up_to_date()
    run = account.provision()
    run.ends(0, "nothing to change", URL)
    assert changed(run) == [
        MAKES_A_CHANGE_SET,
        "cloudformation delete-change-set",
        *APPLIES,
    ]
    assert run.request(MAKES_A_CHANGE_SET)["ChangeSetType"] == "UPDATE"
    assert "cloudformation describe-events" not in run.asked, "nothing is wrong"


def test_a_change_of_outputs_alone_is_carried_out(account: Account) -> None:
    account.is_up_to_date()
    account.changes()
    run = account.provision()
    run.ends(0)
    assert EXECUTES in run.asked, "a change set without resources may still change an output"


def test_the_documents_are_applied_as_they_stand(account: Account) -> None:
    run = account.provision()
    lifecycle, policy = (run.request(name) for name in APPLIES[-2:])
    assert lifecycle == {
        "repositoryName": account.settings["ECR_REPOSITORY"],
        "lifecyclePolicyText": account.render.text("infra/ecr-lifecycle-policy.json"),
    }
    assert policy == {
        "RoleName": account.settings["DEPLOY_ROLE"],
        "PolicyName": "deploy",
        "PolicyDocument": account.render.text("ops/iam-policy-github-actions.json"),
    }


def test_the_change_set_is_of_the_template_and_takes_over_what_is_there(account: Account) -> None:
    asked = account.provision().request(MAKES_A_CHANGE_SET)
    assert asked["ImportExistingResources"] is True
    # It is taken over only where the template has its name, and not a reference to it.
    template = account.render.text("infra/stack.yml")
    for key, name in ("RepositoryName", "ECR_REPOSITORY"), ("LogGroupName", "LOG_GROUP"):
        reference = f"\n      {key}: !Ref {key}\n"
        assert template.count(reference) == 1, "infra/lib/stack.jq looks for this line"
        template = template.replace(reference, f"\n      {key}: {account.settings[name]}\n")
    assert asked["TemplateBody"] == template
    assert asked["ChangeSetType"] == "CREATE"
    assert asked["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert asked["StackName"] == account.settings["STACK_NAME"]


def test_the_parameters_sent_are_those_of_the_stack(account: Account) -> None:
    text = account.render.text("infra/stack.yml")
    declared = re.findall(
        r"^  (\w+):$", text.split("\nParameters:\n")[1].split("\nRules:\n")[0], re.MULTILINE
    )
    given = sent(account)
    assert sorted(given) == sorted(declared)
    settings = account.settings
    assert given == {
        "AppName": settings["APP_NAME"],
        "RepositoryName": settings["ECR_REPOSITORY"],
        "LogGroupName": settings["LOG_GROUP"],
        "LogRetentionDays": settings["LOG_RETENTION_DAYS"],
        "ClusterName": settings["ECS_CLUSTER"],
        "ServiceName": settings["ECS_SERVICE"],
        "ExecutionRoleName": settings["EXECUTION_ROLE"],
        "TaskRoleName": settings["TASK_ROLE"],
        "DeployRoleName": settings["DEPLOY_ROLE"],
        "GitHubSubject": SUBJECT,
        "VpcId": "vpc-1",
        "SubnetIds": ",".join(ZONES),
        "AssignPublicIp": "ENABLED",
        "SecretArns": "",
        "ParameterArns": "",
        "SecretsKeyArn": "",
        "BedrockModelArns": "",
        "S3BucketArns": "",
        "TaskSubnetIds": "",
        "Tracing": "",
        "CertificateArn": "",
        "DomainName": "",
        "AlarmTopicArn": "",
    }


def test_a_repository_and_a_log_group_that_were_there_become_as_the_stack_says(
    account: Account,
) -> None:
    account.changes(
        ("Import", "Repository", "AWS::ECR::Repository"),
        ("Import", "LogGroup", "AWS::Logs::LogGroup"),
        ("Add", "Cluster", "AWS::ECS::Cluster"),
    )
    consequences = (
        'in ai-assistant, no tag can be moved from now on: whatever pushes "latest" again will',
        "Keep the newest 30 images",
        "in /ecs/ai-assistant-app, lines are deleted after 30 days",
    )
    account.provision("--plan").ends(0, *consequences)
    account.has_no_stack()
    run = account.provision()
    run.ends(0, "2 to take over", *consequences)
    stack = account.render.text("infra/stack.yml")
    mutability = run.request("ecr put-image-tag-mutability")["imageTagMutability"]
    assert f"ImageTagMutability: {mutability}\n" in stack
    scans = run.request("ecr put-image-scanning-configuration")["imageScanningConfiguration"]
    assert f"ScanOnPush: {json.dumps(scans['scanOnPush'])}\n" in stack
    days = run.request("logs put-retention-policy")["retentionInDays"]
    assert str(days) == account.settings["LOG_RETENTION_DAYS"]


def test_what_an_interrupted_run_took_over_is_mended_by_the_next(account: Account) -> None:
    account.is_up_to_date()
    mended = {"ecr put-image-tag-mutability", "logs put-retention-policy"}
    assert mended <= set(account.provision().asked)


def test_a_repeated_request_to_execute_is_known_by_its_token(account: Account) -> None:
    run = account.provision()
    name = run.request(MAKES_A_CHANGE_SET)["ChangeSetName"]
    assert run.request(EXECUTES)["ClientRequestToken"] == name


def test_an_answer_that_is_lost_when_it_begins_is_no_verdict(account: Account) -> None:
    account.answers(EXECUTES, Refusal("Read timeout on endpoint URL"))
    account.provision().ends(3, "Read timeout", "CloudFormation goes on with ai-assistant")


def test_secrets_become_the_arns_that_the_execution_role_may_read(account: Account) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-a1b2c3"
    elsewhere = "arn:aws:ssm:eu-west-1:123456789012:parameter/there"
    values = [secret, f"{secret}:part:AWSCURRENT:", "/deep/name", "name", elsewhere]
    document = account.render.json("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [
        {"name": f"S{n}", "valueFrom": value} for n, value in enumerate(values)
    ]
    account.write("infra/task-definition.json", json.dumps(document))
    given = sent(account)
    here = "arn:aws:ssm:us-east-1:123456789012:parameter"
    assert given["SecretArns"] == secret
    assert set(given["ParameterArns"].split(",")) == {
        f"{here}/deep/name",
        f"{here}/name",
        elsewhere,
    }


def test_the_secrets_of_what_serves_stay_readable_until_the_next_provision_finds_it_gone(
    account: Account,
) -> None:
    """Or a task that is replaced, or a rollback, could not start after a secret was renamed."""

    def names(*secrets: str) -> Json:
        found = [{"name": "S", "valueFrom": secret} for secret in secrets]
        return {"containerDefinitions": [{"name": "x", "secrets": found}]}

    account.is_up_to_date()
    document = account.render.json("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [{"name": "S", "valueFrom": "new"}]
    account.write("infra/task-definition.json", json.dumps(document))
    account.runs_now(names("old", "older"), names("of-the-rollout-before"))
    here = "arn:aws:ssm:us-east-1:123456789012:parameter"
    given = sent(account)["ParameterArns"].split(",")
    assert given == [f"{here}/{name}" for name in ("new", "of-the-rollout-before", "old", "older")]
    account.runs_now(names("new"))
    assert sent(account)["ParameterArns"] == f"{here}/new"


def test_the_arn_of_a_profile_grants_its_model_too(account: Account) -> None:
    profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama4-v1:0"
    account.edit("infra/settings.env", 'BEDROCK_MODELS=""', f'BEDROCK_MODELS="{profile}"')
    model = "arn:aws:bedrock:*::foundation-model/meta.llama4-v1:0"
    assert sent(account)["BedrockModelArns"].split(",") == [profile, model]


def test_a_profile_of_ones_own_without_its_model_is_refused(account: Account) -> None:
    own = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
    account.edit("infra/settings.env", 'BEDROCK_MODELS=""', f'BEDROCK_MODELS="{own}"')
    run = account.provision()
    run.ends(2, "application inference profile", "us.amazon.nova-lite-v1:0")
    assert changed(run) == []
    account.edit("infra/settings.env", own, f"{own},us.amazon.nova-lite-v1:0")
    assert own in sent(account)["BedrockModelArns"]


def test_a_secret_without_its_whole_arn_is_refused(account: Account) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key"
    document = account.render.json("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [
        {"name": "S", "valueFrom": f"{secret}:part::"}
    ]
    account.write("infra/task-definition.json", json.dumps(document))
    run = account.provision()
    run.ends(2, f"the secret {secret} without the six characters", "-??????")
    assert changed(run) == []


def test_models_profiles_and_buckets_become_arns(account: Account) -> None:
    account.edit(
        "infra/settings.env",
        'BEDROCK_MODELS=""',
        'BEDROCK_MODELS="amazon.nova-lite-v1:0, us.meta.llama4-v1:0,global.cohere.embed-v4:0"',
    )
    account.edit("infra/settings.env", 'S3_READ_BUCKETS=""', 'S3_READ_BUCKETS="one, two"')
    given = sent(account)
    bedrock, mine = "arn:aws:bedrock", "us-east-1:123456789012:inference-profile"
    assert given["BedrockModelArns"].split(",") == [
        f"{bedrock}:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        f"{bedrock}:{mine}/us.meta.llama4-v1:0",
        f"{bedrock}:*::foundation-model/meta.llama4-v1:0",
        f"{bedrock}:{mine}/global.cohere.embed-v4:0",
        f"{bedrock}:*::foundation-model/cohere.embed-v4:0",
    ]
    assert given["S3BucketArns"] == "arn:aws:s3:::one,arn:aws:s3:::two"


def test_it_says_what_a_month_costs_from_the_size_the_tasks_and_the_addresses(
    account: Account,
) -> None:
    account.provision().ends(0, "about $40 a month", "4 public addresses $15", "1 task $9")
    account.has_no_stack()
    account.changes(*account.resources())
    account.has_service_roles()
    account.edit("infra/settings.env", 'MIN_TASKS="1"', 'MIN_TASKS="3"')
    account.edit("infra/settings.env", 'ASSIGN_PUBLIC_IP="ENABLED"', 'ASSIGN_PUBLIC_IP="DISABLED"')
    account.provision().ends(0, "about $54 a month", "3 public addresses $11", "3 tasks $27")


@pytest.mark.parametrize(
    ("cpu", "memory", "costs"),
    [("1024", "2048", 36), ("1 vCPU", "2 GB", 36), (".25 vcpu", "512 MB", 9), (256, "0.5GB", 9)],
)
def test_a_size_with_its_unit_costs_the_same(
    account: Account, cpu: str | int, memory: str, costs: int
) -> None:
    document = account.render.json("infra/task-definition.json") | {"cpu": cpu, "memory": memory}
    account.write("infra/task-definition.json", json.dumps(document))
    account.provision("--plan").ends(0, f"1 task ${costs} ")


# --- the provider and the roles of AWS itself ---


def test_a_provider_that_is_there_is_used(account: Account) -> None:
    account.has_provider(["something", AUDIENCE])
    assert not [name for name in changed(account.provision()) if "open-id" in name]


def test_a_provider_without_the_audience_gets_it(account: Account) -> None:
    account.has_provider(["something"])
    run = account.provision()
    run.ends(0)
    arn = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
    assert run.request("iam add-client-id-to-open-id-connect-provider") == {
        "OpenIDConnectProviderArn": arn,
        "ClientID": AUDIENCE,
    }


def test_a_role_of_aws_that_somebody_just_made_is_fine(account: Account) -> None:
    taken = "Service role name AWSServiceRoleForECS has been taken in this account."
    account.answers("iam create-service-linked-role", refusal("InvalidInput", taken))
    account.provision().ends(0)


@pytest.mark.parametrize(
    "command", ["iam create-open-id-connect-provider", "iam create-service-linked-role"]
)
def test_what_may_not_be_created_beside_the_stack_ends_it_and_leaves_no_change_set(
    account: Account, command: str
) -> None:
    account.is_only_planned()
    account.answers(command, refusal("AccessDenied"))
    run = account.provision()
    run.ends(1, command, "sign in as an administrator")
    assert changed(run)[-2:] == [command, "cloudformation delete-stack"]


def test_a_role_of_aws_that_is_never_seen_ends_it(account: Account) -> None:
    account.answers("iam get-role", refusal("NoSuchEntity"))
    run = account.provision()
    run.ends(1, "AWSServiceRoleForECS", "run infra/provision.sh again")
    assert EXECUTES not in run.asked


# --- the network ---


def test_no_default_vpc_is_said_with_what_to_set(account: Account) -> None:
    account.has_network(vpc=None)
    run = account.provision()
    run.ends(2, "no default VPC", "VPC_ID", "SUBNET_IDS")
    assert changed(run) == []


@pytest.mark.parametrize(
    ("zones", "says"),
    [
        ({"subnet-a": "us-east-1a"}, "two zones or more"),
        ({"subnet-a": "us-east-1a", "subnet-b": "us-east-1a"}, "one subnet of each zone"),
        (ZONES | {"subnet-d": "us-east-1a"}, "subnet-a, subnet-d are all of us-east-1a"),
        ({}, "no default subnets"),
    ],
)
def test_subnets_that_a_load_balancer_cannot_take_are_refused(
    account: Account, zones: dict[str, str], says: str
) -> None:
    account.has_network(zones)
    run = account.provision()
    run.ends(2, says, "SUBNET_IDS")
    assert changed(run) == []


def choose(account: Account, **settings: str) -> None:
    for name, value in settings.items():
        account.edit("infra/settings.env", f'\n{name}=""', f'\n{name}="{value}"')


def test_the_network_of_the_settings_wins(account: Account) -> None:
    account.has_network(ZONES | {"subnet-x": "us-east-1a"}, vpc="vpc-9")
    choose(account, VPC_ID="vpc-9", SUBNET_IDS="subnet-a, subnet-b", TASK_SUBNET_IDS="subnet-x")
    run = account.provision()
    run.ends(0, "as infra/settings.env says", "with public addresses, in subnet-x (us-east-1a)")
    sent = parameters(run)
    assert sent["VpcId"] == "vpc-9"
    assert sent["SubnetIds"] == "subnet-a,subnet-b"
    assert sent["TaskSubnetIds"] == "subnet-x"
    assert "ec2 describe-vpcs" not in run.asked


def test_a_stack_does_not_move_to_another_vpc(account: Account) -> None:
    account.is_up_to_date()
    account.has_network(vpc="vpc-9")
    choose(account, VPC_ID="vpc-9", SUBNET_IDS="subnet-a,subnet-b")
    run = account.provision()
    run.ends(2, 'VPC_ID="vpc-1"', "infra/provision.sh --destroy")
    assert changed(run) == []


def test_tasks_where_the_load_balancer_is_not_are_refused(account: Account) -> None:
    account.has_network(ZONES | {"subnet-d": "us-east-1d"})
    choose(
        account, VPC_ID="vpc-1", SUBNET_IDS="subnet-a,subnet-b", TASK_SUBNET_IDS="subnet-a,subnet-d"
    )
    run = account.provision()
    run.ends(2, "TASK_SUBNET_IDS names subnet-d (us-east-1d), a zone that the load balancer is not")
    assert changed(run) == []


def test_a_zone_in_which_tasks_run_stays(account: Account) -> None:
    account.is_up_to_date()
    choose(account, VPC_ID="vpc-1", SUBNET_IDS="subnet-b,subnet-c")
    account.runs_now({"containerDefinitions": []}, subnets=["subnet-a", "subnet-b"])
    run = account.provision()
    run.ends(2, "tasks run in subnet-a (us-east-1a), and", 'SUBNET_IDS="subnet-a,subnet-b"')
    assert changed(run) == []
    account.runs_now({"containerDefinitions": []}, subnets=["subnet-b"])
    account.provision().ends(0)


def test_a_vpc_without_an_internet_gateway_is_refused(account: Account) -> None:
    account.has_internet_gateway(None)
    run = account.provision()
    run.ends(2, "vpc-1 has no internet gateway", "attach-internet-gateway")
    assert changed(run) == []
    asked = run.request("ec2 describe-internet-gateways")
    assert asked == {"Filters": [{"Name": "attachment.vpc-id", "Values": ["vpc-1"]}]}


def test_a_stack_gets_other_subnets_of_its_vpc(account: Account) -> None:
    account.is_up_to_date()
    choose(account, VPC_ID="vpc-1", SUBNET_IDS="subnet-b,subnet-c")
    assert parameters(account.provision())["SubnetIds"] == "subnet-b,subnet-c"


@pytest.mark.parametrize("name", ["VPC_ID", "SUBNET_IDS"])
def test_half_a_network_is_refused(account: Account, name: str) -> None:
    choose(account, **{name: "some-1"})
    account.provision().ends(2, "VPC_ID and SUBNET_IDS", "go together")


def test_subnets_of_another_vpc_are_refused(account: Account) -> None:
    choose(account, VPC_ID="vpc-9", SUBNET_IDS="subnet-a,subnet-b")
    run = account.provision()
    run.ends(2, "subnet-a is not of vpc-9")
    assert changed(run) == []


def test_a_stack_keeps_its_network(account: Account) -> None:
    account.is_up_to_date(VpcId="vpc-1", SubnetIds="subnet-b,subnet-c")
    run = account.provision()
    run.ends(0, "as it is")
    assert parameters(run)["SubnetIds"] == "subnet-b,subnet-c"
    assert "ec2 describe-vpcs" not in run.asked


def test_tasks_go_back_to_the_subnets_of_the_load_balancer_when_the_settings_name_none(
    account: Account,
) -> None:
    account.is_up_to_date(TaskSubnetIds="subnet-c")
    account.edit("infra/settings.env", 'ASSIGN_PUBLIC_IP="ENABLED"', 'ASSIGN_PUBLIC_IP="DISABLED"')
    run = account.provision()
    run.ends(0, "without public addresses, in the same subnets")
    assert parameters(run)["TaskSubnetIds"] == ""


# --- who may deploy ---


def test_the_subject_is_what_github_says_it_is(account: Account) -> None:
    account.github_says({"use_default": True, "sub_claim_prefix": "repo:my-company/ai-assistant"})
    run = account.provision()
    assert parameters(run)["GitHubSubject"] == "repo:my-company/ai-assistant:ref:refs/heads/main"
    asked = "repos/my-company/ai-assistant/actions/oidc/customization/sub"
    assert [call.words[-1] for call in run.calls if call.program == "gh"] == [asked]


def test_an_environment_is_the_end_of_the_subject(account: Account) -> None:
    choose(account, GITHUB_ENVIRONMENT="production")
    assert sent(account)["GitHubSubject"] == f"{PREFIX}:environment:production"


def test_the_subject_of_the_settings_wins_and_github_is_not_asked(account: Account) -> None:
    choose(account, GITHUB_SUBJECT="repo:a/b:ref:refs/heads/x")
    run = account.provision()
    assert parameters(run)["GitHubSubject"] == "repo:a/b:ref:refs/heads/x"
    assert not [call for call in run.calls if call.program != "aws"]


def test_curl_asks_where_gh_is_missing(account: Account) -> None:
    account.lacks("gh")
    run = account.provision()
    assert parameters(run)["GitHubSubject"] == SUBJECT
    (curl,) = (call for call in run.calls if call.program == "curl")
    assert curl.words[-1].startswith("https://api.github.com/repos/my-company/ai-assistant/")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/some-one/a.service.git",
        "https://github.com/some-one/a.service/",
        "https://me@github.com/some-one/a.service",
        "git@github.com:some-one/a.service.git",
        "ssh://git@github.com/some-one/a.service.git",
        "ssh://git@ssh.github.com:443/some-one/a.service.git",
    ],
)
def test_the_repository_is_that_of_the_remote(account: Account, url: str) -> None:
    account.edit("infra/settings.env", "my-company/ai-assistant", "")
    account.git("remote", "add", "origin", url)
    account.github_says(None)
    account.provision().ends(2, "GitHub does not tell about some-one/a.service:")


@pytest.mark.parametrize("url", ["", "https://example.com/a/b.git", "git@gitlab.com:a/b.git"])
def test_no_repository_is_said_with_both_forms_of_a_subject(account: Account, url: str) -> None:
    account.edit("infra/settings.env", "my-company/ai-assistant", "")
    if url:
        account.git("remote", "add", "origin", url)
    run = account.provision()
    run.ends(
        2,
        'no remote "origin" on github.com',
        'GITHUB_SUBJECT="repo:OWNER@OWNER_ID/NAME@NAME_ID:ref:refs/heads/main"',
        '"repo:OWNER/NAME:ref:refs/heads/main"',
    )
    assert changed(run) == []


CANNOT_TELL = [
    None,
    {"use_default": True},
    {"use_default": False, "include_claim_keys": ["repository_id"], "sub_claim_prefix": PREFIX},
    {"message": "Not Found"},
]


@pytest.mark.parametrize("answer", CANNOT_TELL)
def test_a_github_that_cannot_tell_is_not_guessed_for(
    account: Account, answer: dict[str, object] | None
) -> None:
    account.github_says(answer)
    run = account.provision()
    run.ends(2, "my-company/ai-assistant", "GITHUB_SUBJECT=")
    assert changed(run) == []


@pytest.mark.parametrize("answer", CANNOT_TELL)
def test_a_stack_keeps_its_subject_when_github_cannot_tell(
    account: Account, answer: dict[str, object] | None
) -> None:
    account.is_up_to_date(GitHubSubject="repo:as/before:ref:refs/heads/main")
    account.github_says(answer)
    run = account.provision()
    run.ends(0, "as it is")
    assert parameters(run)["GitHubSubject"] == "repo:as/before:ref:refs/heads/main"


def test_a_standard_subject_that_is_spelled_out_is_a_standard_one(account: Account) -> None:
    keys = {"use_default": False, "include_claim_keys": ["repo", "context"]}
    account.github_says(keys | {"sub_claim_prefix": PREFIX})
    assert sent(account)["GitHubSubject"] == SUBJECT


def test_the_domain_is_told_where_to_point(account: Account) -> None:
    choose(account, DOMAIN_NAME="api.example.com")
    account.provision().ends(0, f"api.example.com must point (CNAME or alias) to {BALANCER}")


# --- what became of it since ---

NAMES = {
    "APP_NAME": "AppName",
    "ECR_REPOSITORY": "RepositoryName",
    "LOG_GROUP": "LogGroupName",
    "ECS_CLUSTER": "ClusterName",
    "ECS_SERVICE": "ServiceName",
    "EXECUTION_ROLE": "ExecutionRoleName",
    "TASK_ROLE": "TaskRoleName",
    "DEPLOY_ROLE": "DeployRoleName",
}


@pytest.mark.parametrize("arguments", [[], ["--destroy"]])
def test_nothing_that_a_stack_has_is_renamed(account: Account, arguments: list[str]) -> None:
    account.is_up_to_date(**{NAMES[name]: "as-before" for name in NAMES})
    run = account.provision(*arguments)
    run.ends(2, *(f'{name}="as-before"' for name in NAMES), "infra/provision.sh --destroy")
    assert changed(run) == []


def test_what_somebody_deleted_is_recreated_under_its_name(account: Account) -> None:
    account.is_up_to_date()
    account.has_lost("ECR_REPOSITORY", "LOG_GROUP", "ECS_CLUSTER")
    account.provision("--plan").ends(0, "to recreate: somebody has deleted it")
    account.is_up_to_date()
    run = account.provision()
    run.ends(0, "recreated, empty")
    settings = account.settings
    assert [
        run.request("ecr create-repository"),
        run.request("logs create-log-group"),
        run.request("ecs create-cluster"),
    ] == [
        {"repositoryName": settings["ECR_REPOSITORY"]},
        {"logGroupName": settings["LOG_GROUP"]},
        {"clusterName": settings["ECS_CLUSTER"]},
    ]
    assert changed(run)[-len(APPLIES) :] == APPLIES


def test_a_role_that_somebody_deleted_needs_another_name(account: Account) -> None:
    role = account.settings["DEPLOY_ROLE"]
    account.is_up_to_date(DeployRoleName=role)
    account.answers("iam get-role", refusal("NoSuchEntity"))
    run = account.provision()
    run.ends(2, f"somebody has deleted the role {role}", f'DEPLOY_ROLE="{role}-2"')
    assert changed(run) == []


# --- it does not work out ---


def test_a_stack_that_fails_names_the_first_that_failed(account: Account) -> None:
    role, balancer = "AWS::IAM::Role", "AWS::ElasticLoadBalancingV2::LoadBalancer"
    account.happens(
        account.event("REVIEW_IN_PROGRESS"),
        then=[
            [account.event("CREATE_IN_PROGRESS")],
            [
                account.event("CREATE_FAILED", "TaskRole", role, "Resource creation cancelled"),
                account.event("CREATE_FAILED", "LoadBalancer", balancer, "You have too many"),
                account.event("CREATE_FAILED", "DeployRole", role, "It exists already"),
                account.event("ROLLBACK_IN_PROGRESS", reason="The following failed: [...]"),
            ],
            [account.event("DELETE_COMPLETE", "Cluster", "AWS::ECS::Cluster")],
            [account.event("ROLLBACK_COMPLETE")],
        ],
    )
    run = account.provision()
    run.ends(1, "LoadBalancer: You have too many", "it goes back", "ROLLBACK_COMPLETE")
    (error,) = (line for line in run.err.splitlines() if line.startswith("error:"))
    assert "LoadBalancer: You have too many" in error
    assert "DeployRole" not in error
    assert not set(APPLIES) & set(run.asked)


def test_an_update_that_fails_is_red_too(account: Account) -> None:
    account.is_up_to_date()
    account.changes(("Modify", "LogGroup", "AWS::Logs::LogGroup"))
    account.happens(
        account.event("CREATE_COMPLETE"),
        then=[
            [account.event("UPDATE_IN_PROGRESS")],
            [account.event("UPDATE_FAILED", "LogGroup", "AWS::Logs::LogGroup", "No such days")],
            [account.event("UPDATE_ROLLBACK_IN_PROGRESS")],
            [account.event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")],
            [account.event("UPDATE_ROLLBACK_COMPLETE")],
        ],
    )
    account.provision().ends(1, "LogGroup: No such days")


def test_an_update_is_not_over_while_it_cleans_up(account: Account) -> None:
    account.is_up_to_date()
    account.changes(("Modify", "Cluster", "AWS::ECS::Cluster"))
    account.happens(
        account.event("UPDATE_COMPLETE"),
        then=[
            [],
            [account.event("UPDATE_IN_PROGRESS")],
            [account.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")],
            [account.event("DELETE_FAILED", "TargetGroup", "AWS::X::Y", "It is in use")],
            [account.event("UPDATE_COMPLETE")],
        ],
    )
    run = account.provision()
    run.ends(0, "failed     TargetGroup")
    assert run.asked.count("cloudformation describe-stack-events") == 6


def test_what_finishes_is_told_once_and_silence_never_lasts(account: Account) -> None:
    account.happens(then=[account.creation()[0], *[[]] * 8, *account.creation()[1:]])
    run = account.provision()
    lines = run.out.splitlines()
    for _, id, kind in account.resources():
        assert [line for line in lines if line.endswith(f" {id} ({kind})")] == [
            f"  made       {id} ({kind})"
        ]
    waits = [line for line in lines if re.match(r"  \d+ s: waiting for ", line)]
    assert len(waits) == 1, "40 s without an event need one line, after 30 s"
    assert "Repository, LogGroup" in waits[0]


def test_a_change_set_that_aws_refuses_leaves_nothing_behind(account: Account) -> None:
    account.answers(MAKES_A_CHANGE_SET, refusal("ValidationError", "AssignPublicIp must be"))
    run = account.provision()
    run.ends(2, "AssignPublicIp must be")
    assert changed(run) == [MAKES_A_CHANGE_SET]


def test_a_change_set_that_fails_takes_its_empty_stack_along(account: Account) -> None:
    account.is_only_planned()
    account.refuses_changes("Parameter validation failed: no such subnet")
    run = account.provision()
    run.ends(2, "no such subnet")
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-stack"]


NOT_VALID = "validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]"


def test_what_cloudformation_finds_wrong_before_it_begins_is_named(account: Account) -> None:
    """The reason of the change set says only where to ask."""
    account.is_only_planned()
    account.refuses_changes(NOT_VALID)
    events = [
        {"EventType": "STACK_EVENT", "EventId": "1"},
        {
            "EventType": "VALIDATION_ERROR",
            "EventId": "2",
            "LogicalResourceId": "TaskRole",
            "ValidationStatusReason": "One of\nthat name already exists.",
        },
    ]
    account.answers("cloudformation describe-events", {"OperationEvents": events})
    run = account.provision()
    run.ends(2, "TaskRole: One of that name already exists.", "another name in infra/settings.env")
    asked = run.request("cloudformation describe-events")
    assert asked == {"ChangeSetName": CHANGE_SET, "Filters": {"FailedEvents": True}}
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-stack"]


def test_an_aws_that_cannot_be_asked_for_it_gives_the_reason_of_the_change_set(
    account: Account,
) -> None:
    account.refuses_changes(NOT_VALID)
    account.answers("cloudformation describe-events", Refusal("argument operation: Invalid choice"))
    account.provision().ends(2, NOT_VALID)


def test_an_old_cli_is_told_apart(account: Account) -> None:
    text = 'Parameter validation failed: Unknown parameter in input: "ImportExistingResources"'
    account.answers(MAKES_A_CHANGE_SET, refusal("ParamValidation", text))
    account.provision().ends(2, "update the AWS CLI")


def test_a_change_set_that_may_not_be_executed_is_red(account: Account) -> None:
    account.answers(EXECUTES, refusal("AccessDenied"))
    account.provision().ends(1, "cloudformation execute-change-set")


def test_one_answer_that_is_lost_does_no_harm_and_three_are_no_verdict(account: Account) -> None:
    lost = refusal("Throttling")
    before = account.event("REVIEW_IN_PROGRESS")
    account.happens(before, then=[[lost], [lost], [account.event("CREATE_COMPLETE")]])
    account.provision().ends(0, "no answer from CloudFormation (2 of 3)")

    account.has_no_stack()
    account.happens(before, then=[[lost], [lost], [lost]])
    account.has_service_roles()
    account.provision().ends(3, "did not answer three times in a row", "goes on")


def test_a_stack_that_never_ends_is_no_verdict(account: Account) -> None:
    account.edit("infra/settings.env", 'ROLLOUT_TIMEOUT="1500"', 'ROLLOUT_TIMEOUT="60"')
    account.happens(account.event("REVIEW_IN_PROGRESS"), then=[[]])
    account.provision().ends(3, "is not done after 60 s", "goes on")


def test_a_change_set_that_is_never_ready_is_no_verdict(account: Account) -> None:
    account.edit("infra/settings.env", 'ROLLOUT_TIMEOUT="1500"', 'ROLLOUT_TIMEOUT="60"')
    account.answers("cloudformation describe-change-set", {"Status": "CREATE_IN_PROGRESS"})
    run = account.provision()
    run.ends(3, "is not ready after 60 s", "30 s: waiting for the change set", "may be left")


def test_a_policy_that_aws_refuses_is_red(account: Account) -> None:
    account.answers("iam put-role-policy", refusal("MalformedPolicyDocument", "Syntax errors"))
    account.provision().ends(1, "iam put-role-policy", "Syntax errors")


# --- what state the stack is in ---


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_a_stack_that_never_came_up_is_deleted_and_made_anew(account: Account, status: str) -> None:
    account.has_that_stack(status, VpcId="vpc-of-old", SubnetIds="subnet-of-old")
    account.happens(
        account.event(status),
        then=[
            [account.event("DELETE_COMPLETE")],
            [],  # what CloudFormation knows when the next begins
            [account.event("CREATE_COMPLETE")],
        ],
    )
    run = account.provision()
    run.ends(0, "deleted and recreated")
    assert changed(run)[:2] == ["cloudformation delete-stack", MAKES_A_CHANGE_SET]
    assert run.request(MAKES_A_CHANGE_SET)["ChangeSetType"] == "CREATE"
    assert parameters(run)["VpcId"] == "vpc-1", "a network that never came up is not kept"


def test_a_stack_that_was_only_planned_is_created(account: Account) -> None:
    account.has_that_stack("REVIEW_IN_PROGRESS")
    account.changes(*account.resources())
    run = account.provision()
    run.ends(0)
    assert run.request(MAKES_A_CHANGE_SET)["ChangeSetType"] == "CREATE"
    assert "cloudformation delete-stack" not in run.asked


@pytest.mark.parametrize(
    ("status", "says", "arguments"),
    [
        ("CREATE_IN_PROGRESS", "wait until it is done", []),
        ("CREATE_IN_PROGRESS", "wait until it is done", ["--plan"]),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "wait until it is done", []),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait until it is done", []),
        ("DELETE_IN_PROGRESS", "wait until it is done", []),
        ("ROLLBACK_IN_PROGRESS", "wait until it is done", []),
        ("DELETE_FAILED", "infra/provision.sh --destroy", []),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback", ["--plan"]),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback", []),
    ],
)
def test_a_stack_that_cannot_be_changed_is_left_alone(
    account: Account, status: str, says: str, arguments: list[str]
) -> None:
    account.has_that_stack(status)
    run = account.provision(*arguments)
    run.ends(2, account.settings["STACK_NAME"], says)
    assert changed(run) == []


# --- ready or not ---


def test_the_wrong_account_is_refused(account: Account) -> None:
    identity = {"Account": "999999999999", "Arn": "arn:aws:iam::999999999999:user/me"}
    account.answers("sts get-caller-identity", identity)
    run = account.provision()
    run.ends(2, "999999999999", "123456789012")
    assert run.asked == ["sts get-caller-identity"]


def test_no_credentials_are_said(account: Account) -> None:
    account.answers("sts get-caller-identity", refusal("ExpiredToken", "The token has expired"))
    run = account.provision()
    run.ends(2, "The token has expired", "sign in")
    assert run.asked == ["sts get-caller-identity"]


@pytest.mark.parametrize("tool", ["aws", "jq"])
def test_a_tool_that_is_missing_is_named(account: Account, tool: str) -> None:
    account.lacks(tool)
    account.provision().ends(2, f"not installed: {tool}")


def test_neither_docker_nor_a_lock_nor_a_commit_is_needed(account: Account) -> None:
    assert not (account.bin / "docker").exists()
    assert not (account.service / "uv.lock").exists()
    account.provision().ends(0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("infra/task-definition.json", "{"),
        ("infra/service.json", "[]"),
        ("infra/ecr-lifecycle-policy.json", ""),
        ("infra/ecr-lifecycle-policy.json", "{} {}"),
        ("ops/iam-policy-github-actions.json", "{"),
        ("ops/iam-policy-github-actions.json", "[]"),
    ],
)
def test_a_document_that_is_broken_is_named_before_aws_is_asked(
    account: Account, name: str, text: str
) -> None:
    account.write(name, text)
    run = account.provision()
    run.ends(2, name)
    assert run.asked == []


@pytest.mark.parametrize(
    "arguments", [["--destory"], ["plan"], ["--purge"], ["--plan", "--destroy"], [""]]
)
def test_what_it_does_not_know_is_refused(account: Account, arguments: list[str]) -> None:
    run = account.provision(*arguments)
    if arguments == [""]:
        run.ends(0)  # no argument, but for the quotes
    else:
        run.ends(2, " ".join(arguments), "infra/provision.sh --help")
        assert run.asked == []


def test_help_says_every_exit_code(account: Account) -> None:
    run = account.provision("--help")
    run.ends(0, "--plan", "--destroy", "--purge")
    assert re.findall(r"^  (\d+) ", run.out, re.MULTILINE) == ["0", "1", "2", "3", "130"]
    assert run.asked == []


# --- stopped half-way ---


@pytest.mark.parametrize(
    ("while_asking", "says"),
    [
        (MAKES_A_CHANGE_SET, "may be left in the stack ai-assistant. It does no harm"),
        ("cloudformation describe-change-set", "It does no harm"),
        ("cloudformation execute-change-set", "CloudFormation goes on with ai-assistant"),
    ],
)
def test_ctrl_c_says_what_goes_on(account: Account, while_asking: str, says: str) -> None:
    (account.stage / "real-time").touch()
    account.has_service_roles(*SERVICE_ROLES.values())
    if "execute" in while_asking:
        ready = {"Status": "CREATE_COMPLETE", "Changes": []}
        account.answers("cloudformation describe-change-set", ready)
    process = account.start(str(account.service / "infra/provision.sh"))
    account.wait_for(while_asking)
    account.stopped(process, signal.SIGINT).ends(130, says)


# --- planned only ---


def test_a_plan_for_a_new_account_leaves_not_even_an_empty_stack(account: Account) -> None:
    account.is_only_planned()
    run = account.provision("--plan")
    run.ends(0, "add               Cluster (AWS::ECS::Cluster)", HOST, *SERVICE_ROLES.values())
    run.ends(0, "a month", "infra/ecr-lifecycle-policy.json", "Nothing was changed")
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-stack"]


def test_a_plan_for_a_stack_says_each_kind_of_change(account: Account) -> None:
    account.is_up_to_date()
    account.changes(
        ("Modify", "LogGroup", "AWS::Logs::LogGroup"),
        ("Remove", "HttpsListener", "AWS::ElasticLoadBalancingV2::Listener"),
        ("Import", "Repository", "AWS::ECR::Repository"),
    )
    run = account.provision("--plan")
    run.ends(0, "  change            LogGroup", "  remove            HttpsListener")
    run.ends(0, "  take over         Repository", "1 to change")
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-change-set"]


@pytest.mark.parametrize(
    ("replacement", "word"), [("True", "replace "), ("Conditional", "change or replace ")]
)
def test_a_plan_tells_what_is_replaced(account: Account, replacement: str, word: str) -> None:
    account.is_up_to_date()
    account.changes(("Modify", "LoadBalancer", "AWS::X::Y"), replacement=replacement)
    assert f"\n  {word}" in account.provision("--plan").out


def test_a_plan_with_nothing_to_do_says_so(account: Account) -> None:
    account.is_up_to_date()
    run = account.provision("--plan")
    run.ends(0, "nothing to change")
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-change-set"]


def test_a_plan_for_a_stack_that_never_came_up_asks_for_nothing(account: Account) -> None:
    account.has_that_stack("ROLLBACK_COMPLETE")
    run = account.provision("--plan")
    run.ends(0, "would be deleted and recreated", "cannot show a change set")
    assert changed(run) == []


def test_a_plan_does_not_delete_a_stack_that_somebody_has_created_meanwhile(
    account: Account,
) -> None:
    run = account.provision("--plan")
    assert changed(run) == [MAKES_A_CHANGE_SET, "cloudformation delete-change-set"]


def test_a_plan_that_cannot_clean_up_says_what_is_left(account: Account) -> None:
    account.is_only_planned()
    account.answers("cloudformation delete-stack", refusal("Throttling"))
    account.provision("--plan").ends(0, "is left in the stack ai-assistant")


def test_a_change_set_without_changes_says_the_reason_of_cloudformation_either_way(
    account: Account,
) -> None:
    for reason in NO_CHANGES, "No updates are to be performed.":
        account.is_up_to_date()
        account.refuses_changes(reason)
        account.provision().ends(0, "nothing to change")
