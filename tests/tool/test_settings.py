"""The settings: each value has one shape, and a wrong one is refused before AWS is asked."""

import re
from pathlib import Path

import pytest
from infra.tool import settings_file
from infra.tool.errors import ToolError
from infra.tool.settings import Deploy, Network, Settings
from rendering import Render
from support.checkout import Checkout, Run

ACCOUNT, REGION = "123456789012", "us-east-1"
OTHER_ACCOUNT, OTHER_REGION = "210987654321", "eu-west-1"
CERTIFICATE = "certificate/12345678-1234-1234-1234-123456789012"
KEY = "key/1234abcd-12ab-34cd-56ef-1234567890ab"


def arn(service: str, rest: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{rest}"


NOT_A_NAME = {
    "an ARN": arn("ecs", "service/ai-assistant"),
    "a URL": "https://example.com/ai-assistant",
    "a list": "ai-assistant,another",
    "a wildcard": "ai-assistant*",
    "whitespace": "ai assistant",
    "a blank at its end": "ai-assistant ",
    "nothing": "",
}
NOT_A_NUMBER = {
    "a word": "one",
    "a list": "1,2",
    "a unit": "25 min",
    "whitespace": " 1",
    "a fraction": "1.5",
    "a negative number": "-1",
    "a leading zero, which a shell reads as octal": "08",
    "digits of another script": "٣",
    "nothing": "",
}
NOT_SUBNETS = {
    "a name": "public-a",
    "an ARN": arn("ec2", "subnet/subnet-0a1b2c3d"),
    "ids separated by a blank": "subnet-0a1b2c3d subnet-4e5f6a7b",
    "a wildcard": "subnet-*",
    "an id twice": "subnet-0a1b2c3d,subnet-0a1b2c3d",
    "an id of something else": "vpc-0a1b2c3d",
}


def not_an_arn(service: str, right: str) -> dict[str, str]:
    """The wrong forms of a setting that takes one ARN."""
    return {
        "a name instead of an ARN": right.rpartition("/")[2],
        "a URL": f"https://{service}.{REGION}.amazonaws.com/{right}",
        "a list instead of one": f"{arn(service, right)},{arn(service, right)}",
        "another account": arn(service, right, account=OTHER_ACCOUNT),
        "another region": arn(service, right, region=OTHER_REGION),
        "another partition": arn(service, right).replace("arn:aws:", "arn:aws-cn:"),
        "another service": arn("ecs", right),
        "a wildcard": arn(service, "*"),
        "whitespace": f" {arn(service, right)}",
    }


# By setting: what is wrong about a value, and the value.
WRONG: dict[str, dict[str, str]] = {
    "APP_NAME": NOT_A_NAME | {"capitals": "Assistant", "reserved": "aws-assistant"},
    "AWS_ACCOUNT_ID": {
        "a name": "my-company",
        "a digit less": ACCOUNT[:-1],
        "hyphens": "1234-5678-9012",
        "a list": f"{ACCOUNT},{OTHER_ACCOUNT}",
        "whitespace": f"{ACCOUNT} ",
        "an ARN": f"arn:aws:iam::{ACCOUNT}:root",
        "digits of another script": "١٢٣٤٥٦٧٨٩٠١٢",
    },
    "AWS_REGION": {
        "a zone": "us-east-1a",
        "a name in words": "N. Virginia",
        "a list": f"{REGION},{OTHER_REGION}",
        "a wildcard": "*",
        "whitespace": f" {REGION}",
        "capitals": "US-EAST-1",
    },
    "AWS_PARTITION": {"a wildcard": "*", "a region": REGION, "whitespace": "aws "},
    "ECR_REGISTRY": {
        "a URL": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "the name of a registry": "docker.io",
        "with a repository": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ai-assistant",
        "another account": f"{OTHER_ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "another region": f"{ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com",
        "another partition": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com.cn",
        "whitespace": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com ",
    },
    "STACK_NAME": NOT_A_NAME,
    "ECR_REPOSITORY": NOT_A_NAME
    | {"an address": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/a:latest", "capitals": "Assistant"},
    **dict.fromkeys(("ECS_CLUSTER", "ECS_SERVICE", "TASK_FAMILY", "CONTAINER_NAME"), NOT_A_NAME),
    "LOG_GROUP": {
        "an ARN": arn("logs", "log-group:/ecs/ai-assistant-app:*"),
        "a wildcard": "/ecs/*",
        "whitespace": "/ecs/ai assistant",
        "a list": "/ecs/a,/ecs/b",
        "nothing": "",
    },
    **{
        name: {
            "an ARN": f"arn:aws:iam::{ACCOUNT}:role/my-role",
            "a path": "service-role/my-role",
            "a wildcard": "my-*",
            "whitespace": "my role",
            "nothing": "",
        }
        for name in ("EXECUTION_ROLE", "TASK_ROLE", "DEPLOY_ROLE")
    },
    "MIN_TASKS": NOT_A_NUMBER | {"zero": "0"},
    "MAX_TASKS": NOT_A_NUMBER | {"zero": "0"},
    "ROLLOUT_POLL": NOT_A_NUMBER,
    "ROLLOUT_TIMEOUT": NOT_A_NUMBER,
    "TASK_SUBNET_IDS": NOT_SUBNETS,
    "SUBNET_IDS": NOT_SUBNETS,
    "ASSIGN_PUBLIC_IP": {
        "another word": "yes",
        "small letters": "enabled",
        "whitespace": "ENABLED ",
        "nothing": "",
    },
    "GITHUB_REPO": {
        "a URL": "https://github.com/my-company/ai-assistant",
        "an address of ssh": "git@github.com:my-company/ai-assistant.git",
        "the ending of a clone": "my-company/ai-assistant.git",
        "a name alone": "ai-assistant",
        "a list": "my-company/a,my-company/b",
        "a wildcard": "my-company/*",
        "whitespace": "my-company/ai-assistant ",
    },
    "GITHUB_ENVIRONMENT": {"whitespace at its end": "live ", "a control character": "live\x07"},
    "GITHUB_SUBJECT": {
        "every branch": "repo:my-company/ai-assistant:*",
        "any one character": "repo:my-company/ai-assistant:ref:refs/heads/mai?",
        "a repository": "my-company/ai-assistant",
        "a URL": "https//github.com/my-company/ai-assistant",
        "whitespace": " repo:my-company/ai-assistant:ref:refs/heads/main",
        "whitespace at its end": "repo:my-company/ai-assistant:ref:refs/heads/main ",
    },
    "GITHUB_ISSUER": {
        "a URL": "https://token.actions.githubusercontent.com",
        "a word": "github",
        "a wildcard": "*.githubusercontent.com",
        "a list": "token.actions.githubusercontent.com,github.example.com",
        "whitespace": " token.actions.githubusercontent.com",
    },
    "DEPLOY_USER": {
        "an ARN": f"arn:aws:iam::{ACCOUNT}:user/deployer",
        "a path": "ci/deployer",
        "a wildcard": "*",
        "whitespace": "the deployer",
    },
    "VPC_ID": {
        "a name": "default",
        "an ARN": arn("ec2", "vpc/vpc-0a1b2c3d"),
        "a list": "vpc-0a1b2c3d,vpc-4e5f6a7b",
        "a wildcard": "vpc-*",
        "whitespace": "vpc-0a1b2c3d ",
    },
    "DOMAIN_NAME": {
        "a URL": "https://api.example.com",
        "a path": "api.example.com/health",
        "a port": "api.example.com:443",
        "a list": "a.example.com,b.example.com",
        "a wildcard": "*.example.com",
        "whitespace": "api.example.com ",
        "a host alone": "api",
    },
    "CERTIFICATE_ARN": not_an_arn("acm", CERTIFICATE)
    | {"a certificate of IAM": f"arn:aws:iam::{ACCOUNT}:server-certificate/api"},
    "LOG_RETENTION_DAYS": NOT_A_NUMBER | {"a number that CloudWatch does not offer": "31"},
    "ALARM_TOPIC_ARN": not_an_arn("sns", "alarms")
    | {"a subscription": arn("sns", "alarms:1234abcd-12ab-34cd-56ef-1234567890ab")},
    "BEDROCK_MODELS": {
        "a wildcard": "*",
        "a wildcard of a provider": "amazon.*",
        "a name in words": "Nova Lite",
        "a name without its provider": "nova-lite",
        "a URL": "https://bedrock-runtime.us-east-1.amazonaws.com",
        "another account": arn("bedrock", "inference-profile/us.a.b", account=OTHER_ACCOUNT),
        "another partition": "arn:aws-cn:bedrock:us-east-1::foundation-model/a.b",
        "an ARN of something else": arn("bedrock", "guardrail/abc"),
        "ids separated by a blank": "amazon.nova-lite-v1:0 amazon.nova-pro-v1:0",
        "an id twice": "amazon.nova-lite-v1:0,amazon.nova-lite-v1:0",
    },
    "S3_READ_BUCKETS": {
        "an ARN": "arn:aws:s3:::my-bucket",
        "a URL": "s3://my-bucket",
        "a prefix of keys": "my-bucket/reports",
        "a wildcard": "my-*",
        "names separated by a blank": "a-bucket another-bucket",
        "capitals": "MyBucket",
        "a name twice": "my-bucket,my-bucket",
    },
    "TRACING": {"another word": "on", "capitals": "XRAY", "whitespace": "xray "},
    "SECRETS_KMS_KEY_ARN": not_an_arn("kms", KEY)
    | {
        "the ARN of an alias": arn("kms", "alias/my-key"),
        "an alias": "alias/my-key",
        "the id of a key": KEY.removeprefix("key/"),
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_form_is_refused_before_aws_is_asked(rendered: Checkout, name: str) -> None:
    if name == "CERTIFICATE_ARN":
        rendered.set("DOMAIN_NAME", "api.example.com")
    for form, value in WRONG[name].items():
        rendered.set(name, value)
        run = look(rendered)
        complaints = run.err.splitlines()[0].partition("infra/settings.env: ")[2].split("; ")
        about = [each for each in complaints if each.startswith(f"{name}=")]
        assert about, f"{name} takes {form}, {value!r}: refuse it\n{run.text}"
        assert re.search("for example|expects (one of|ENABLED|the ECR registry)", about[0]), (
            f"show one right value: {about[0]}"
        )
        others = {each.partition("=")[0] for each in complaints} - {name}
        assert others <= FOLLOW.get(name, set()), f"{name} is wrong ({form}), and {others} are not"


def look(service: Checkout, **environment: str) -> Run:
    """A command that ends because of the settings, before it asks AWS for anything."""
    run = service.run("status", principal="root", **environment)
    assert run.operations == [], "ask AWS for nothing while a setting is wrong"
    return run.expect(2, "settings-wrong")


# Settings that are derived from another one in the file, and so are wrong with it.
FOLLOW = {
    "APP_NAME": {
        *("STACK_NAME", "ECR_REPOSITORY", "ECS_CLUSTER", "ECS_SERVICE", "TASK_FAMILY"),
        *("CONTAINER_NAME", "LOG_GROUP", "EXECUTION_ROLE", "TASK_ROLE", "DEPLOY_ROLE"),
    },
    "AWS_REGION": {"EXECUTION_ROLE", "TASK_ROLE", "DEPLOY_ROLE"},
}


def test_every_setting_of_the_file_is_in_the_table(example: Render) -> None:
    assert example.settings().keys() == WRONG.keys() == settings_file.ENVIRONMENT.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_ENVIRONMENT", "live, and watched"),
        ("GITHUB_SUBJECT", "repo:my-company@1/ai-assistant@2:environment:live and watched"),
        ("SUBNET_IDS", " subnet-0a1b2c3d , subnet-4e5f6a7b,"),
        ("BEDROCK_MODELS", "us.amazon.nova-pro-v1:0"),
        ("BEDROCK_MODELS", "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"),
        ("BEDROCK_MODELS", arn("bedrock", "application-inference-profile/abc123")),
        ("S3_READ_BUCKETS", "my-bucket,logs.example.com"),
        ("ALARM_TOPIC_ARN", arn("sns", "alarms")),
        ("SECRETS_KMS_KEY_ARN", arn("kms", KEY)),
        ("SECRETS_KMS_KEY_ARN", arn("kms", "key/mrk-1234abcd12ab34cd56ef1234567890ab")),
        ("TRACING", "xray"),
        ("ASSIGN_PUBLIC_IP", "DISABLED"),
        ("ROLLOUT_POLL", "0"),
        ("MAX_TASKS", "1"),
        ("EXECUTION_ROLE", "another+role=of,this@account"),
    ],
)
def test_a_right_form_is_taken(rendered: Checkout, name: str, value: str) -> None:
    rendered.set(name, value)
    section, key = settings_file.ENVIRONMENT[name]
    found = getattr(getattr(rendered.settings, section), key)
    assert found == settings_file.as_value(name, value) or str(found) == value


def test_items_of_a_list_lose_their_blanks_and_empty_ones_are_ignored(rendered: Checkout) -> None:
    rendered.set("SUBNET_IDS", " subnet-0a1b2c3d , subnet-4e5f6a7b,")
    assert rendered.settings.network.subnets == ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]


def test_all_complaints_come_at_once(rendered: Checkout) -> None:
    wrong = {"MIN_TASKS": "one", "VPC_ID": "default", "ALARM_TOPIC_ARN": "alarms", "TRACING": "on"}
    for name, value in wrong.items():
        rendered.set(name, value)
    run = look(rendered)
    for name, value in wrong.items():
        assert f"{name}='{value}'" in run.err
    assert len(run.err.splitlines()) == 2, "one line says what is wrong, one what to do"


def test_more_tasks_at_least_than_at_most_are_refused(rendered: Checkout) -> None:
    rendered.set("MIN_TASKS", "10")
    run = look(rendered)
    assert "MAX_TASKS='4' is below the minimum, 10" in run.err


def test_a_certificate_without_its_domain_is_refused(rendered: Checkout) -> None:
    rendered.set("CERTIFICATE_ARN", arn("acm", CERTIFICATE))
    run = look(rendered)
    assert "CERTIFICATE_ARN=" in run.err
    assert "for example api.example.com" in run.err


def test_a_file_that_is_gone_is_taken_back_from_git(rendered: Checkout) -> None:
    (rendered.folder / "infra" / "settings.env").unlink()
    run = rendered.run("status", principal="root").expect(2, "settings-missing")
    assert "git restore infra/settings.env" in run.err
    assert run.operations == []


@pytest.mark.parametrize("name", ["APP_NAME", "AWS_REGION", "MIN_TASKS", "ECR_REGISTRY"])
def test_a_setting_without_a_default_is_missed_also_if_the_shell_has_it(
    rendered: Checkout, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered.edit("infra/settings.env", f'\n{name}="', f'\nNOT_{name}="')
    value = {"AWS_REGION": REGION, "MIN_TASKS": "1"}.get(name, "ai-assistant")
    monkeypatch.setenv(name, value)
    run = look(rendered, **{name: value})
    assert f"{name} is missing" in run.err


def test_names_follow_from_the_service_if_the_file_does_not_say_them(rendered: Checkout) -> None:
    path = rendered.folder / "infra" / "settings.env"
    names = {name for name, (section, _) in settings_file.ENVIRONMENT.items() if section == "names"}
    given = rendered.settings.names
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.partition("=")[0] not in names]
    assert len(lines) - len(kept) == len(names)
    path.write_text("".join(kept), encoding="utf-8")
    assert rendered.settings.names == given


def test_every_name_follows_from_the_name_of_the_service(rendered: Checkout) -> None:
    rendered.set("APP_NAME", "another")
    for name, value in rendered.settings.names.model_dump().items():
        assert "another" in value, f"{name} is {value}, and the service is another"
        assert "ai-assistant" not in value


def test_an_unknown_key_is_an_error(rendered: Checkout) -> None:
    """The models refuse it; infra/settings.env may still hold lines of the owner's."""
    sections = rendered.settings.model_dump()
    sections["tasks"]["minimum"] = 1
    with pytest.raises(ValueError, match=r"tasks\.minimum"):
        Settings.model_validate(sections)


def test_lines_of_the_owner_s_do_no_harm(rendered: Checkout) -> None:
    before = rendered.settings
    with (rendered.folder / "infra" / "settings.env").open("a", encoding="utf-8") as file:
        file.write("\nAWS_PROFILE=work\nexport OTHER='$unset'\nif [ -e it's ]; then\n")
    assert rendered.settings == before


@pytest.mark.parametrize(
    ("deploy", "network", "expected"),
    [
        (Deploy(), Network(), True),
        (Deploy(), Network(internal=True), False),
        (Deploy(), Network(allowed_cidrs=["203.0.113.0/24"]), False),
        (Deploy(reachable=True), Network(internal=True), True),
        (Deploy(reachable=False), Network(), False),
    ],
)
def test_an_internal_or_closed_load_balancer_is_not_expected_to_be_reachable(
    rendered: Checkout, deploy: Deploy, network: Network, expected: bool
) -> None:
    changed = rendered.settings.model_copy(update={"deploy": deploy, "network": network})
    assert changed.is_reachable == expected


@pytest.mark.parametrize("cidr", ["203.0.113.1/24", "203.0.113.0/33", "example.com", "*", ""])
def test_a_range_of_addresses_that_is_none_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match=r"for example 203\.0\.113\.0/24"):
        Network(allowed_cidrs=[cidr])


def test_without_a_file_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        settings_file.read(tmp_path)
    assert error.value.code == "settings-missing"
