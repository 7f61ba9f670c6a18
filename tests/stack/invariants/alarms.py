"""Alarms and their notifications."""

import re
from typing import Any

from simulator.cloudformation.template import Stack
from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import TOPIC


@invariant
def every_alarm_watches_this_load_balancer(service: RenderedService) -> None:
    stack = service.stack()
    balancer, slash, target = stack.outputs["ScalingResourceLabel"].partition("/targetgroup/")
    assert re.fullmatch(r"app/[^/]+/[^/]+", balancer)
    target = f"targetgroup/{target}"
    assert slash
    alarms = {each.properties["MetricName"]: each.properties for each in alarms_of(stack)}
    assert alarms.keys() == {
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "UnHealthyHostCount",
        "HealthyHostCount",
        "TargetResponseTime",
    }
    for metric, alarm in alarms.items():
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        of_targets = {"TargetGroup": target} if metric != "HTTPCode_ELB_5XX_Count" else {}
        assert dimensions == {"LoadBalancer": balancer} | of_targets, metric
        assert alarm["Namespace"] == "AWS/ApplicationELB"
        if metric != "HealthyHostCount":
            assert alarm["ComparisonOperator"].startswith("GreaterThan")
            assert alarm["TreatMissingData"] == "notBreaching", f"{metric}: no requests, no trouble"
        assert alarm["AlarmName"].startswith(f"{service.settings.service.name}-")


# Of each metric: statistic, comparison, threshold, and what a minute without data counts as.
ALARMS = {
    "HTTPCode_Target_5XX_Count": ("Sum", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
    "HTTPCode_ELB_5XX_Count": ("Sum", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
    "UnHealthyHostCount": ("Maximum", "GreaterThanOrEqualToThreshold", 1, "notBreaching"),
    "HealthyHostCount": ("Maximum", "LessThanThreshold", 1, "breaching"),
    "TargetResponseTime": ("p95", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
}


@invariant
def an_alarm_goes_off_after_three_bad_minutes_as_its_description_says(
    service: RenderedService,
) -> None:
    for alarm in (each.properties for each in alarms_of(service.stack())):
        metric = alarm["MetricName"]
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        found = (
            statistic,
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["TreatMissingData"],
        )
        assert found == ALARMS[metric], (
            f"infra/stack.yml: the alarm for {metric} was {ALARMS[metric]}, and is {found}: it "
            "rings too late or too often. If the change is meant, change ALARMS in this test too"
        )
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 3), (
            f"infra/stack.yml: the alarm for {metric} looks at three periods of 60 seconds"
        )


@invariant
def the_load_balancer_checks_health_every_ten_seconds_and_needs_three_failures(
    service: RenderedService,
) -> None:
    target = service.stack().resources["TargetGroup"].properties
    chosen = {
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
    }
    found = {name: target[name] for name in chosen}
    assert found == chosen, (
        f"infra/stack.yml: the target group had {chosen}: with less patience a slow minute "
        "replaces every task, with more a dead one gets requests for longer"
    )


@invariant
def an_outage_is_noticed_without_any_request(service: RenderedService) -> None:
    """Tasks that do not start are not targets, so the metric has no data."""
    [alarm] = [
        each.properties
        for each in alarms_of(service.stack())
        if each.properties["MetricName"] == "HealthyHostCount"
    ]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "LessThanThreshold")
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "breaching")


def alarms_of(stack: Stack) -> list[Any]:
    return list(stack.of_type("AWS::CloudWatch::Alarm"))


@invariant
def alarms_have_actions_only_if_a_topic_is_set(service: RenderedService) -> None:
    for stack in service.stacks:
        told = [TOPIC] if stack.parameters["AlarmTopicArn"] else None
        for alarm in alarms_of(stack):
            for key in "AlarmActions", "OKActions":
                assert alarm.properties.get(key) == told, f"{alarm.name}: {key}"


@invariant
def failed_deployments_of_this_service_alone_are_sent_to_the_topic(
    service: RenderedService,
) -> None:
    settings = service.settings
    place = f"service/{settings.names.cluster}/{settings.names.service}"
    for stack in service.stacks:
        told = list(stack.of_type("AWS::Events::Rule"))
        if not stack.parameters["AlarmTopicArn"]:
            assert told == [], "a rule without a target does nothing"
            continue
        [rule] = told
        assert rule.properties["EventPattern"] == {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Deployment State Change"],
            "resources": [service.place.arn("ecs", place)],
            "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
        }
        assert [target["Arn"] for target in rule.properties["Targets"]] == [TOPIC]
