"""The settings that a company asks for: a value of each, and what its account must have for it.

One list for every test that tries them alone, in pairs and on a running service. To add a setting,
add an entry to COMPANY_SETTINGS.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.checkout import Checkout
from tests.support.settings import Value
from tests.support.zones import DOMAIN, zone_of

ACCOUNT, REGION = "123456789012", "us-east-1"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/team/boundary"
BUCKET = "my-company-access-logs"
ROLE_PATH = "/team/"
Aws = Any  # simulator.simulation.SimulatedAws
# Creates in the account what a value names, changes the documents with it, and returns the value.
Prepare = Callable[[Checkout], Value]


@dataclass(frozen=True)
class CompanySetting:
    name: str  # such as "security.permissions_boundary"
    prepare: Prepare
    off: Value = ""
    is_for_new: bool = False  # an existing stack refuses another value (setting-fixed)
    off_with_it: Mapping[str, Value] = field(default_factory=dict)  # other settings, likewise off

    def turn_on(self, checkout: Checkout) -> Value:
        value = self.prepare(checkout)
        checkout.set(self.name, value)
        return value

    def turn_off(self, checkout: Checkout) -> None:
        checkout.set(self.name, self.off)
        for name, value in self.off_with_it.items():
            checkout.set(name, value)


def create_boundary(aws: Aws, *actions: str, arn: str = BOUNDARY) -> str:
    """A policy that bounds roles to these actions; by default to all."""
    path, _, name = arn.partition(":policy")[2].rpartition("/")
    allowed = {"Effect": "Allow", "Action": list(actions) or "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    aws.client("iam").create_policy(
        PolicyName=name, Path=f"{path}/", PolicyDocument=json.dumps(policy)
    )
    return arn


def create_key(aws: Aws, *services: str) -> str:
    """A KMS key that these services may use, beside the account."""
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    used = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
    of_services = [
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": [*used, "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"
                }
            },
        }
        for service in services
    ]
    policy = {"Version": "2012-10-17", "Statement": [root, *of_services]}
    made = aws.client("kms").create_key(Policy=json.dumps(policy))
    return str(made["KeyMetadata"]["Arn"])


def create_log_key(aws: Aws) -> str:
    return create_key(aws, f"logs.{REGION}.amazonaws.com")


def create_bucket(aws: Aws, name: str = BUCKET) -> str:
    """A bucket that load balancers of the account may write to."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/AWSLogs/{ACCOUNT}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


def create_web_acl(aws: Aws, name: str = "company") -> str:
    sampling = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False}
    made = aws.client("wafv2").create_web_acl(
        Name=name,
        Description="of the company",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig=sampling | {"MetricName": name},
    )
    return str(made["Summary"]["ARN"])


def write_role_path(checkout: Checkout) -> str:
    """Roles with a path, in both documents."""
    for name in "infra/task-definition.json", "ops/iam-policy-github-actions.json":
        checkout.edit(name, ":role/ai-assistant", f":role{ROLE_PATH}ai-assistant")
    return ROLE_PATH


def egress_to_aws(checkout: Checkout) -> Value:
    """Everything in AWS: its public addresses in the simulation, and the prefix list of S3."""
    return ["52.94.0.0/16", s3_list(checkout.aws)]


def s3_list(aws: Aws) -> str:
    lists = aws.client("ec2").describe_managed_prefix_lists()["PrefixLists"]
    [found] = [each for each in lists if each["PrefixListName"].endswith(f"{REGION}.s3")]
    return str(found["PrefixListId"])


def write_domain(checkout: Checkout) -> Value:
    """A domain name, and a hosted zone for it."""
    checkout.set("https.domain", DOMAIN)
    return zone_of(checkout.aws).id


def write_hsts(checkout: Checkout) -> Value:
    """HSTS needs HTTPS, which stays on when it is off again."""
    checkout.set("https.hosted_zone", write_domain(checkout))
    return 300


def name_topic(checkout: Checkout) -> Value:
    """The alarms that end a deployment reach a person too."""
    made = checkout.aws.client("sns").create_topic(Name="alarms")
    checkout.set("alarms.topic", str(made["TopicArn"]))
    return True


COMPANY_SETTINGS = [
    CompanySetting("security.permissions_boundary", lambda to: create_boundary(to.aws)),
    CompanySetting("security.role_path", write_role_path, is_for_new=True),
    CompanySetting("security.log_key", lambda to: create_log_key(to.aws)),
    CompanySetting("security.repository_key", lambda to: create_key(to.aws), is_for_new=True),
    CompanySetting("security.deletion_protection", lambda _: True, off=False),
    CompanySetting("security.access_logs_bucket", lambda to: create_bucket(to.aws)),
    CompanySetting("security.egress_cidrs", egress_to_aws, off=[]),
    CompanySetting("security.web_acl", lambda to: create_web_acl(to.aws)),
    CompanySetting("https.hosted_zone", write_domain, off_with_it={"https.domain": ""}),
    CompanySetting("https.hsts_seconds", write_hsts, off=0),
    CompanySetting("observe.container_insights", lambda _: "enabled"),
    CompanySetting("observe.dashboard", lambda _: True, off=False),
    CompanySetting("alarms.roll_back", name_topic, off=False, off_with_it={"alarms.topic": ""}),
    CompanySetting("deploy.max_severity", lambda _: "CRITICAL"),
    CompanySetting("tags", lambda _: {"cost-center": "1234", "Team": "search"}, off={}),
]
