"""The revision that a rollback goes back to, by the service deployments that ECS lists."""

from datetime import timedelta

import pytest
from infra.tool import history
from infra.tool.api_model import Json

from tests.support.answers import BEGIN, FAMILY, arn, listed, service
from tests.support.targets import settings, stubbed

NAMES = settings().names
LIMIT = 20  # of DescribeServiceRevisions


def service_revision(number: int) -> str:
    return f"arn:aws:ecs:us-east-1:123456789012:service-revision/c/s/{number}"


def past(number: int, *, minutes: int) -> Json:
    """A service deployment of a service revision, so many minutes after the first."""
    return {
        "targetServiceRevisionArn": service_revision(number),
        "createdAt": BEGIN + timedelta(minutes=minutes),
        "status": "SUCCESSFUL",
    }


def test_deployments_are_ordered_by_time_and_each_revision_counts_once_by_its_latest() -> None:
    listed_by_ecs = [past(1, minutes=0), past(2, minutes=1), past(3, minutes=2), past(1, minutes=9)]
    found = history.latest_revisions(iter(listed_by_ecs))
    assert found == [service_revision(number) for number in (1, 3, 2)]


@pytest.mark.parametrize(
    ("name", "number"),
    [(arn(41), 41), (f"{FAMILY}:7", 7), (arn(41, "another-task"), 0), (FAMILY, 0), ("", 0)],
)
def test_only_a_revision_of_the_family_has_a_number(name: str, number: int) -> None:
    assert history.number_of(name, FAMILY) == number


@pytest.mark.parametrize(
    ("steady", "present", "to"),
    [
        ([43, 42, 41], 43, 42),
        ([42, 43, 42, 41], 42, 41),  # after a rollback: further back, and not forth
        ([50, 43], 43, 0),  # only a later one was in steady state
        ([43], 43, 0),
        ([], 43, 0),
        ([41, 38], 43, 41),  # 42 failed
        ([38, 41, 40], 43, 38),  # 38 was deployed last
    ],
)
def test_a_rollback_goes_to_the_last_earlier_revision_in_steady_state(
    steady: list[int], present: int, to: int
) -> None:
    now = service(listed(present, "COMPLETED", running=1))
    assert history.revision_to_go_back_to(steady, present, now, FAMILY) == to


def test_a_rollback_in_progress_is_recognised_by_a_later_revision_that_is_listed() -> None:
    later = listed(43, "COMPLETED", status="ACTIVE", running=1)
    steady = [43, 42, 41]

    def goes_to(*deployments: Json) -> int:
        return history.revision_to_go_back_to(steady, 42, service(*deployments), FAMILY)

    assert goes_to(listed(42, "IN_PROGRESS"), later) == 42, "it is on its way to 42 already"
    assert goes_to(listed(42, "COMPLETED"), later) == 41, "it has arrived"
    assert goes_to(listed(42, "IN_PROGRESS")) == 41, "42 is deployed again, by a forced deployment"
    earlier = listed(41, "COMPLETED", status="ACTIVE")
    assert goes_to(listed(42, "IN_PROGRESS"), earlier) == 41, "42 is being deployed"
    first = history.revision_to_go_back_to([43, 41], 42, service(listed(42), later), FAMILY)
    assert first == 41, "42 never was in steady state: it is a deploy, not a rollback"


def test_every_page_of_the_history_is_read_and_the_latest_revisions_are_described() -> None:
    aws, stubber = stubbed("ecs")
    request = {
        "cluster": NAMES.cluster,
        "service": NAMES.service,
        "status": ["SUCCESSFUL"],
        "maxResults": 100,
    }
    first = [past(number, minutes=number) for number in range(1, 13)]
    second = [past(number, minutes=number) for number in range(13, 26)]
    answers = {"serviceDeployments": first, "nextToken": "page 2"}
    stubber.add_response("list_service_deployments", answers, request)
    stubber.add_response(
        "list_service_deployments",
        {"serviceDeployments": second},
        request | {"nextToken": "page 2"},
    )
    latest = range(25, 25 - LIMIT, -1)
    stubber.add_response(
        "describe_service_revisions",
        {
            "serviceRevisions": [
                # in no order, two service revisions of each revision, and one of another family
                {
                    "serviceRevisionArn": service_revision(number),
                    "taskDefinition": arn(number // 2) if number != 25 else arn(99, "another"),
                }
                for number in reversed(latest)
            ]
        },
        {"serviceRevisionArns": [service_revision(number) for number in latest]},
    )
    assert history.steady_revisions(aws, NAMES) == list(range(12, 2, -1))
    stubber.assert_no_pending_responses()


def test_without_a_history_no_revision_is_described() -> None:
    aws, stubber = stubbed("ecs")
    stubber.add_response("list_service_deployments", {"serviceDeployments": []})
    assert history.steady_revisions(aws, NAMES) == []
