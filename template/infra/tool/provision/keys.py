"""KMS keys of the settings: whether AWS can use them.

A key that cannot be used would make CloudFormation roll back, or keep tasks from their secrets. One
that the stack has already is a warning: other changes do not depend on it.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from infra.tool.aws_errors import AwsError, Kind
from infra.tool.errors import Problem, ToolError
from infra.tool.provision.resource_policies import Use, may_allow
from infra.tool.target import Target

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

MISSING = Problem(
    "key-missing",
    "{setting} in infra/settings.toml is {key}, and there is no such key",
    "name a key of this region: aws kms list-keys --region {region} shows them",
)
UNUSABLE = Problem(
    "key-unusable",
    "{setting} in infra/settings.toml is {key}, which cannot be used: {why}",
    "{remedy}",
)
CLOSED = Problem(
    "log-key-closed",
    "[security] log_key in infra/settings.toml is {key}, whose policy does not let CloudWatch Logs "
    "use it",
    "{remedy}",
)
OPEN = (
    "in the policy of the key {key}, allow the service {service} the actions kms:Encrypt*, "
    "kms:Decrypt*, kms:ReEncrypt*, kms:GenerateDataKey* and kms:Describe*; or set [security] "
    "log_key to another key; then {again}"
)
ENABLE = "aws kms enable-key --region {region} --key-id {id}"
REMEDIES = {
    "Disabled": f"enable it: {ENABLE}",
    "PendingDeletion": (
        "keep it: aws kms cancel-key-deletion --region {region} --key-id {id} && " + ENABLE
    ),
}
ANOTHER = "name a symmetric key that is enabled: aws kms list-keys --region {region} shows keys"
SETTINGS = {
    "LogKeyArn": "[security] log_key",
    "RepositoryKeyArn": "[security] repository_key",
    "SecretsKeyArn": "[permissions] secrets_key",
}


def check(target: Target, sent: Mapping[str, str], had: Mapping[str, str]) -> None:
    """Raises ToolError if a key that the stack is to get cannot be used. `sent` and `had` are the
    parameters of the stack."""
    for name, setting in SETTINGS.items():
        key = sent[name]
        found = problem(target, setting, key) if key else None
        if found and had.get(name) != key:
            raise found
        if found:
            target.runtime.console.warn(f"{found.message}. To mend it: {found.remedy}")


def problem(target: Target, setting: str, key: str) -> ToolError | None:
    """Why a key cannot be used; None if it can, or if this account may not ask."""
    service = target.settings.service
    try:
        found = target.aws.kms.describe_key(KeyId=key)["KeyMetadata"]
    except AwsError as error:
        if error.aws_code == "NotFoundException":
            return MISSING(setting=setting, key=key, region=service.region)
        if error.kind is Kind.DENIED:
            return None
        raise
    for why, remedy in defects(found):
        told = remedy.format(region=service.region, id=key.rpartition("/")[2])
        return UNUSABLE(setting=setting, key=key, why=why, remedy=f"{told}; then {target.again}")
    return closed(target, key) if setting == SETTINGS["LogKeyArn"] else None


def defects(key: "KeyMetadataTypeDef") -> Iterator[tuple[str, str]]:
    """Each with its remedy. CloudWatch Logs, ECR, Secrets Manager and Parameter Store take
    symmetric keys only."""
    state = key.get("KeyState", "Enabled")
    if state != "Enabled":
        yield f"its state is {state}", REMEDIES.get(state, ANOTHER)
    if key.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        yield f"it is asymmetric or for HMAC ({key['KeySpec']})", ANOTHER


def closed(target: Target, key: str) -> ToolError | None:
    """The error if the policy of the key is certain to keep CloudWatch Logs out."""
    try:
        policy = target.aws.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    except AwsError as error:
        if error.kind is Kind.DENIED:
            return None
        raise
    use = Use(lambda principal: principal.startswith("logs."), "kms:Encrypt", key)
    return None if may_allow(policy, use) else CLOSED(key=key, remedy=remedy(target, key))


def remedy(target: Target, key: str) -> str:
    """How CloudWatch Logs is let in."""
    service = f"logs.{target.settings.service.region}.amazonaws.com"
    return OPEN.format(key=key, service=service, again=target.again)
