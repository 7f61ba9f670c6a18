"""Which alarms an update of the service sends, by the setting, the document and what runs."""

from typing import Any

import pytest
from infra.tool import deployment_alarms

from tests.support.alarms import OF_THE_STACK
from tests.support.answers import BEFORE, Json, described, listed
from tests.support.targets import settings

COMPLETE = listed(BEFORE, "COMPLETED", running=1)
OFF: Json = {"alarmNames": [], "enable": False, "rollback": False}


def alarms(*names: str, on: bool = True) -> Json:
    return {"alarmNames": list(names), "enable": on, "rollback": on}


def having(found: Json | None) -> Json:
    """A document, or a part of an answer, with these alarms; None: it names none."""
    percent: Json = {"maximumPercent": 200}
    return {"deploymentConfiguration": percent | ({"alarms": found} if found is not None else {})}


ALL = alarms(*OF_THE_STACK)
# name of the row: (roll_back, alarms of the document, alarms of the service, those that are sent)
UPDATES: dict[str, tuple[bool, Json | None, Json | None, Json | None]] = {
    "off, nowhere any": (False, None, None, None),
    "off, the service has them turned off": (False, None, OFF, None),
    "off, the document's own": (False, alarms("mine"), None, alarms("mine")),
    "off, the document's own instead of the stack's": (False, alarms("mine"), ALL, alarms("mine")),
    "off, the document turns them off": (False, OFF, ALL, OFF),
    "off after on": (False, None, ALL, OFF),
    "off after on, with another one": (False, None, alarms("mine", OF_THE_STACK[0]), OFF),
    "off, and a person has set others": (False, None, alarms("mine"), None),
    "on": (True, None, None, ALL),
    "on again": (True, None, ALL, ALL),
    "on, after a rollback turned them off": (True, None, ALL | OFF, ALL),
    "on, with the document's own": (True, alarms("mine"), None, alarms("mine", *OF_THE_STACK)),
    "on, the document names one of the stack's": (
        True,
        alarms(OF_THE_STACK[2], "mine"),
        None,
        alarms(OF_THE_STACK[2], "mine", *OF_THE_STACK[:2], OF_THE_STACK[3]),
    ),
}


@pytest.mark.parametrize("row", UPDATES)
def test_an_update_sends_the_alarms_of_the_table(row: str) -> None:
    roll_back, document, present, expected = UPDATES[row]
    running = described(COMPLETE, **having(present))
    sent = deployment_alarms.for_update(
        having(document), settings(alarms={"roll_back": roll_back}), running
    )
    assert sent == having(expected)


FALLBACKS: dict[str, tuple[list[Json], bool]] = {
    "one that is complete runs tasks": ([COMPLETE], True),
    "one that is complete runs beside one in progress": (
        [listed(), listed(BEFORE, "COMPLETED", status="ACTIVE", running=1)],
        True,
    ),
    "one that is complete runs no task": ([listed(BEFORE, "COMPLETED")], False),
    "the only one failed": ([listed(BEFORE, "FAILED", running=1)], False),
    "ECS is rolling back": ([listed(BEFORE, running=1), listed(status="ACTIVE")], False),
    "there is none": ([], False),
}


@pytest.mark.parametrize("row", FALLBACKS)
def test_alarms_are_on_if_ecs_has_something_to_roll_back_to(row: str) -> None:
    deployments, expected = FALLBACKS[row]
    sent = deployment_alarms.for_update(
        having(None), settings(alarms={"roll_back": True}), described(*deployments)
    )
    found = deployment_alarms.configured(sent)
    assert (found["enable"], found["rollback"]) == (expected, expected)
    assert found["alarmNames"] == OF_THE_STACK


@pytest.mark.parametrize("document", [having(None), having(alarms("mine")), {}])
def test_without_the_setting_the_document_hash_is_as_before(document: Json) -> None:
    assert deployment_alarms.with_alarms(document, settings()) is document


def test_the_document_hash_changes_with_the_setting() -> None:
    on = deployment_alarms.with_alarms(having(None), settings(alarms={"roll_back": True}))
    assert on == having(ALL)


@pytest.mark.parametrize(
    ("roll_back", "document", "is_wrong"),
    [
        (True, None, False),
        (True, alarms("mine"), False),
        (True, OFF, True),
        (True, alarms("mine") | {"rollback": False}, True),
        (True, alarms("mine") | {"enable": False}, True),
        (False, OFF, False),
        (False, alarms("mine") | {"rollback": False}, False),
    ],
)
def test_a_document_may_not_turn_off_what_the_setting_turns_on(
    roll_back: bool, document: Json | None, is_wrong: bool
) -> None:
    found = [
        *deployment_alarms.complaints(having(document), settings(alarms={"roll_back": roll_back}))
    ]
    assert bool(found) is is_wrong


@pytest.mark.parametrize("present", [None, OFF, ALL | {"enable": False}])
def test_a_rollback_sends_no_alarms_that_are_off_already(present: Json | None) -> None:
    assert deployment_alarms.without_alarms(having(present)) == {}


def test_a_rollback_turns_alarms_off_and_keeps_the_rest_of_the_configuration() -> None:
    sent: Any = deployment_alarms.without_alarms(having(alarms("mine")))
    assert sent == having(alarms("mine", on=False))
