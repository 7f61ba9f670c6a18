"""Requests for services, security groups, stacks and scaling that AWS refuses and moto accepts."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.fixtures import Ground
from simulator.scheduled_actions import run_scheduled_action
from simulator.stacks import Operator

Json = dict[str, Any]
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
BOTH = [*SPOT, {"capacityProvider": "FARGATE", "weight": 1, "base": 1}]


def refused(code: str, message: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


def invalid(message: str) -> Any:
    return refused("InvalidParameterException", message)


# --- what tasks run on ---


def associate(ground: Ground) -> None:
    """Give the cluster Fargate's capacity providers."""
    ground.aws.client("ecs").put_cluster_capacity_providers(
        cluster="cluster",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )


def update(ground: Ground, **changes: Any) -> Json:
    ecs = ground.aws.client("ecs")
    service: Json = ecs.update_service(cluster="cluster", service="app", **changes)["service"]
    return service


def create_on_spot(ground: Ground, **changes: Any) -> Json:
    ground.settings.pop("launchType", None)
    return ground.create_service(capacityProviderStrategy=SPOT, **changes)


def test_a_change_of_capacity_needs_a_forced_deployment(ground: Ground) -> None:
    associate(ground)
    ground.serving()
    for strategy in SPOT, BOTH, []:
        if strategy:  # there is none to take away at first
            with invalid("you must force a new deployment"):
                update(ground, capacityProviderStrategy=strategy)
        changed = update(ground, capacityProviderStrategy=strategy, forceNewDeployment=True)
        named = [item["capacityProvider"] for item in changed.get("capacityProviderStrategy", [])]
        assert named == sorted(str(item["capacityProvider"]) for item in strategy)
        assert ("launchType" in changed) == (not strategy)
        assert changed["deployments"][0].get("launchType") == changed.get("launchType")
        ground.watch()


def test_going_back_to_the_launch_type_needs_a_forced_deployment_too(ground: Ground) -> None:
    associate(ground)
    create_on_spot(ground)
    with invalid("you must force a new deployment"):
        update(ground, capacityProviderStrategy=[])
    assert update(ground, capacityProviderStrategy=[], forceNewDeployment=True)["launchType"]


def test_a_provider_cannot_be_removed_while_tasks_use_it(ground: Ground) -> None:
    associate(ground)
    create_on_spot(ground)
    ground.watch()
    cluster: Json = {"cluster": "cluster", "defaultCapacityProviderStrategy": []}
    ecs = ground.aws.client("ecs")
    with refused("ResourceInUseException", "FARGATE_SPOT"):
        ecs.put_cluster_capacity_providers(**cluster, capacityProviders=["FARGATE"])
    ecs.put_cluster_capacity_providers(**cluster, capacityProviders=["FARGATE_SPOT"])


def test_an_equal_strategy_is_not_a_change(ground: Ground) -> None:
    associate(ground)
    create_on_spot(ground)
    equal = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    assert len(update(ground, capacityProviderStrategy=equal)["deployments"]) == 1


def test_a_strategy_may_name_only_providers_of_the_cluster(ground: Ground) -> None:
    with invalid("not associated with the cluster"):
        create_on_spot(ground)
    associate(ground)
    create_on_spot(ground)
    other = [{"capacityProvider": "my-instances", "weight": 1}]
    with invalid("not associated with the cluster"):
        update(ground, capacityProviderStrategy=other, forceNewDeployment=True)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ([{"capacityProvider": "FARGATE"}], "weight greater than zero"),
        ([{**item, "base": 1} for item in BOTH], "can have a base"),
        (SPOT * 21, "20 capacity providers"),
    ],
)
def test_a_strategy_follows_the_rules_of_the_model(
    ground: Ground, strategy: list[Json], message: str
) -> None:
    associate(ground)
    del ground.settings["launchType"]
    with invalid(message):
        ground.create_service(capacityProviderStrategy=strategy)


def test_a_launch_type_and_a_strategy_together_are_refused(ground: Ground) -> None:
    associate(ground)
    with invalid("both a launch type and capacity provider strategy"):
        ground.create_service(capacityProviderStrategy=SPOT)


# --- strategies of deployments ---

ADVANCED = {"advancedConfiguration": {"alternateTargetGroupArn": "arn", "roleArn": "arn"}}


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
def test_only_a_rolling_deployment_needs_no_advanced_configuration(
    ground: Ground, strategy: str
) -> None:
    configuration: Json = {"deploymentConfiguration": {"strategy": strategy}}
    with invalid("advancedConfiguration field is required for all loadBalancers"):
        ground.create_service(**configuration)
    ground.serving()
    with invalid("advancedConfiguration field is required for all loadBalancers"):
        update(ground, **configuration)


def test_all_target_groups_have_an_advanced_configuration_or_none(ground: Ground) -> None:
    [target] = ground.settings["loadBalancers"]
    with invalid("Either all or none of the provided loadBalancers"):
        ground.create_service(loadBalancers=[target, target | ADVANCED])


