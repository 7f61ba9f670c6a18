"""The settings: each value has one shape, and a wrong one is refused before AWS is asked."""

import json
import re
import tomllib
from typing import Any

import pytest
from infra.tool import settings_file
from infra.tool.settings import Deploy, Network

from tests.support.checkout import Checkout, Run
from tests.support.rendering import Render
from tests.support.settings import Value

ACCOUNT, REGION = "123456789012", "us-east-1"
OTHER_ACCOUNT, OTHER_REGION = "210987654321", "eu-west-1"
ACL = "regional/webacl/my-acl/12345678-1234-1234-1234-123456789012"
CERTIFICATE = "certificate/12345678-1234-1234-1234-123456789012"
KEY = "key/1234abcd-12ab-34cd-56ef-1234567890ab"


def arn(service: str, rest: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{rest}"


NOT_A_NAME: dict[str, Any] = {
    "an ARN": arn("ecs", "service/ai-assistant"),
    "a URL": "https://example.com/ai-assistant",
    "a list": "ai-assistant,another",
    "a wildcard": "ai-assistant*",
    "whitespace": "ai assistant",
    "a blank at its end": "ai-assistant ",
    "nothing": "",
    "a number": 1,
}
NOT_A_NUMBER: dict[str, Any] = {
    "a word": "one",
    "a list": "1,2",
    "a unit": "25 min",
    "whitespace": " 1",
    "a fraction": "1.5",
    "a negative number": -1,
    "a leading zero": "08",
    "digits of another script": "٣",
    "nothing": "",
    "a truth value": True,
    "a list of one": [1],
}
NOT_SUBNETS: dict[str, Any] = {
    "one id instead of a list": "subnet-0a1b2c3d",
    "a name": ["public-a"],
    "an ARN": [arn("ec2", "subnet/subnet-0a1b2c3d")],
    "ids in one text": ["subnet-0a1b2c3d,subnet-4e5f6a7b"],
    "a wildcard": ["subnet-*"],
    "an id twice": ["subnet-0a1b2c3d", "subnet-0a1b2c3d"],
    "an id of something else": ["vpc-0a1b2c3d"],
    "a number": [1],
    "a table": {"a": "subnet-0a1b2c3d"},
}


NOT_A_SWITCH: dict[str, Any] = {
    "a word in quotes": "true",
    "a word of CloudFormation": "ENABLED",
    "a number": 1,
    "nothing": "",
}


def not_an_arn(service: str, right: str) -> dict[str, Any]:
    """The wrong forms of a setting that takes one ARN."""
    return {
        "a name instead of an ARN": right.rpartition("/")[2],
        "a URL": f"https://{service}.{REGION}.amazonaws.com/{right}",
        "a list instead of one": [arn(service, right)],
        "two in one text": f"{arn(service, right)},{arn(service, right)}",
        "another account": arn(service, right, account=OTHER_ACCOUNT),
        "another region": arn(service, right, region=OTHER_REGION),
        "another partition": arn(service, right).replace("arn:aws:", "arn:aws-cn:"),
        "another service": arn("ecs", right),
        "a wildcard": arn(service, "*"),
        "whitespace": f" {arn(service, right)}",
    }


# By setting: what is wrong about a value, and the value.
WRONG: dict[str, dict[str, Any]] = {
    "service.name": NOT_A_NAME | {"capitals": "Assistant", "reserved": "aws-assistant"},
    "service.account": {
        "a name": "my-company",
        "a digit less": ACCOUNT[:-1],
        "hyphens": "1234-5678-9012",
        "a list": f"{ACCOUNT},{OTHER_ACCOUNT}",
        "whitespace": f"{ACCOUNT} ",
        "an ARN": f"arn:aws:iam::{ACCOUNT}:root",
        "digits of another script": "١٢٣٤٥٦٧٨٩٠١٢",
    },
    "service.region": {
        "a zone": "us-east-1a",
        "a name in words": "N. Virginia",
        "a list": f"{REGION},{OTHER_REGION}",
        "a wildcard": "*",
        "whitespace": f" {REGION}",
        "capitals": "US-EAST-1",
    },
    "service.partition": {"a wildcard": "*", "a region": REGION, "whitespace": "aws "},
    "service.registry": {
        "a URL": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "the name of a registry": "docker.io",
        "with a repository": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ai-assistant",
        "another account": f"{OTHER_ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "another region": f"{ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com",
        "another partition": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com.cn",
        "whitespace": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com ",
    },
    "names.stack": NOT_A_NAME,
    "names.repository": NOT_A_NAME
    | {"an address": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/a:latest", "capitals": "Assistant"},
    **dict.fromkeys(
        ("names.cluster", "names.service", "names.family", "names.container"), NOT_A_NAME
    ),
    "names.log_group": {
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
        for name in ("names.execution_role", "names.task_role", "names.deploy_role")
    },
    "tasks.min": NOT_A_NUMBER | {"zero": "0"},
    "tasks.max": NOT_A_NUMBER | {"zero": "0"},
    "deploy.poll_seconds": NOT_A_NUMBER,
    "deploy.timeout_seconds": NOT_A_NUMBER,
    "deploy.build_flags": {"one text": "--network=host", "an empty one": [""], "a number": [1]},
    "deploy.max_severity": {
        "another word": "SEVERE",
        "lower case": "high",
        "what no source has rated": "UNDEFINED",
        "whitespace": "HIGH ",
    },
    "deploy.reachable": NOT_A_SWITCH,
    "deploy.test_secrets": {"a list": ["API_KEY"], "a number": {"API_KEY": 1}, "a text": "API_KEY"},
    "tasks.subnets": NOT_SUBNETS,
    "network.subnets": NOT_SUBNETS,
    "tasks.public_ip": NOT_A_SWITCH,
    "github.repository": {
        "a URL": "https://github.com/my-company/ai-assistant",
        "an address of ssh": "git@github.com:my-company/ai-assistant.git",
        "the ending of a clone": "my-company/ai-assistant.git",
        "a name alone": "ai-assistant",
        "a list": "my-company/a,my-company/b",
        "a wildcard": "my-company/*",
        "whitespace": "my-company/ai-assistant ",
    },
    "github.environment": {"whitespace at its end": "live ", "a control character": "live\x07"},
    "github.subject": {
        "every branch": "repo:my-company/ai-assistant:*",
        "any one character": "repo:my-company/ai-assistant:ref:refs/heads/mai?",
        "a repository": "my-company/ai-assistant",
        "a URL": "https//github.com/my-company/ai-assistant",
        "whitespace": " repo:my-company/ai-assistant:ref:refs/heads/main",
        "whitespace at its end": "repo:my-company/ai-assistant:ref:refs/heads/main ",
    },
    "github.issuer": {
        "a URL": "https://token.actions.githubusercontent.com",
        "a word": "github",
        "a wildcard": "*.githubusercontent.com",
        "a list": "token.actions.githubusercontent.com,github.example.com",
        "whitespace": " token.actions.githubusercontent.com",
    },
    "github.deploy_user": {
        "an ARN": f"arn:aws:iam::{ACCOUNT}:user/deployer",
        "a path": "ci/deployer",
        "a wildcard": "*",
        "whitespace": "the deployer",
    },
    "network.vpc": {
        "a name": "default",
        "an ARN": arn("ec2", "vpc/vpc-0a1b2c3d"),
        "a list": "vpc-0a1b2c3d,vpc-4e5f6a7b",
        "a wildcard": "vpc-*",
        "whitespace": "vpc-0a1b2c3d ",
    },
    "network.internal": NOT_A_SWITCH,
    "network.allowed_cidrs": {
        "one network instead of a list": "203.0.113.0/24",
        "a host with a length": ["203.0.113.1/24"],
        "no such length": ["203.0.113.0/33"],
        "a name": ["example.com"],
        "a wildcard": ["*"],
        "an empty one": [""],
        "a number": [1],
        "an address without a length": ["203.0.113.7"],
        "a mask": ["203.0.113.0/255.255.255.0"],
        "two in one": ["203.0.113.0/24,192.0.2.0/24"],
        "whitespace": ["203.0.113.0/24 "],
        "everywhere": ["0.0.0.0/0"],
        "everywhere in IPv6": ["::/0"],
        "a range twice": ["203.0.113.0/24", "203.0.113.0/24"],
    },
    "https.domain": {
        "a URL": "https://api.example.com",
        "a path": "api.example.com/health",
        "a port": "api.example.com:443",
        "a list": "a.example.com,b.example.com",
        "a wildcard": "*.example.com",
        "whitespace": "api.example.com ",
        "a host alone": "api",
    },
    "https.certificate": not_an_arn("acm", CERTIFICATE)
    | {"a certificate of IAM": f"arn:aws:iam::{ACCOUNT}:server-certificate/api"},
    "https.hosted_zone": {
        "the name of the zone": "example.com",
        "the form of the API": "/hostedzone/Z0123456789ABCDEFGHIJ",
        "an ARN": "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ",
        "small letters": "z0123456789abcdefghij",
        "whitespace": "Z0123456789ABCDEFGHIJ ",
        "a list": ["Z0123456789ABCDEFGHIJ"],
    },
    "https.hsts_seconds": NOT_A_NUMBER | {"a header": "max-age=300"},
    "observe.container_insights": {
        "another word": "on",
        "capitals": "ENABLED",
        "whitespace": "enabled ",
        "a truth value": True,
    },
    "observe.dashboard": NOT_A_SWITCH,
    "logs.retention_days": NOT_A_NUMBER | {"a number that CloudWatch does not offer": "31"},
    "alarms.topic": not_an_arn("sns", "alarms")
    | {"a subscription": arn("sns", "alarms:1234abcd-12ab-34cd-56ef-1234567890ab")},
    "alarms.roll_back": NOT_A_SWITCH,
    "permissions.bedrock_models": {
        "one id instead of a list": "amazon.nova-lite-v1:0",
        "a wildcard": ["*"],
        "a wildcard of a provider": ["amazon.*"],
        "a name in words": ["Nova Lite"],
        "a name without its provider": ["nova-lite"],
        "a URL": ["https://bedrock-runtime.us-east-1.amazonaws.com"],
        "another account": [arn("bedrock", "inference-profile/us.a.b", account=OTHER_ACCOUNT)],
        "another partition": ["arn:aws-cn:bedrock:us-east-1::foundation-model/a.b"],
        "an ARN of something else": [arn("bedrock", "guardrail/abc")],
        "ids separated by a blank": ["amazon.nova-lite-v1:0 amazon.nova-pro-v1:0"],
        "an id twice": ["amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"],
    },
    "permissions.s3_read_buckets": {
        "one name instead of a list": "my-bucket",
        "an ARN": ["arn:aws:s3:::my-bucket"],
        "a URL": ["s3://my-bucket"],
        "a prefix of keys": ["my-bucket/reports"],
        "a wildcard": ["my-*"],
        "names separated by a blank": ["a-bucket another-bucket"],
        "capitals": ["MyBucket"],
        "a name twice": ["my-bucket", "my-bucket"],
    },
    "security.permissions_boundary": {
        "a name instead of an ARN": "boundary",
        "a role": f"arn:aws:iam::{ACCOUNT}:role/boundary",
        "another account": f"arn:aws:iam::{OTHER_ACCOUNT}:policy/boundary",
        "another partition": f"arn:aws-cn:iam::{ACCOUNT}:policy/boundary",
        "a list instead of one": [f"arn:aws:iam::{ACCOUNT}:policy/boundary"],
        "two in one text": f"arn:aws:iam::{ACCOUNT}:policy/a,arn:aws:iam::{ACCOUNT}:policy/b",
        "a wildcard": f"arn:aws:iam::{ACCOUNT}:policy/*",
        "whitespace": f" arn:aws:iam::{ACCOUNT}:policy/boundary",
    },
    "security.role_path": {
        "a name": "team",
        "no slash at its end": "/team",
        "no slash at its start": "team/",
        "only the root": "/",
        "two slashes": "//",
        "a wildcard": "/*/",
        "whitespace": "/the team/",
    },
    **dict.fromkeys(
        ("security.log_key", "security.repository_key"),
        not_an_arn("kms", KEY) | {"the ARN of an alias": arn("kms", "alias/my-key")},
    ),
    "security.deletion_protection": NOT_A_SWITCH,
    "security.access_logs_bucket": {
        "an ARN": "arn:aws:s3:::my-bucket",
        "a URL": "s3://my-bucket",
        "a prefix of keys": "my-bucket/logs",
        "a list": ["my-bucket"],
        "a wildcard": "my-*",
        "whitespace": "my-bucket ",
        "capitals": "MyBucket",
    },
    "security.egress_cidrs": {
        "one range instead of a list": "10.0.0.0/16",
        "a range of IPv6": ["2001:db8::/32"],
        "everywhere": ["0.0.0.0/0"],
        "a host with a length": ["10.0.0.1/16"],
        "a name": ["example.com"],
        "a security group": ["sg-0a1b2c3d"],
        "a range twice": ["10.0.0.0/16", "10.0.0.0/16"],
        "too many ranges": [f"10.{number}.0.0/16" for number in range(6)],
        "too many lists": [f"pl-0a1b2c3{number}" for number in range(4)],
    },
    "security.web_acl": not_an_arn("wafv2", ACL)
    | {"of a distribution": arn("wafv2", ACL.replace("regional", "global"))},
    "permissions.tracing": {"another word": "on", "capitals": "XRAY", "whitespace": "xray "},
    "permissions.secrets_key": not_an_arn("kms", KEY)
    | {
        "the ARN of an alias": arn("kms", "alias/my-key"),
        "an alias": "alias/my-key",
        "the id of a key": KEY.removeprefix("key/"),
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_before_any_call_to_aws(rendered: Checkout, name: str) -> None:
    if name in ("https.certificate", "https.hosted_zone"):
        rendered.set("https.domain", "api.example.com")
    if name == "deploy.test_secrets":
        rendered.edit("infra/settings.toml", "[deploy.test_secrets]", "")
    for form, value in WRONG[name].items():
        rendered.set(name, value)
        [complaint] = complaints(rendered)
        assert complaint.startswith(f"{label(name)} = "), (
            f"{name} takes {form}, {value!r}: refuse it"
        )
        assert re.search("for example|expects one of|expects the ECR registry", complaint), (
            f"show one right value: {complaint}"
        )


def label(name: str) -> str:
    """As messages call a setting, such as "[tasks] min"."""
    section, _, key = name.partition(".")
    return f"[{section}] {key}"


def complaints(service: Checkout) -> list[str]:
    """The complaints of a command about the settings, before any call to AWS."""
    error = look(service).expect(2, "settings-wrong").err.splitlines()[0]
    return error.partition("infra/settings.toml: ")[2].split("; ")


def look(service: Checkout) -> Run:
    run = service.run("status", principal="root")
    assert run.operations == [], "ask AWS for nothing while a setting is wrong"
    return run


def test_every_setting_is_in_the_table() -> None:
    known = {f"{section}.{key}" for section, key in settings_file.known_settings()}
    assert known == WRONG.keys(), "say which forms of the setting are wrong"


def test_the_file_shows_every_setting_and_its_default(example: Render) -> None:
    """Names, and settings whose default depends on others, are comments."""
    text = example.text("infra/settings.toml")
    written, settings = tomllib.loads(text), example.settings()
    for section, key in settings_file.known_settings():
        value = getattr(getattr(settings, section), key)
        if key not in written[section]:
            shown = "false" if key == "reachable" else json.dumps(value)
            assert f"#   {key} = {shown}\n" in text, f"show [{section}] {key}"
        else:
            assert str(written[section][key]) == str(value), f"[{section}] {key}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("github.environment", "live, and watched"),
        ("github.environment", 'größe "x" \\'),
        ("github.subject", "repo:my-company@1/ai-assistant@2:environment:live and watched"),
        ("network.subnets", ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]),
        ("network.allowed_cidrs", ["203.0.113.0/24", "2001:db8::/32"]),
        ("permissions.bedrock_models", ["us.amazon.nova-pro-v1:0"]),
        (
            "permissions.bedrock_models",
            ["arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"],
        ),
        ("permissions.bedrock_models", [arn("bedrock", "application-inference-profile/abc123")]),
        ("permissions.s3_read_buckets", ["my-bucket", "logs.example.com"]),
        ("alarms.topic", arn("sns", "alarms")),
        ("permissions.secrets_key", arn("kms", KEY)),
        ("permissions.secrets_key", arn("kms", "key/mrk-1234abcd12ab34cd56ef1234567890ab")),
        ("alarms.roll_back", True),
        ("deploy.max_severity", "CRITICAL"),
        ("deploy.max_severity", "INFORMATIONAL"),
        ("permissions.tracing", "xray"),
        ("security.permissions_boundary", "arn:aws:iam::aws:policy/PowerUserAccess"),
        ("security.permissions_boundary", f"arn:aws:iam::{ACCOUNT}:policy/team/a/boundary"),
        ("security.role_path", "/team/web/"),
        ("security.log_key", arn("kms", KEY)),
        ("security.access_logs_bucket", "my-bucket"),
        ("security.web_acl", arn("wafv2", ACL)),
        ("security.deletion_protection", True),
        ("security.egress_cidrs", ["10.0.0.0/8", "pl-0a1b2c3d"]),
        ("tasks.public_ip", False),
        ("deploy.poll_seconds", 0),
        ("deploy.build_flags", ["--build-arg", "A=1", "--build-arg", "B=2"]),
        ("deploy.test_secrets.API_KEY", "not-a-real-key"),
        ("deploy.reachable", False),
        ("tasks.max", 1),
        ("names.execution_role", "another+role=of,this@account"),
    ],
)
def test_a_right_value_is_accepted(rendered: Checkout, name: str, value: Value) -> None:
    rendered.set(name, value)
    section, key, *more = name.split(".")
    found = getattr(getattr(rendered.settings, section), key)
    assert (found[more[0]] if more else found) == value


def test_a_number_may_be_in_quotes(rendered: Checkout) -> None:
    """As Copier writes the answers."""
    rendered.set("tasks.max", "12")
    assert rendered.settings.tasks.max == 12


def test_all_complaints_are_reported_at_once(rendered: Checkout) -> None:
    wrong = {
        "tasks.min": "one",
        "network.vpc": "default",
        "alarms.topic": "alarms",
        "permissions.tracing": "on",
    }
    for name, value in wrong.items():
        rendered.set(name, value)
    found = complaints(rendered)
    expected = [f'{label(name)} = "{value}"' for name, value in wrong.items()]
    assert [each.partition(":")[0] for each in found] == expected
    assert len(look(rendered).err.splitlines()) == 2, "one line says what is wrong, one what to do"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("min =", "minimum =", "[tasks] minimum is unknown: did you mean [tasks] min?"),
        ("vpc =", "allowed_cidr =", "[network] allowed_cidr is unknown: did you mean [network]"),
        (
            "[tasks]",
            "[tasks]\ninternal = true",
            "[tasks] internal is unknown: did you mean [network]",
        ),
        ("[logs]", "[log]", "[log] is unknown: did you mean [logs]?"),
        ("[service]", "name = 1\n[service]", "name is in no section: did you mean [service] name?"),
        ("[alarms]", "[[alarms]]", "alarms is a section: write [alarms] on a line"),
        ("[names]\n", "", "names is a section: write [names] on a line"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(
    rendered: Checkout, before: str, after: str, expected: str
) -> None:
    rendered.edit("infra/settings.toml", f"\n{before}", f"\n{after}")
    if not after:
        rendered.edit("infra/settings.toml", "[service]", 'names = "ai"\n[service]')
    assert any(each.startswith(expected) for each in complaints(rendered)), look(rendered).err


def test_a_minimum_above_the_maximum_is_refused(rendered: Checkout) -> None:
    rendered.set("tasks.min", 10)
    assert complaints(rendered) == [
        '[tasks] max = "4": is below the minimum, 10: for example 13',
    ]


def test_a_certificate_without_its_domain_is_refused(rendered: Checkout) -> None:
    rendered.set("https.certificate", arn("acm", CERTIFICATE))
    [complaint] = complaints(rendered)
    assert complaint.startswith("[https] certificate = ")
    assert complaint.endswith('for example domain = "api.example.com"')


def test_a_hosted_zone_without_a_domain_is_refused(rendered: Checkout) -> None:
    rendered.set("https.hosted_zone", "Z0123456789ABCDEFGHIJ")
    [complaint] = complaints(rendered)
    assert complaint.startswith("[https] hosted_zone = ")
    assert complaint.endswith('for example domain = "api.example.com"')


def test_hsts_without_https_is_refused(rendered: Checkout) -> None:
    rendered.set("https.domain", "api.example.com")
    rendered.set("https.hsts_seconds", 300)
    [complaint] = complaints(rendered)
    assert complaint.startswith("[https] hsts_seconds = ")
    rendered.set("https.hosted_zone", "Z0123456789ABCDEFGHIJ")
    assert rendered.settings.https.hsts_seconds == 300


def test_the_error_for_a_missing_file_restores_it_from_git(rendered: Checkout) -> None:
    (rendered.folder / "infra" / "settings.toml").unlink()
    assert "git restore infra/settings.toml" in look(rendered).expect(2, "settings-missing").err


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"<<<<<<< before updating\n", "line 1"),
        (b"[tasks]\nmin = one\n", "line 2"),
        (b"[tasks]\nmin = 1\nmin = 2\n", "line 3"),
        (b'[service]\nname = "caf\xe9"\n', "position 21"),
    ],
)
def test_a_file_that_is_not_toml_names_the_place(
    rendered: Checkout, text: bytes, where: str
) -> None:
    (rendered.folder / "infra" / "settings.toml").write_bytes(text)
    assert where in look(rendered).expect(2, "settings-broken").err


