"""A rule of EventBridge."""

import json
from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Kind, Wanted


class Rule(Kind):
    type = "AWS::Events::Rule"
    gone = ("ResourceNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        del wanted
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        events = self.aws("events")
        if wanted.changed - {"Targets"}:
            rule = wanted.take("Description", "EventPattern")
            rule["EventPattern"] = json.dumps(rule["EventPattern"])
            events.put_rule(Name=id, **rule)
        before = [target["Id"] for target in wanted.before.get("Targets", [])]
        for targets in wanted.take_new("Targets").values():
            if old := set(before) - {target["Id"] for target in targets}:
                events.remove_targets(Rule=id, Ids=sorted(old))
            events.put_targets(Rule=id, Targets=targets)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        events = self.aws("events")
        events.remove_targets(Rule=id, Ids=[target["Id"] for target in properties["Targets"]])
        events.delete_rule(Name=id)
