"""The alarms of a service under test."""

from collections.abc import Callable

from tests.support.checkout import Checkout

ERRORS = "ai-assistant-app-errors"
ENDING = ("app-errors", "load-balancer-errors", "slow-answers", "unhealthy-tasks")
OF_THE_STACK = [f"ai-assistant-{ending}" for ending in ENDING]


def turn_on(checkout: Checkout) -> None:
    """Set [alarms] roll_back, in a new commit with an image."""
    checkout.set("alarms.roll_back", True)
    checkout.release("Let alarms end a deployment")


def put(checkout: Checkout, state: str, name: str = ERRORS) -> None:
    """Put an alarm into a state."""
    checkout.aws.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue=state, StateReason="5 errors of 5"
    )


def goes_off(checkout: Checkout, name: str = ERRORS) -> Callable[[], None]:
    """A function that puts the alarm into ALARM, for a moment of the simulated AWS."""
    return lambda: put(checkout, "ALARM", name)


def delete(checkout: Checkout, name: str = ERRORS) -> None:
    checkout.aws.client("cloudwatch").delete_alarms(AlarmNames=[name])


def create(checkout: Checkout, name: str, *, periods: int = 1) -> None:
    """Create an alarm of the owner, in state OK."""
    checkout.aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=periods,
        MetricName="Orders",
        Namespace="Shop",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    put(checkout, "OK", name)