# --- images of other registries ---


def test_the_registry_id_of_another_account_is_not_found(ground: Ground) -> None:
    trust = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    own = "arn:aws:ecr:us-east-1:123456789012:repository/app"
    read = {"Effect": "Allow", "Action": "ecr:DescribeImages", "Resource": own}
    ground.role("reader", trust, read)
    asked = {"repositoryName": "app", "registryId": "210987654321"}
    with refused("AccessDeniedException", "210987654321:repository/app"):
        ground.client("ecr", "role/reader").describe_images(**asked)
    with refused("RepositoryNotFoundException", "registry with id '210987654321'"):
        ground.client("ecr").describe_images(**asked)
    own_registry = asked | {"registryId": "123456789012"}
    assert ground.client("ecr", "role/reader").describe_images(**own_registry)["imageDetails"]


# --- security groups ---


def make_group(ground: Ground, name: str) -> str:
    made = ground.aws.client("ec2").create_security_group(
        GroupName=name, Description=name, VpcId=ground.vpc
    )
    return str(made["GroupId"])


def delete_group(ground: Ground, group: str) -> None:
    ground.aws.client("ec2").delete_security_group(GroupId=group)


def in_use() -> Any:
    return refused("DependencyViolation", "has a dependent object")


def test_a_security_group_is_in_use_until_its_tasks_have_stopped(ground: Ground) -> None:
    first, second = (make_group(ground, name) for name in ("first", "second"))
    network = ground.settings["networkConfiguration"]["awsvpcConfiguration"]
    network["securityGroups"] = [first]
    ground.serving()
    with in_use():
        delete_group(ground, first)
    changed = {"awsvpcConfiguration": network | {"securityGroups": [second]}}
    update(ground, networkConfiguration=changed)
    with in_use():
        delete_group(ground, first)
    ground.watch()
    ground.look()  # at which the earlier tasks are gone
    delete_group(ground, first)
    with in_use():
        delete_group(ground, second)


def test_a_security_group_of_a_load_balancer_is_in_use(ground: Ground) -> None:
    group, balancing = make_group(ground, "balancer"), ground.aws.client("elbv2")
    [made] = balancing.create_load_balancer(
        Name="held", Subnets=ground.subnets, SecurityGroups=[group]
    )["LoadBalancers"]
    with in_use():
        delete_group(ground, group)
    balancing.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    delete_group(ground, group)


def test_a_security_group_in_a_rule_of_another_group_is_in_use(ground: Ground) -> None:
    group, other = make_group(ground, "named"), make_group(ground, "naming")
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 80,
        "UserIdGroupPairs": [{"GroupId": group}],
    }
    ec2 = ground.aws.client("ec2")
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    with in_use():
        delete_group(ground, group)
    delete_group(ground, other)
    delete_group(ground, group)


# --- stacks ---

GROUP = """---
Parameters: {{Words: {{Type: String}}}}
Conditions: {{}}
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {{GroupDescription: !Ref Words, VpcId: {vpc}}}
Outputs:
  Group: {{Value: !GetAtt Group.GroupId}}
"""


@pytest.fixture
def operator(ground: Ground) -> Operator:
    return Operator(ground.aws, GROUP.format(vpc=ground.vpc))


def test_termination_protection_of_a_stack(operator: Operator) -> None:
    operator.create(Words="first")
    client = operator.client
    client.update_termination_protection(StackName=operator.stack, EnableTerminationProtection=True)
    with refused("ValidationError", "cannot be deleted while TerminationProtection is enabled"):
        operator.delete()
    [stack] = client.describe_stacks(StackName=operator.stack)["Stacks"]
    assert (stack["EnableTerminationProtection"], stack["StackStatus"]) == (True, "CREATE_COMPLETE")
    client.update_termination_protection(
        StackName=operator.stack, EnableTerminationProtection=False
    )
    assert operator.delete() == "DELETE_COMPLETE"


def test_a_stack_that_does_not_exist_cannot_be_protected(operator: Operator) -> None:
    with refused("ValidationError", "does not exist"):
        operator.client.update_termination_protection(
            StackName=operator.stack, EnableTerminationProtection=True
        )


@pytest.mark.parametrize("value", ["x" * 4097, "é" * 2049])
def test_a_parameter_has_at_most_4096_bytes(operator: Operator, value: str) -> None:
    with refused("ValidationError", "length is greater than 4096"):
        operator.plan(kind="CREATE", Words=value)
    assert operator.plan(kind="CREATE", Words="x" * 4096)["Status"] == "CREATE_COMPLETE"


def begin_cleanup(ground: Ground, operator: Operator) -> None:
    """Run a service in the group of a stack, then have the stack replace that group."""
    operator.create(Words="first")
    network = ground.settings["networkConfiguration"]["awsvpcConfiguration"]
    network["securityGroups"] = [operator.outputs["Group"]]
    ground.serving()
    change_set = operator.plan(Words="second")
    operator.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    while operator.status != "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
        pass


