"""An operation of a stack is followed to its end, also after lost responses of CloudFormation."""

from collections.abc import Sequence
from typing import Any

import pytest
from infra.tool.errors import ToolError
from infra.tool.provision import events
from infra.tool.provision.events import Ending, Mark, follow, mark

from tests.support.answers import BEGIN
from tests.support.targets import Bench, bench, stubbed

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/ai-assistant/1"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LOST = "Throttling"  # the error instead of an answer
Json = dict[str, Any]


def event(status: str, resource: str = "", reason: str = "", *, type: str = BALANCER) -> Json:
    """Of a resource, or of the stack itself."""
    found = {
        "StackId": STACK,
        "EventId": f"{resource}-{status}-{reason}",
        "StackName": "ai-assistant",
        "LogicalResourceId": resource or "ai-assistant",
        "PhysicalResourceId": resource or STACK,
        "ResourceType": type if resource else "AWS::CloudFormation::Stack",
        "Timestamp": BEGIN,
        "ResourceStatus": status,
    }
    return found | ({"ResourceStatusReason": reason} if reason else {})


def looking(looks: Sequence[Sequence[Json] | str], **deploy: Any) -> Bench:
    """A CloudFormation that has these new events at each poll."""
    aws, stubber = stubbed("cloudformation")
    told: list[Json] = []
    for look in looks:
        if isinstance(look, str):
            stubber.add_client_error("describe_stack_events", look)
        else:
            told = [*reversed(look), *told]  # the newest first
            stubber.add_response("describe_stack_events", {"StackEvents": told})
    return bench(aws, command="provision", deploy=deploy)


def followed(*looks: Sequence[Json] | str, **deploy: Any) -> tuple[Ending, Bench]:
    made = looking(looks, **deploy)
    return follow(made.target, STACK, Mark()), made


def test_the_failure_is_the_first_of_a_resource() -> None:
    """A cancelled resource failed because another one did, and the stack because of both."""
    ending, made = followed(
        [event("CREATE_IN_PROGRESS")],
        [
            event("CREATE_FAILED", "TaskRole", "Resource creation cancelled"),
            event("CREATE_FAILED", "LoadBalancer", "You have too many"),
            event("CREATE_FAILED", "DeployRole", "It exists"),
            event("ROLLBACK_IN_PROGRESS", reason="The following failed: [...]"),
        ],
        [event("DELETE_COMPLETE", "Cluster")],
        [event("ROLLBACK_COMPLETE")],
    )
    assert ending == Ending("ROLLBACK_COMPLETE", "LoadBalancer: You have too many")
    assert f"  failed   LoadBalancer ({BALANCER}): You have too many" in made.out
    assert "  rollback The following failed: [...]" in made.out
    assert "  deleted  Cluster" in made.out


def test_only_without_a_failed_resource_the_reason_of_the_stack_counts() -> None:
    ending, _ = followed([event("UPDATE_FAILED", reason="No\nexport")])
    assert ending == Ending("UPDATE_FAILED", "No export")
    failed = [
        event("DELETE_FAILED", reason="Of the stack"),
        event("DELETE_FAILED", "Cluster", "In use"),
    ]
    ending, _ = followed([*failed, event("DELETE_FAILED")])
    assert ending.failure == "Cluster: In use"
    ending, _ = followed([event("DELETE_FAILED")])
    assert ending == Ending("DELETE_FAILED", events.NO_REASON)


def test_an_update_ends_only_after_its_cleanup_whose_failures_do_no_harm() -> None:
    ending, made = followed(
        [],
        [event("UPDATE_IN_PROGRESS")],
        [event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")],
        [event("DELETE_FAILED", "TargetGroup", "It is in use")],
        [event("UPDATE_COMPLETE")],
    )
    assert ending.status == "UPDATE_COMPLETE"
    assert "failed   TargetGroup" in made.out


def test_each_event_is_shown_once_and_earlier_ones_never() -> None:
    before = [event("CREATE_COMPLETE", "Cluster"), event("CREATE_COMPLETE")]
    aws, stubber = stubbed("cloudformation")
    after = [event("UPDATE_COMPLETE", "LogGroup"), *reversed(before)]
    for told in ([*reversed(before)], after, after, [event("UPDATE_COMPLETE"), *after]):
        stubber.add_response("describe_stack_events", {"StackEvents": told})
    made = bench(aws)
    since = mark(made.target, STACK)
    assert since.status == "CREATE_COMPLETE"
    assert follow(made.target, STACK, since).status == "UPDATE_COMPLETE"
    assert made.out.count("LogGroup") == 1
    assert "Cluster" not in made.out
    stubber.assert_no_pending_responses()


def test_there_is_a_line_at_least_every_30_seconds() -> None:
    begun = [event("CREATE_IN_PROGRESS"), event("CREATE_IN_PROGRESS", "Cluster")]
    _, made = followed(begun, *[[]] * 12, [event("CREATE_COMPLETE")])
    waits = [line for line in made.out.splitlines() if line.endswith("waiting for Cluster")]
    assert [line.split()[0] for line in waits] == ["5", "35", "65"]


def test_two_lost_responses_do_no_harm() -> None:
    ending, made = followed(LOST, LOST, [], LOST, LOST, [event("CREATE_COMPLETE")])
    assert ending.status == "CREATE_COMPLETE"
    assert made.err.count("(2 of 3)") == 2


@pytest.mark.parametrize(
    ("looks", "code"),
    [([LOST] * 3, "stack-unanswered"), ([[event("CREATE_IN_PROGRESS")]] * 12, "stack-timeout")],
)
def test_a_third_lost_response_or_a_timeout_leaves_the_outcome_unknown(
    looks: Sequence[Sequence[Json] | str], code: str
) -> None:
    with pytest.raises(ToolError) as error:
        followed(*looks, timeout_seconds=60)
    assert (error.value.code, error.value.exit) == (code, 3)
