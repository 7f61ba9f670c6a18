"""[tags] of infra/settings.toml: on the stack, the service, its tasks and its revisions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from infra.tool import tags
from infra.tool.tags import Retagging, merged, retagging, tag_table

from simulator.cloudformation.resources.tags import is_taggable
from simulator.ecs.rollouts import Crashes
from tests.support.checkout import SUBJECT, Checkout

TAGS = {"cost-center": "1234", "Team": "search"}
SERVICE = "infra/service.json"


# --- which tags ---


@pytest.mark.parametrize(
    "wrong",
    [
        "cost-center = 1234",
        {"cost-center": 1234},
        {"aws:team": "search"},
        {"AWS:team": "search"},
        {"team": "aws:search"},
        {"commit": "c0ffee"},
        {"document": "hash"},
        {"team": ""},
        {"": "search"},
        {"k" * 129: "search"},
        {"team": "v" * 257},
        {"team": "search & rescue"},
        {"team": "a\tb"},
        {" team": "search"},
        {"team": "search "},
        {"Team": "a", "team": "b"},
        {f"key-{number}": "x" for number in range(49)},
    ],
)
def test_tags_that_a_service_of_aws_refuses_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="for example cost-center"):
        tag_table(wrong)


@pytest.mark.parametrize(
    "right",
    [
        {},
        TAGS,
        {"k" * 128: "v" * 256},
        {"a.b:c/d=e+f-g@h_i j": "größe"},
        {f"key-{number}": "x" for number in range(48)},
    ],
)
def test_other_tags_are_accepted(right: Any) -> None:
    assert tag_table(right) == right


def test_a_wrong_tag_is_reported_with_all_other_settings(rendered: Checkout) -> None:
    rendered.set("tags", {"commit": "x"})
    rendered.set("tasks.min", "one")
    run = rendered.run("status", principal="root").expect(2, "settings-wrong")
    assert '"commit" is written by a deploy' in run.err
    assert "[tasks] min" in run.err


def test_a_tag_of_a_document_stays_as_it_is() -> None:
    document = {"tags": [{"key": "Team", "value": "other"}]}
    assert merged(TAGS, document)["tags"] == [
        {"key": "Team", "value": "other"},
        {"key": "cost-center", "value": "1234"},
    ]
    assert merged({}, document) == document
    assert merged({}, {}) == {}


@pytest.mark.parametrize(
    ("wanted", "present", "ours", "expected"),
    [
        ({"a": "1"}, {}, {}, Retagging({"a": "1"}, ())),
        ({"a": "1"}, {"a": "1"}, {}, Retagging({}, ())),
        ({"a": "2"}, {"a": "1"}, {"a": "1"}, Retagging({"a": "2"}, ())),
        ({}, {"a": "1"}, {"a": "1"}, Retagging({}, ("a",))),
        ({}, {"a": "1"}, {}, Retagging({}, ())),  # another tool has set it
        ({}, {"a": "2"}, {"a": "1"}, Retagging({}, ())),  # or has changed it since
        ({}, {"commit": "c0ffee"}, {"commit": "c0ffee"}, Retagging({}, ())),
    ],
)
def test_only_tags_of_an_earlier_deploy_are_removed(
    wanted: Any, present: Any, ours: Any, expected: Retagging
) -> None:
    assert retagging(wanted, present, {*ours.items()}) == expected


def test_a_plan_says_each_change() -> None:
    assert [*tags.changes({"a": "1", "b": "1"}, {"b": "2", "c": "1"})] == [
        "to remove: a (it is 1)",
        "to change: b = 2 (it is 1)",
        "to add: c = 1",
    ]


# --- where they are ---


def as_dict(listed: Any) -> dict[str, str]:
    return {
        tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value"))
        for tag in listed
        if not str(tag.get("Key", tag.get("key"))).startswith("aws:")
    }


def of_stack(checkout: Checkout) -> Iterator[tuple[str, dict[str, str]]]:
    """Each resource of the stack that can be tagged, with the tags that its service shows."""
    client = checkout.aws.client
    stack = next(iter(checkout.aws.cloudformation.stacks.values()))
    for made in stack.resources.values():
        if not is_taggable(made.kind.schema):
            continue
        match made.kind.type.split("::")[1:]:
            case ["IAM", _]:
                yield made.name, as_dict(client("iam").list_role_tags(RoleName=made.id)["Tags"])
            case ["ElasticLoadBalancingV2", _]:
                [found] = client("elbv2").describe_tags(ResourceArns=[made.id])["TagDescriptions"]
                yield made.name, as_dict(found.get("Tags", []))
            case ["EC2", _]:
                asked = [{"Name": "resource-id", "Values": [made.id]}]
                yield made.name, as_dict(client("ec2").describe_tags(Filters=asked)["Tags"])
            case ["Logs", _]:
                yield made.name, client("logs").list_tags_log_group(logGroupName=made.id)["tags"]
            case ["ECR", _]:
                arn = made.kind.attributes(made.id)["Arn"]
                yield (
                    made.name,
                    as_dict(client("ecr").list_tags_for_resource(resourceArn=arn).get("tags", [])),
                )
            case ["ECS", _]:
                arn = checkout.aws.ecs.arn(f"cluster/{made.id}")
                yield (
                    made.name,
                    as_dict(client("ecs").list_tags_for_resource(resourceArn=arn).get("tags", [])),
                )
            case ["CloudWatch", _]:
                [alarm] = client("cloudwatch").describe_alarms(AlarmNames=[made.id])["MetricAlarms"]
                found = client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
                yield made.name, as_dict(found["Tags"])
            case ["Events", _]:
                arn = client("events").describe_rule(Name=made.id)["Arn"]
                found = client("events").list_tags_for_resource(ResourceARN=arn)
                yield made.name, as_dict(found["Tags"])
            case kind:
                raise AssertionError(f"say how to read the tags of {kind}")


def of_service(checkout: Checkout) -> dict[str, str]:
    names = checkout.settings.names
    answer = checkout.aws.client("ecs").describe_services(
        cluster=names.cluster, services=[names.service], include=["TAGS"]
    )
    return as_dict(answer["services"][0].get("tags", []))


def of_revision(checkout: Checkout) -> dict[str, str]:
    answer = checkout.aws.client("ecs").describe_task_definition(
        taskDefinition=checkout.revision, include=["TAGS"]
    )
    own = tags.RESERVED
    return {key: value for key, value in as_dict(answer["tags"]).items() if key not in own}


def of_tasks(checkout: Checkout) -> list[dict[str, str]]:
    return [task.tags for task in checkout.aws.ecs.tasks if task.status == "RUNNING"]


def expect_everywhere(checkout: Checkout, expected: dict[str, str]) -> None:
    resources = dict(of_stack(checkout))
    assert len(resources) > 10
    assert {name: found for name, found in resources.items() if found != expected} == {}
    assert of_service(checkout) == of_revision(checkout) == expected
    assert of_tasks(checkout)
    assert all(each == expected for each in of_tasks(checkout))


@pytest.fixture
def running(deployed: Checkout) -> Checkout:
    deployed.set("github.subject", SUBJECT)
    return deployed


def apply(checkout: Checkout, wanted: dict[str, str]) -> None:
    checkout.set("tags", wanted)
    checkout.administer("provision").expect(0)
    checkout.release()
    checkout.run("deploy").expect(0)


def test_tags_are_on_every_resource_and_follow_the_setting(running: Checkout) -> None:
    running.set("alarms.topic", "arn:aws:sns:us-east-1:123456789012:alarms")
    running.set("network.allowed_cidrs", ["203.0.113.0/24"])
    for wanted in TAGS, {"Team": "find"}, {}:
        apply(running, wanted)
        expect_everywhere(running, wanted)


def test_a_new_service_has_its_tags_from_the_start(rendered: Checkout) -> None:
    rendered.set("github.subject", SUBJECT)
    apply(rendered, TAGS)
    expect_everywhere(rendered, TAGS)


def test_the_service_is_tagged_before_its_tasks_start(running: Checkout) -> None:
    """A task gets the tags that the service has when the task starts."""
    running.set("tags", TAGS)
    running.release()
    asked = running.run("deploy").expect(0).operations
    assert asked.index("ecs:TagResource") < asked.index("ecs:UpdateService")


def test_a_plan_shows_tags_before_anything_changes(running: Checkout) -> None:
    running.set("tags", TAGS)
    plan = running.administer("provision", "--plan").expect(0)
    assert dict(of_stack(running))["LoadBalancer"] == {}
    assert "to add: Team = search" in plan.out
    running.release()
    plan = running.run("deploy", "--plan").expect(0).expect_no_change()
    assert "tags[Team]" in plan.out


def test_tags_of_documents_take_precedence(running: Checkout) -> None:
    own = [{"key": "Team", "value": "service"}, {"key": "tier", "value": "web"}]
    running.write(SERVICE, json.dumps(running.document(SERVICE) | {"tags": own}))
    apply(running, TAGS)
    assert of_service(running) == {"Team": "service", "tier": "web", "cost-center": "1234"}
    assert of_revision(running) == TAGS


def test_tags_of_other_tools_stay(running: Checkout) -> None:
    ecs, arn = running.aws.client("ecs"), running.ecs_service["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "scanner", "value": "seen"}])
    apply(running, TAGS)
    assert of_service(running) == TAGS | {"scanner": "seen"}
    apply(running, {})
    assert of_service(running) == {"scanner": "seen"}


def test_a_change_of_tags_alone_is_deployed(running: Checkout) -> None:
    running.set("tags", TAGS)
    running.commit("Tag it")
    running.push_image()
    before = running.revision
    running.run("deploy").expect(0)
    assert running.revision != before
    assert all(each == TAGS for each in of_tasks(running))


def test_a_deployment_that_is_rolled_back_leaves_no_tag_behind(running: Checkout) -> None:
    """The tags of the service stay as requested until a later deploy removes them."""
    running.set("tags", TAGS)
    running.release()
    running.aws.next_rollout(Crashes())
    running.run("deploy").expect(1, "deployment-rolled-back")
    apply(running, {})
    assert of_service(running) == {}
