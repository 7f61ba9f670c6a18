"""The operations on stacks, which take a step with each request about them."""

from simulator.cloudformation import operations
from simulator.cloudformation.records import Records, only
from simulator.cloudformation.resources.kind import Json
from simulator.cloudformation.stack import Stack
from simulator.refusal import Refused

EVENTS_ON_A_PAGE = 100


class StackRequests(Records):
    def describe_stacks(self, parameters: Json) -> Json:
        """The present state of stacks; then each advances by a step."""
        only(parameters, "StackName")
        if "StackName" not in parameters:
            those = [stack for stack in self.stacks.values() if stack.status != "DELETE_COMPLETE"]
        else:
            found = self.find(parameters["StackName"])
            if found is None:
                reason = f"Stack with id {parameters['StackName']} does not exist"
                raise Refused("ValidationError", reason)
            those = [found]
        answer = {"Stacks": [described(stack) for stack in those]}
        for stack in those:
            stack.advance()
        return answer

    def describe_stack_events(self, parameters: Json) -> Json:
        """The events, newest first, one page for each request."""
        only(parameters, "StackName", "NextToken")
        stack = self.must_find(parameters["StackName"])
        start = int(parameters.get("NextToken", 0))
        if not start:
            stack.advance()
        end = start + EVENTS_ON_A_PAGE
        more = {"NextToken": str(end)} if end < len(stack.events) else {}
        return {"StackEvents": stack.events[start:end]} | more

    def list_stack_resources(self, parameters: Json) -> Json:
        only(parameters, "StackName")
        stack = self.must_find(parameters["StackName"])
        last = {event["LogicalResourceId"]: event for event in reversed(stack.events)}
        summaries = [
            {
                "LogicalResourceId": made.name,
                "PhysicalResourceId": made.id,
                "ResourceType": made.kind.type,
                "ResourceStatus": last[made.name]["ResourceStatus"],
                "LastUpdatedTimestamp": last[made.name]["Timestamp"],
            }
            for made in stack.resources.values()
        ]
        return {"StackResourceSummaries": summaries}

    def delete_stack(self, parameters: Json) -> Json:
        """Deleting a stack that does not exist is not an error."""
        only(parameters, "StackName", "RetainResources")
        stack = self.find(parameters["StackName"])
        if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            return {}
        if stack.protected:  # words: ekristen/aws-nuke#821
            raise Refused(
                "ValidationError",
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled",
            )
        leave = parameters.get("RetainResources", [])
        if leave and stack.status != "DELETE_FAILED":
            raise Refused(
                "ValidationError",
                f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which"
                " resources to retain only when the stack is in the DELETE_FAILED state.",
            )
        if stack.status.startswith("UPDATE") and stack.status.endswith("IN_PROGRESS"):
            raise Refused(
                "ValidationError",
                f"Stack [{stack.id}] cannot be deleted while in status {stack.status}",
            )
        for change_set in self.change_sets_of(stack):
            del self.change_sets[change_set.id]
        stack.begin(operations.delete(stack, leave))
        return {}

    def update_termination_protection(self, parameters: Json) -> Json:
        only(parameters, "StackName", "EnableTerminationProtection")
        stack = self.must_find(parameters["StackName"])
        stack.protected = parameters["EnableTerminationProtection"]
        return {"StackId": stack.id}

    def continue_update_rollback(self, parameters: Json) -> Json:
        only(parameters, "StackName")
        stack = self.must_find(parameters["StackName"])
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise Refused(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not continue to roll back.",
            )
        stack.says("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        stack.begin(operations.go_back(stack))
        return {}


def described(stack: Stack) -> Json:
    answer: Json = {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.made_at,
        "StackStatus": stack.status,
        "DisableRollback": False,
        "EnableTerminationProtection": stack.protected,
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "Capabilities": stack.capabilities,
        "Tags": stack.tags,
    }
    for key, value in (
        ("StackStatusReason", stack.reason),
        ("LastUpdatedTime", stack.changed_at),
        ("DeletionTime", stack.gone_at),
    ):
        if value:
            answer[key] = value
    if stack.plan:
        given = stack.plan.given
        defaults = {
            name: str(rule.get("Default", ""))
            for name, rule in stack.plan.template["Parameters"].items()
        }
        answer["Parameters"] = [
            {"ParameterKey": name, "ParameterValue": given.get(name, defaults[name])}
            for name in defaults
        ]
        answer["Outputs"] = [
            {"OutputKey": name, "OutputValue": value} for name, value in stack.outputs.items()
        ]
    return answer
