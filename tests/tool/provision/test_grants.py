"""The grants of the execution role for each member of a task definition that needs one."""

import json
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from infra.tool.api_model import Json, input_shape
from infra.tool.provision import grant_shapes
from infra.tool.provision.grants import Grant, Kind, grants

from tests.support.targets import settings

HERE = "us-east-1:123456789012"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:key-a1b2c3"
PARAMETER = f"arn:aws:ssm:{HERE}:parameter"
FILE = "arn:aws:s3:::files/deep/app.env"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def task(**container: Any) -> Json:
    return {"containerDefinitions": [{"name": "app"}, {"name": "sidecar", **container}]}


def secrets(*values: str) -> Json:
    named = [{"name": f"S{number}", "valueFrom": value} for number, value in enumerate(values)]
    return task(secrets=named)


def log(driver: str = "awslogs", **options: str) -> Json:
    named = {f"awslogs-{name.replace('_', '-')}": value for name, value in options.items()}
    return task(logConfiguration={"logDriver": driver, "options": named})


def granted(task_definition: Json) -> list[tuple[str, str]]:
    found = grants(task_definition, settings())
    return sorted((grant.kind.name, grant.arn) for grant in found)


# --- every member of the model ---

# Each member of a task definition is in one of these tables. Only the members in SERVED name a
# resource that ECS reads with the execution role before a container runs.
SERVED = {
    "containerDefinitions[].image",
    "containerDefinitions[].repositoryCredentials.credentialsParameter",
    "containerDefinitions[].environmentFiles[].value",
    "containerDefinitions[].secrets[].valueFrom",
    "containerDefinitions[].logConfiguration.options",
    "containerDefinitions[].logConfiguration.secretOptions[].valueFrom",
    "containerDefinitions[].credentialSpecs[]",
    "volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter",
}
NOT_SERVED = """
family taskRoleArn executionRoleArn networkMode requiresCompatibilities[] cpu memory tags[].key
tags[].value pidMode ipcMode ephemeralStorage.sizeInGiB enableFaultInjection
placementConstraints[].type placementConstraints[].expression
runtimePlatform.cpuArchitecture runtimePlatform.operatingSystemFamily
proxyConfiguration.type proxyConfiguration.containerName proxyConfiguration.properties[].name
proxyConfiguration.properties[].value
inferenceAccelerators[].deviceName inferenceAccelerators[].deviceType
trustedExecutionConfiguration.isolationMode trustedExecutionConfiguration.attestationPolicy

volumes[].name volumes[].host.sourcePath volumes[].configuredAtLaunch
volumes[].dockerVolumeConfiguration.scope volumes[].dockerVolumeConfiguration.autoprovision
volumes[].dockerVolumeConfiguration.driver volumes[].dockerVolumeConfiguration.driverOpts
volumes[].dockerVolumeConfiguration.labels
volumes[].fsxWindowsFileServerVolumeConfiguration.fileSystemId
volumes[].fsxWindowsFileServerVolumeConfiguration.rootDirectory
volumes[].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain
"""
# Mounted with the task role.
OF_THE_TASK_ROLE = """
volumes[].efsVolumeConfiguration.fileSystemId volumes[].efsVolumeConfiguration.rootDirectory
volumes[].efsVolumeConfiguration.transitEncryption
volumes[].efsVolumeConfiguration.transitEncryptionPort
volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId
volumes[].efsVolumeConfiguration.authorizationConfig.iam
volumes[].s3filesVolumeConfiguration.fileSystemArn
volumes[].s3filesVolumeConfiguration.rootDirectory
volumes[].s3filesVolumeConfiguration.transitEncryptionPort
volumes[].s3filesVolumeConfiguration.accessPointArn
"""
OF_A_CONTAINER = """
name cpu memory memoryReservation links[] essential entryPoint[] command[] startTimeout stopTimeout
versionConsistency hostname user workingDirectory disableNetworking privileged
readonlyRootFilesystem dnsServers[] dnsSearchDomains[] dockerSecurityOptions[] interactive
pseudoTerminal dockerLabels
portMappings[].containerPort portMappings[].hostPort portMappings[].protocol portMappings[].name
portMappings[].appProtocol portMappings[].containerPortRange
restartPolicy.enabled restartPolicy.ignoredExitCodes[] restartPolicy.restartAttemptPeriod
environment[].name environment[].value environmentFiles[].type secrets[].name
mountPoints[].sourceVolume mountPoints[].containerPath mountPoints[].readOnly
volumesFrom[].sourceContainer volumesFrom[].readOnly
linuxParameters.capabilities.add[] linuxParameters.capabilities.drop[]
linuxParameters.devices[].hostPath linuxParameters.devices[].containerPath
linuxParameters.devices[].permissions[] linuxParameters.initProcessEnabled
linuxParameters.sharedMemorySize linuxParameters.tmpfs[].containerPath linuxParameters.tmpfs[].size
linuxParameters.tmpfs[].mountOptions[] linuxParameters.maxSwap linuxParameters.swappiness
dependsOn[].containerName dependsOn[].condition extraHosts[].hostname extraHosts[].ipAddress
ulimits[].name ulimits[].softLimit ulimits[].hardLimit
logConfiguration.logDriver logConfiguration.secretOptions[].name
healthCheck.command[] healthCheck.interval healthCheck.timeout healthCheck.retries
healthCheck.startPeriod systemControls[].namespace systemControls[].value
resourceRequirements[].value resourceRequirements[].type
resourceRequirements[].sharingStrategy.nvidiaMps.memory
resourceRequirements[].sharingStrategy.nvidiaMps.maxComputePercent
firelensConfiguration.type firelensConfiguration.options
"""


