"""The body of a dashboard, as CloudWatch accepts it.

Source: "Dashboard Body Structure and Syntax" in the CloudWatch API Reference: the members that it
requires, the ranges that it gives, and the form of the array of metrics. CloudWatch only warns of
some errors, and draws no graph; here all of them are refused, and so is a member that the page does
not have.
"""

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

COLUMNS, TALLEST = 24, 1000
TYPES = {"metric", "text"}
OF_WIDGET = {"type", "x", "y", "width", "height", "properties"}
OF_METRICS = {
    *("metrics", "region", "title", "view", "stat", "period", "yAxis", "stacked", "legend"),
    *("liveData", "annotations", "setPeriodToTimeRange", "timezone"),
}
OF_ONE_METRIC = {
    *("stat", "label", "color", "period", "region", "visible", "yAxis", "id", "expression"),
}
VIEWS = {"timeSeries", "singleValue", "bar", "pie", "gauge"}
AXIS = {"left", "right"}


def complaints(body: str) -> Iterator[str]:
    """Complaints about a body; none if CloudWatch would draw all of it."""
    try:
        found = json.loads(body)
    except ValueError as error:
        yield f"The dashboard body is invalid JSON: {error}"
        return
    if not isinstance(found, dict) or not isinstance(found.get("widgets"), list):
        yield "The dashboard body needs an array of widgets"
        return
    for number, widget in enumerate(found["widgets"]):
        for complaint in about_widget(widget):
            yield f"/widgets/{number}: {complaint}"


def about_widget(widget: Json) -> Iterator[str]:
    if unknown := widget.keys() - OF_WIDGET:
        yield f"unknown members {sorted(unknown)}"
    if widget.get("type") not in TYPES:
        yield f"type {widget.get('type')}"
    if not 1 <= widget.get("width", 6) <= COLUMNS or not 1 <= widget.get("height", 6) <= TALLEST:
        yield "width is 1 to 24, and height 1 to 1000"
    if ("x" in widget) != ("y" in widget):
        yield "x needs y, and y needs x"
    properties = widget.get("properties", {})
    if widget.get("type") == "text":
        if not isinstance(properties.get("markdown"), str):
            yield "a text widget needs markdown"
        return
    yield from about_metrics(properties)


def about_metrics(properties: Json) -> Iterator[str]:
    if unknown := properties.keys() - OF_METRICS:
        yield f"unknown properties {sorted(unknown)}"
    if not properties.get("region"):
        yield "a metric widget needs its region"
    if properties.get("view", "timeSeries") not in VIEWS:
        yield f"view {properties['view']}"
    period = properties.get("period", 300)
    if not (period in (1, 5, 10, 30) or period % 60 == 0):
        yield "period is 1, 5, 10, 30 or a multiple of 60"
    if properties.get("yAxis", {}).keys() - AXIS:
        yield "yAxis has left and right"
    try:
        metrics(properties)
    except ValueError as error:
        yield str(error)


def metrics(properties: Json) -> list[tuple[str, str, dict[str, str], Json]]:
    """Namespace, name, dimensions and rendering of each metric, written out: "." stands for the
    item above, and "..." for all that are left. Raises ValueError."""
    found: list[tuple[str, str, dict[str, str], Json]] = []
    above: list[str] = []
    for line in properties.get("metrics", []):
        *items, last = line
        rendering = last if isinstance(last, dict) else {}
        given = [*items] if isinstance(last, dict) else [*items, last]
        if given[:1] == ["..."]:
            given = [*above[: len(above) - len(given) + 1], *given[1:]]
        given = [above[at] if item == "." else item for at, item in enumerate(given)]
        if len(given) < 2 or len(given) % 2 or not all(isinstance(item, str) for item in given):
            raise ValueError(f"the metric {line} is no namespace, name, and pairs of a dimension")
        if unknown := rendering.keys() - OF_ONE_METRIC:
            raise ValueError(f"the metric {line} has unknown properties {sorted(unknown)}")
        above = given
        pairs = dict(zip(given[2::2], given[3::2], strict=True))
        found.append((given[0], given[1], pairs, rendering))
    if not found:
        raise ValueError("a metric widget needs metrics")
    return found
