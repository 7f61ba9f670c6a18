"""Documents that are not one JSON object, and task definitions that do not fit the service."""

import json

import pytest
from infra.tool import documents

from tests.support.checkout import Checkout
from tests.support.document_edits import SERVICE, TASK, Edit, with_members

# --- documents that are not one JSON object ---

BROKEN = {
    "empty": ("", "it is empty"),
    "blank": ("\n\n", "it is empty"),
    "list": ("[]", "it is a list"),
    "string": ('"x"', "it is a string"),
    "null": ("null", "it is null"),
    "two documents": ("{}\n{}\n", "a second document begins at line 2, column 1"),
    "cut off": ('{\n  "a": 1,\n', "at line 3, column 1"),
    "conflict": ("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n", "line 1 is a marker"),
    "conflict inside": ('{\n<<<<<<< before updating\n  "a": 1\n=======\n', "line 2 is a marker"),
    "end of a conflict": ('{"a": 1}\n>>>>>>> after updating\n', "line 2 is a marker"),
    "comment": ('{\n  // a comment\n  "a": 1\n}', "at line 2, column 3"),
    "member twice": ('{"a": 1, "a": 2}', "it names a twice"),
    "member twice inside": ('{"a": {"b": 1, "b": 1}}', "it names b twice"),
}


@pytest.mark.parametrize("name", ["service.json", "autoscaling.json", "task-definition.json"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_document_that_is_not_an_object_is_named_with_the_line(
    rendered: Checkout, name: str, case: str
) -> None:
    text, where = BROKEN[case]
    rendered.write(f"infra/{name}", text)
    rendered.commit("Break it")
    run = rendered.run("deploy").expect(2, "document-broken")
    assert run.calls == [], "documents are read before AWS is asked"
    said = " ".join(run.err.split())
    assert f"infra/{name}" in said
    assert where in said


@pytest.mark.parametrize("name", ["service.json", "autoscaling.json", "task-definition.json"])
def test_a_document_that_is_missing_or_not_text_is_named(rendered: Checkout, name: str) -> None:
    path = rendered.folder / "infra" / name
    path.write_bytes(b'{"a": "\xff"}')
    rendered.commit("Break it")
    assert f"infra/{name}" in rendered.run("deploy").expect(2, "document-broken").err
    path.unlink()
    rendered.commit("Lose it")
    said = " ".join(rendered.run("deploy").expect(2, "document-broken").err.split())
    assert f"infra/{name}" in said
    assert "does not exist" in said


def test_conflict_markers_inside_a_string_are_accepted(rendered: Checkout) -> None:
    """The lines of a conflict make a document invalid; inside a valid one they are text."""
    described = json.dumps({"a": "======= \n<<<<<<< "})
    rendered.write(SERVICE, described)
    assert documents.parse(rendered.folder, "service.json") == json.loads(described)


WRONG_TASKS: dict[str, tuple[Edit, str]] = {
    # --- task definitions that do not fit the service ---
    "family": (with_members(family="other"), "[names] family"),
    "no container": (lambda d: d["containerDefinitions"][0].update(name="x"), "0 containers"),
    "two containers": (
        lambda d: d["containerDefinitions"].append(d["containerDefinitions"][0]),
        "2 containers",
    ),
    "no port": (lambda d: d["containerDefinitions"][0].pop("portMappings"), "portMappings"),
    "two ports": (
        lambda d: d["containerDefinitions"][0]["portMappings"].append({"containerPort": 9000}),
        "portMappings",
    ),
    "processor": (lambda d: d["runtimePlatform"].update(cpuArchitecture="ARM"), "cpuArchitecture"),
    "no processor": (lambda d: d.pop("runtimePlatform"), "cpuArchitecture"),
    "a tag of the deploy": (with_members(tags=[{"key": "commit", "value": "x"}]), "tag commit"),
    "an image with a tag": (
        lambda d: d["containerDefinitions"][0].update(image="nginx:1"),
        "the image of",
    ),
    "an unknown member": (with_members(cpus="256"), "cpus"),
    "an unknown value in a list": (
        with_members(requiresCompatibilities=["FARGATES"]),
        "requiresCompatibilities[0] is FARGATES",
    ),
    "an unknown member inside": (
        lambda d: d["containerDefinitions"][0]["healthCheck"].update(every=5),
        "every",
    ),
}


@pytest.mark.parametrize("case", WRONG_TASKS)
def test_a_task_definition_that_does_not_fit_is_refused(rendered: Checkout, case: str) -> None:
    change, words = WRONG_TASKS[case]
    edit_without_image(rendered, change)
    run = rendered.run("deploy").expect(2, "document-wrong")
    assert run.calls == [], "documents are read before AWS is asked"
    said = " ".join(run.err.split())
    assert TASK in said
    assert words in said


def edit_without_image(checkout: Checkout, change: Edit) -> None:
    document = checkout.document(TASK)
    change(document)
    checkout.write(TASK, json.dumps(document, indent=2))
    checkout.commit("Change the task definition")
