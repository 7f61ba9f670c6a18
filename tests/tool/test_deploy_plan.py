"""`deploy --plan` shows what a deploy would change, against what runs, and changes nothing."""

import json

import pytest
from infra.tool.difference import differences

from tests.support.checkout import Checkout, Json

TASK = "infra/task-definition.json"


def plan(checkout: Checkout) -> Json:
    """The plan as programs read it; AWS must not be changed."""
    run = checkout.run("deploy", "--plan", "--json").expect(0).expect_no_change()
    found: Json = json.loads(run.out)
    return found


def paths(changes: list[Json]) -> list[str]:
    return [change["path"] for change in changes]


def test_a_plan_of_the_running_commit_shows_no_change(deployed: Checkout) -> None:
    found = plan(deployed)
    assert found["task_definition"] == found["service"] == found["scaling"] == []
    assert not found["builds_image"]
    assert not found["replaces_tasks"]
    text = deployed.run("deploy", "--plan").expect(0).expect_no_change().out
    assert "tasks       would not be replaced" in text
    assert text.count("no change") == 3, "AWS's defaults must not show as changes"


def test_a_first_deploy_is_shown_as_all_new(provisioned: Checkout) -> None:
    found = plan(provisioned)
    assert found["builds_image"]
    assert found["replaces_tasks"]
    assert found["creates_service"]
    assert "containerDefinitions" in paths(found["task_definition"])
    assert paths(found["scaling"]) == [
        "minimum",
        "maximum",
        "policies[cpu]",
        "policies[requests]",
    ]


def test_each_edit_of_a_document_is_one_change(deployed: Checkout) -> None:
    task = deployed.document(TASK)
    [container] = task["containerDefinitions"]
    container["environment"].append({"name": "MODE", "value": "fast"})
    container["environment"].reverse()  # the order of variables means nothing
    task["cpu"], task["memory"] = "512", "1024"
    deployed.change(TASK, task)
    deployed.change("infra/service.json", {"healthCheckGracePeriodSeconds": 90})
    deployed.set("tasks.max", 8)
    deployed.release("Larger")
    found = plan(deployed)
    changed = {each["path"]: (each["before"], each["after"]) for each in found["task_definition"]}
    name = f"containerDefinitions[{deployed.settings.names.container}]"
    image = changed.pop(f"{name}.image")
    assert image[0] != image[1]
    assert changed == {
        "cpu": ("256", "512"),
        "memory": ("512", "1024"),
        f"{name}.environment[MODE]": (None, {"name": "MODE", "value": "fast"}),
    }
    assert found["service"] == [
        {"path": "healthCheckGracePeriodSeconds", "before": 60, "after": 90}
    ]
    assert found["scaling"] == [{"path": "maximum", "before": 4, "after": 8}]
    assert found["replaces_tasks"]
    assert not found["builds_image"], "the image is in ECR already"


def test_a_plan_shows_what_a_deploy_would_delete(deployed: Checkout) -> None:
    autoscaling = deployed.document("infra/autoscaling.json")
    deployed.change("infra/autoscaling.json", {"policies": autoscaling["policies"][:1]})
    found = plan(deployed)
    assert paths(found["scaling"]) == ["policies[requests]"]
    assert "- policies[requests]" in deployed.run("deploy", "--plan").out


def test_a_plan_fails_for_the_same_reasons_as_a_deploy(deployed: Checkout) -> None:
    deployed.write("app/main.py", "print()\n")
    deployed.run("deploy", "--plan").expect(2, "not-committed").expect_no_change()


def test_json_is_refused_without_plan(deployed: Checkout) -> None:
    assert deployed.run("deploy", "--json").expect(2, "usage").operations == []


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        pytest.param({"cpu": "256"}, {"cpu": 256.0}, [], id="numbers as numbers"),
        pytest.param({"secrets": []}, {}, [], id="an empty list is like none"),
        pytest.param({"on": True}, {"on": 1}, ["~ on: 1 -> True"], id="true is no number"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, [], id="members the document does not name"),
        pytest.param(
            {"subnets": ["b", "a"]}, {"subnets": ["a", "b"]}, [], id="subnets in any order"
        ),
        pytest.param(
            {"command": ["b", "a"]},
            {"command": ["a", "b"]},
            ["~ command: ['a', 'b'] -> ['b', 'a']"],
            id="words in their order",
        ),
        pytest.param(
            {"tags": [{"key": "x", "value": "1"}]},
            {"tags": [{"key": "y", "value": "1"}, {"key": "x", "value": "1"}]},
            ["- tags[y]: {'key': 'y', 'value': '1'}"],
            id="lists by name",
        ),
        pytest.param({"name": ""}, {"name": "old"}, ["- name: old"], id="emptied"),
    ],
)
def test_values_differ_only_if_their_meaning_does(
    wanted: Json, found: Json, expected: list[str]
) -> None:
    shown = [each.text for each in differences(wanted, found)]
    assert shown == expected
