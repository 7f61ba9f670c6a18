"""One clock: it moves when something sleeps, and AWS and the tool go by it."""

from datetime import timedelta
from urllib.request import urlopen

import pytest

from simulator.clock import Clock
from simulator.ecs.rollouts import Crashes
from simulator.fixtures import Ground
from simulator.simulation import SimulatedAws

MOMENT = timedelta(seconds=1)  # more than all that AWS records in a test takes


def test_the_clock_moves_only_by_sleeping() -> None:
    clock = Clock()
    before = clock.now()
    assert clock.now() == before
    clock.sleep(90)
    assert clock.now() - before == timedelta(seconds=90)


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        Clock().sleep(-1)


def test_recorded_times_are_unique() -> None:
    clock = Clock()
    stamps = [clock.stamp() for _ in range(3)]
    assert stamps == sorted(set(stamps))
    assert clock.now() == stamps[-1], "nothing is recorded that is yet to come"


def test_a_rollout_moves_forward_with_each_poll_and_polls_take_no_time(ground: Ground) -> None:
    before = ground.aws.clock.now()
    ground.serving()
    assert ground.aws.clock.now() - before < MOMENT


def test_events_after_a_pause_are_later_by_the_pause(ground: Ground) -> None:
    first = ground.create_service()["createdAt"]
    ground.aws.clock.sleep(300)
    events = ground.watch()["events"]
    for event in events:
        assert timedelta(0) <= event["createdAt"] - first - timedelta(seconds=300) < MOMENT


def test_the_services_of_moto_use_the_clock(ground: Ground) -> None:
    ground.aws.clock.sleep(3600)
    now = ground.aws.clock.now()
    client = ground.aws.client
    ground.push("second")
    images = client("ecr").describe_images(repositoryName="app")["imageDetails"]
    pushed = max(image["imagePushedAt"] for image in images)
    client("cloudwatch").put_metric_alarm(
        AlarmName="alarm",
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Statistic="Average",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Threshold=80,
    )
    (alarm,) = client("cloudwatch").describe_alarms()["MetricAlarms"]
    role = ground.role("other", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    (made,) = (r for r in client("iam").list_roles()["Roles"] if r["Arn"] == role)
    for moment in pushed, alarm["StateUpdatedTimestamp"], made["CreateDate"]:
        assert abs(moment - now) < 2 * MOMENT, "ECR counts whole seconds"


def test_log_events_have_the_time_of_the_clock(ground: Ground) -> None:
    ground.aws.clock.sleep(3600)
    now = ground.aws.clock.now().timestamp()
    ground.aws.next_rollout(Crashes(says=("boom",)))
    ground.create_service()
    ground.watch()
    logs = ground.aws.client("logs")
    found = logs.filter_log_events(logGroupName="/ecs/app", startTime=int(now * 1000))["events"]
    assert {event["message"] for event in found} == {"boom"}
    assert all(0 <= event["timestamp"] / 1000 - now < 1 for event in found)
    earlier = logs.filter_log_events(logGroupName="/ecs/app", endTime=int(now * 1000))["events"]
    assert earlier == []


def ask(aws: SimulatedAws, query: str = "") -> int:
    with urlopen(f"http://{aws.address}/clock{query}", timeout=60) as answer:
        return int(answer.read())


def test_another_process_sleeps_and_reads_the_time_by_the_clock(aws: SimulatedAws) -> None:
    before = aws.clock.now()
    assert ask(aws) == int(before.timestamp())
    assert ask(aws, "?sleep=3600") - int(before.timestamp()) == 3600
    ask(aws, "?sleep=0.5")
    ask(aws, "?sleep=0")
    assert aws.clock.now() - before == timedelta(seconds=3600.5)
    assert aws.calls.names == []