@pytest.mark.parametrize(
    "name", ["service.name", "service.region", "tasks.min", "service.registry"]
)
def test_a_missing_setting_without_a_default_is_reported(rendered: Checkout, name: str) -> None:
    key = name.partition(".")[2]
    rendered.edit("infra/settings.toml", f"\n{key} =", f"\n# {key} =")
    assert complaints(rendered) == [f"{label(name)} is missing"]


def test_variables_of_the_shell_do_not_change_settings(
    rendered: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rendered.run("settings").expect(0).out
    of_the_shell = {"AWS_REGION": OTHER_REGION, "AWS_ACCOUNT_ID": OTHER_ACCOUNT}
    for section, key in settings_file.known_settings():
        of_the_shell |= {key.upper(): "3", f"{section}_{key}".upper(): "3"}
    for name, value in of_the_shell.items():
        monkeypatch.setenv(name, value)
    assert rendered.run("settings", **of_the_shell).expect(0).out == expected


def test_an_empty_or_missing_section_means_the_defaults(rendered: Checkout) -> None:
    file = rendered.folder / "infra" / "settings.toml"
    before = rendered.settings
    sections = re.split(r"^(?=\[)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    needed = [each for each in sections if each.startswith(("[service]", "[tasks]", "[github]"))]
    file.write_text("".join(needed), encoding="utf-8")
    assert rendered.settings == before


def test_every_name_follows_from_the_name_of_the_service(rendered: Checkout) -> None:
    rendered.set("service.name", "another")
    for name, value in rendered.settings.names.model_dump().items():
        assert "another" in value, f"{name} is {value}, and the service is another"
        assert "ai-assistant" not in value


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


@pytest.mark.parametrize(
    ("cidr", "right"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0::/48", "2001:db8::/48"),
        ("2001:db8::1", "2001:db8::1/128"),
    ],
)
def test_an_address_range_in_another_form_is_shown_in_the_right_one(cidr: str, right: str) -> None:
    with pytest.raises(ValueError, match=rf'for example \["{right}"\]'):
        Network(allowed_cidrs=[cidr])


def test_the_stack_accepts_as_many_address_ranges_as_the_settings() -> None:
    of_ipv4 = [f"203.0.113.{number}/32" for number in range(21)]
    of_ipv6 = [f"2001:db8:{number:x}::/48" for number in range(1, 12)]
    assert Network(allowed_cidrs=of_ipv4[:20] + of_ipv6[:10]).allowed_cidrs
    for wrong in of_ipv4, of_ipv6:
        with pytest.raises(ValueError, match="takes at most"):
            Network(allowed_cidrs=wrong)