def test_a_cleanup_waits_for_tasks_in_a_replaced_group(ground: Ground, operator: Operator) -> None:
    begin_cleanup(ground, operator)
    held = [operator.status for _ in range(5)]
    assert set(held) == {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
    network = ground.settings["networkConfiguration"]["awsvpcConfiguration"]
    moved = network | {"securityGroups": [operator.outputs["Group"]]}
    update(ground, networkConfiguration={"awsvpcConfiguration": moved})
    ground.watch()
    ground.look()
    assert [operator.status for _ in range(3)][-1] == "UPDATE_COMPLETE"
    assert ("Group", "DELETE_COMPLETE") in operator.events


def test_a_cleanup_gives_up_in_the_end(ground: Ground, operator: Operator) -> None:
    begin_cleanup(ground, operator)
    for _ in range(30):
        last = operator.status
    assert last == "UPDATE_COMPLETE"
    assert "dependent object" in operator.reason("Group", "DELETE_FAILED")
    assert "could not be deleted" in operator.reason(operator.stack, "UPDATE_COMPLETE")


# --- scheduled actions ---

TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/cluster/app",
    "ScalableDimension": "ecs:service:DesiredCount",
}
ACTION = TARGET | {
    "ScheduledActionName": "day",
    "Schedule": "cron(0 6 * * ? *)",
    "ScalableTargetAction": {"MinCapacity": 8, "MaxCapacity": 20},
}


@pytest.fixture
def scaled(ground: Ground) -> Any:
    ground.serving()
    scaling = ground.aws.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    return scaling


def bounds(scaling: Any) -> tuple[int, int]:
    [target] = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    return target["MinCapacity"], target["MaxCapacity"]


def test_a_scheduled_action_changes_the_bounds_and_the_number_of_tasks(
    ground: Ground, scaled: Any
) -> None:
    scaled.put_scheduled_action(**ACTION)
    assert bounds(scaled) == (1, 4), "nothing changes before its time"
    run_scheduled_action(ground.aws, "day")
    assert (bounds(scaled), ground.look()["desiredCount"]) == ((8, 20), 8)
    night = {"ScheduledActionName": "night", "ScalableTargetAction": {"MinCapacity": 0}}
    scaled.put_scheduled_action(**ACTION | night)
    run_scheduled_action(ground.aws, "night")
    assert (bounds(scaled), ground.look()["desiredCount"]) == ((0, 20), 8), "within the bounds"
    closed = {"ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0}}
    scaled.put_scheduled_action(**ACTION | closed)
    run_scheduled_action(ground.aws, "day")
    assert (bounds(scaled), ground.look()["desiredCount"]) == ((0, 0), 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ResourceId": "service/cluster/other"}, "ObjectNotFoundException"),
        ({"ScalableTargetAction": {"MinCapacity": 5, "MaxCapacity": 4}}, "ValidationException"),
        ({"Schedule": "every morning"}, "ValidationException"),
        ({"Schedule": "at(tomorrow)"}, "ValidationException"),
    ],
)
def test_a_scheduled_action_is_refused(scaled: Any, change: Json, code: str) -> None:
    with refused(code, ""):
        scaled.put_scheduled_action(**ACTION | change)


def test_a_new_scheduled_action_has_a_schedule(scaled: Any) -> None:
    named = {key: ACTION[key] for key in (*TARGET, "ScheduledActionName")}
    with refused("ValidationException", ""):
        scaled.put_scheduled_action(**named)


def test_scheduled_actions_are_deleted_with_their_target(scaled: Any) -> None:
    name = {"ScheduledActionName": "day"}
    with refused("ObjectNotFoundException", "day"):
        scaled.delete_scheduled_action(**TARGET, **name)
    scaled.put_scheduled_action(**ACTION)
    scaled.deregister_scalable_target(**TARGET)
    assert not scaled.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]


@pytest.mark.parametrize("operation", ["PutScheduledAction", "DescribeScheduledActions"])
def test_a_scheduled_action_needs_its_own_permission(
    ground: Ground, scaled: Any, operation: str
) -> None:
    del scaled
    trust = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    ground.role("scaler", trust)
    scaling = ground.client("application-autoscaling", "role/scaler")
    asks = {
        "PutScheduledAction": lambda: scaling.put_scheduled_action(**ACTION),
        "DescribeScheduledActions": lambda: scaling.describe_scheduled_actions(**TARGET),
    }
    with refused("AccessDeniedException", f"application-autoscaling:{operation}"):
        asks[operation]()
    allowed = f"application-autoscaling:{operation}"
    ground.allow("scaler", {"Effect": "Allow", "Action": allowed, "Resource": "*"})
    asks[operation]()