def leaves(shape: Shape, path: str = "") -> list[str]:
    if isinstance(shape, StructureShape):
        dot = "." if path else ""
        return [
            leaf
            for name, member in shape.members.items()
            for leaf in leaves(member, f"{path}{dot}{name}")
        ]
    if isinstance(shape, ListShape):
        return leaves(shape.member, f"{path}[]")
    assert not isinstance(shape, MapShape) or shape.value.type_name == "string"
    return [path]


def test_each_member_of_the_model_is_classified() -> None:
    of_a_container = {f"containerDefinitions[].{name}" for name in OF_A_CONTAINER.split()}
    known = SERVED | {*NOT_SERVED.split(), *OF_THE_TASK_ROLE.split()} | of_a_container
    found = set(leaves(input_shape("RegisterTaskDefinition")))
    assert found - known == set(), (
        "botocore has new members: if the execution role serves them, add them to "
        "infra/tool/provision/grants.py and SERVED, else to one of the other tables"
    )
    assert known - found == set(), "botocore has these no more: remove them"


VALUES = {"image": f"{REGISTRY}/agent", "logConfiguration.options": "awslogs"}


@pytest.mark.parametrize("path", sorted(SERVED))
def test_each_member_that_the_execution_role_serves_is_granted(path: str) -> None:
    """A value at the path, with nothing beside it but the driver of a log."""
    last = path.removeprefix("containerDefinitions[].")
    value: Any = VALUES.get(last, f"credentialspec:{FILE}" if "Specs" in path else SECRET)
    if value == "awslogs":
        value = {"awslogs-group": "/ecs/agent", "awslogs-region": "us-east-1"}
    for part in reversed(path.split(".")):
        value = [value] if part.endswith("[]") else value
        value = {part.removesuffix("[]"): value}
    for container in value.get("containerDefinitions", []):
        container.get("logConfiguration", {})["logDriver"] = "awslogs"
    assert grants(value, settings()), f"nothing is granted for {path}"


# --- what is granted for each ---


def test_secrets_of_every_container_are_granted_without_key_stage_and_version() -> None:
    elsewhere = "arn:aws:ssm:eu-west-1:123456789012:parameter/there"
    found = granted(secrets(SECRET, f"{SECRET}:part:AWSCURRENT:", "/deep/name", "name", elsewhere))
    assert found == [
        ("PARAMETER", elsewhere),
        ("PARAMETER", f"{PARAMETER}/deep/name"),
        ("PARAMETER", f"{PARAMETER}/name"),
        ("SECRET", SECRET),
    ]


def test_the_secrets_of_a_log_driver_are_granted() -> None:
    options = [{"name": "splunk-token", "valueFrom": "splunk"}]
    found = granted(task(logConfiguration={"logDriver": "splunk", "secretOptions": options}))
    assert found == [("PARAMETER", f"{PARAMETER}/splunk")]


@pytest.mark.parametrize(
    ("value", "arn"),
    [(SECRET, SECRET), ("ghcr", f"arn:aws:secretsmanager:{HERE}:secret:ghcr-??????")],
)
def test_credentials_of_a_private_registry_are_granted(value: str, arn: str) -> None:
    found = granted(task(repositoryCredentials={"credentialsParameter": value}))
    assert found == [("SECRET", arn)]


def test_an_environment_file_is_granted_and_the_location_of_its_bucket() -> None:
    found = granted(task(environmentFiles=[{"value": FILE, "type": "s3"}]))
    assert found == [("BUCKET", "arn:aws:s3:::files"), ("FILE", FILE)]


def test_a_credential_spec_is_granted_in_s3_or_parameter_store() -> None:
    found = granted(task(credentialSpecs=[f"credentialspecdomainless:{FILE}"]))
    assert ("FILE", FILE) in found
    parameter = f"{PARAMETER}/spec"
    found = granted(task(credentialSpecs=[f"credentialspec:{parameter}"]))
    assert found == [("PARAMETER", parameter)]


@pytest.mark.parametrize(
    ("image", "place"),
    [
        (f"{REGISTRY}/agent", HERE),
        (f"{REGISTRY}/agent:1", HERE),
        (f"{REGISTRY}/agent@sha256:{'0' * 64}", HERE),
        ("210987654321.dkr.ecr.us-east-1.amazonaws.com/agent", "us-east-1:210987654321"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/agent", "eu-west-1:123456789012"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/agent", HERE),
        ("123456789012.dkr-ecr.us-east-1.on.aws/agent", HERE),
    ],
)
def test_the_repository_of_another_image_is_granted(image: str, place: str) -> None:
    found = granted(task(image=image))
    assert found == [("REPOSITORY", f"arn:aws:ecr:{place}:repository/agent")]


@pytest.mark.parametrize(
    "image",
    ["nginx", "ghcr.io/me/agent:1", "public.ecr.aws/nginx/nginx", f"{REGISTRY}/ai-assistant"],
)
def test_public_images_and_the_service_s_own_need_nothing(image: str) -> None:
    assert granted(task(image=image)) == []


def test_a_log_group_of_another_container_is_granted() -> None:
    arn = f"arn:aws:logs:{HERE}:log-group:/ecs/agent:*"
    assert granted(log(group="/ecs/agent", region="us-east-1")) == [("LOG_GROUP", arn)]
    assert granted(log(group="/ecs/agent")) == [("LOG_GROUP", arn)]
    there = arn.replace("us-east-1", "eu-west-1")
    assert granted(log(group="/ecs/agent", region="eu-west-1")) == [("LOG_GROUP", there)]
    found = granted(log(group="/ecs/agent", region="us-east-1", create_group="true"))
    assert found == [("LOG_GROUP", arn), ("NEW_LOG_GROUP", arn)]


def test_the_log_group_of_the_service_needs_nothing_unless_it_is_created() -> None:
    own = {"group": "/ecs/ai-assistant-app", "region": "us-east-1"}
    assert granted(log(**own)) == []
    assert granted(log(**own, create_group="false")) == []
    [(kind, _)] = granted(log(**own, create_group="true"))
    assert kind == "NEW_LOG_GROUP"


def test_a_log_router_needs_nothing() -> None:
    assert granted(log("awsfirelens", group="/ecs/agent")) == []


def test_equal_grants_are_merged() -> None:
    assert len(grants(secrets(SECRET, f"{SECRET}:a::", f"{SECRET}:b::"), settings())) == 1
    assert Grant(SECRET, Kind.SECRET) in grants(secrets(SECRET), settings())


# --- members that would grant something else ---

PARTIAL = SECRET.removesuffix("-a1b2c3")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (secrets(PARTIAL + ":part::"), "without the six characters"),
        (secrets(f"{PARAMETER}/*"), "a wildcard grants others too"),
        (secrets("all?"), "a wildcard grants others too"),
        (secrets("two words"), "expects the name of a parameter"),
        (secrets("one,two"), "expects the name of a parameter"),
        (secrets(SECRET.replace("arn:aws:", "arn:aws-cn:")), "not the whole ARN of a secret"),
        (secrets("arn:aws:iam::123456789012:role/x"), "expects the name of a parameter"),
        (task(repositoryCredentials={"credentialsParameter": "gh*"}), "a wildcard"),
        (task(repositoryCredentials={"credentialsParameter": "a b"}), "not the whole ARN"),
        (task(environmentFiles=[{"value": "s3://files/app.env", "type": "s3"}]), "object of S3"),
        (task(environmentFiles=[{"value": "arn:aws:s3:::files", "type": "s3"}]), "object of S3"),
        (task(environmentFiles=[{"value": f"{FILE},b", "type": "s3"}]), "object of S3"),
        (task(environmentFiles=[{"value": "arn:aws:s3:::f/*", "type": "s3"}]), "a wildcard"),
        (task(environmentFiles=[{"value": "arn:aws:s3:::ff/${a}", "type": "s3"}]), "object of S3"),
        (task(image=f"{REGISTRY}/agent*"), "a wildcard"),
        (task(image=f"{REGISTRY}/agent,b"), "expects an image"),
        (log(group="/ecs/*"), "a wildcard"),
        (log(group="a,b"), "expects the name of a log group"),
        (log(group="a", region="us-*"), "expects the name of a log group"),
        (task(credentialSpecs=["credentialspec:arn:aws:s3:::ff/*"]), "a wildcard"),
    ],
)
def test_a_value_that_would_grant_something_else_is_refused(document: Json, words: str) -> None:
    [complaint] = grant_shapes.complaints(document, settings())
    assert words in complaint, complaint
    assert "containerDefinitions[1]." in complaint, "it says where"


@pytest.mark.parametrize("value", [SECRET, f"{SECRET}:key::", "/deep/name", "name"])
def test_a_whole_secret_is_accepted(value: str) -> None:
    assert [*grant_shapes.complaints(secrets(value), settings())] == []


def test_all_kinds_at_once_are_accepted() -> None:
    document = task(
        image=f"{REGISTRY}/team/agent:1.2",
        repositoryCredentials={"credentialsParameter": "team/ghcr"},
        environmentFiles=[{"value": FILE, "type": "s3"}],
        credentialSpecs=[f"credentialspecdomainless:{FILE}"],
        logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/agent"}},
    )
    assert [*grant_shapes.complaints(document, settings())] == [], json.dumps(document)
