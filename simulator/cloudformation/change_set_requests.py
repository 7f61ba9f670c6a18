"""The operations on change sets, which take a step with each request about them."""

from collections.abc import Iterator

import yaml

from simulator.cloudformation import operations
from simulator.cloudformation.change_details import without_values
from simulator.cloudformation.change_set import ChangeSet
from simulator.cloudformation.planner import Planner
from simulator.cloudformation.records import Records, only
from simulator.cloudformation.resources.kind import Json, NotSimulated
from simulator.cloudformation.stack import Stack
from simulator.cloudformation.template import Stack as Plan
from simulator.cloudformation.template_text import BadTemplate, load
from simulator.refusal import Refused

LONGEST_TEMPLATE = 51_200  # "Understand CloudFormation quotas"
NOT_CHANGED = (
    "The submitted information didn't contain changes. Submit different information to create a"
    " change set."
)
# Words: aws-cloudformation/rain#744. "Validate stack deployments" in the user guide.
NOT_VALID = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To"
    " troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure"
    " information."
)
MAY_BE_UPDATED = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
}


class ChangeSetRequests(Records):
    def create_change_set(self, parameters: Json) -> Json:
        only(
            parameters,
            *("StackName", "ChangeSetName", "ChangeSetType", "TemplateBody", "Parameters"),
            *("Capabilities", "ImportExistingResources", "OnStackFailure", "Tags"),
            *("Description", "DisableValidation", "ClientToken"),
        )
        # "Specify this token if you plan to retry requests so that CloudFormation knows that you're
        # not attempting to create another change set with the same name" (the API).
        if token := parameters.get("ClientToken"):
            for known in self.change_sets.values():
                if known.request.get("ClientToken") == token:
                    return {"Id": known.id, "StackId": known.stack.id}
        body, name = parameters["TemplateBody"], parameters["ChangeSetName"]
        if len(body.encode()) > LONGEST_TEMPLATE:
            raise Refused(
                "ValidationError",
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
                f" Member must have length less than or equal to {LONGEST_TEMPLATE}",
            )
        plan = self.planned(body, parameters.get("Parameters", []))
        self.check_capabilities(plan, parameters.get("Capabilities", []))
        kind = parameters.get("ChangeSetType", "UPDATE")
        stack = self.stack_to_change(parameters["StackName"], kind, name)
        if any(each.name == name for each in self.change_sets_of(stack)):
            raise Refused("AlreadyExistsException", f"ChangeSet {name} already exists")
        change_set = ChangeSet(
            name,
            self.place.arn("cloudformation", f"changeSet/{name}/{self.identifier()}"),
            stack,
            kind,
            plan,
            parameters,
            self.clock.stamp(),
        )
        self.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def planned(self, body: str, given: list[Json]) -> Plan:
        try:
            template = load(body)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
            raise BadTemplate(f"Template format error: YAML not well-formed.{where}") from error
        values = {each["ParameterKey"]: each["ParameterValue"] for each in given}
        plan = Plan(template, values, self.place)
        if plan.parameters and plan.broken_rules:
            raise BadTemplate("; ".join(plan.broken_rules))
        if not plan.order:
            reason = "Template format error: At least one Resources member must be defined."
            raise BadTemplate(reason)
        return plan

    def check_capabilities(self, plan: Plan, given: list[str]) -> None:
        named = any(
            plan.template["Resources"][name]["Type"].startswith("AWS::IAM::") for name in plan.needs
        )
        if named and "CAPABILITY_NAMED_IAM" not in given:
            # Words: envato/stack_master#138.
            raise Refused(
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            )

    def stack_to_change(self, name: str, kind: str, change_set: str) -> Stack:
        stack = self.find(name)
        if kind == "CREATE":
            if stack is None:
                return self.new_stack(name)
            if stack.status != "REVIEW_IN_PROGRESS":
                raise Refused(
                    "ValidationError",
                    f"Stack [{name}] already exists and cannot be created again with the changeSet"
                    f" [{change_set}].",
                )
            return stack
        if kind != "UPDATE":
            raise NotSimulated(f"a change set of type {kind}")
        if stack is None:
            raise Refused("ValidationError", f"Stack [{name}] does not exist")
        if stack.status not in MAY_BE_UPDATED:
            # Words: rails-lambda/lamby#132.
            reason = f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            raise Refused("ValidationError", reason)
        return stack

    def describe_change_set(self, parameters: Json) -> Json:
        only(parameters, "ChangeSetName", "StackName", "IncludePropertyValues")
        change_set = self.change_set(parameters)
        self.work_on(change_set)
        stack, request = change_set.stack, change_set.request
        changes = change_set.changes if change_set.status == "CREATE_COMPLETE" else []
        if not parameters.get("IncludePropertyValues"):
            changes = without_values(changes)
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Parameters": request.get("Parameters", []),
            "CreationTime": change_set.made_at,
            "ExecutionStatus": change_set.execution,
            "Status": change_set.status,
            "Capabilities": request.get("Capabilities", []),
            "Tags": request.get("Tags", []),
            "Changes": changes,
            "ImportExistingResources": request.get("ImportExistingResources", False),
            "IncludeNestedStacks": False,
            "NotificationARNs": [],
            "RollbackConfiguration": {},
        } | ({"StatusReason": change_set.reason} if change_set.reason else {})

    def work_on(self, change_set: ChangeSet) -> None:
        """A change set starts with one request about it, and is ready with the next."""
        if change_set.status == "CREATE_PENDING":
            change_set.status = "CREATE_IN_PROGRESS"
        elif change_set.status == "CREATE_IN_PROGRESS":
            change_set.reason = self.complaint(change_set)
            change_set.status = "FAILED" if change_set.reason else "CREATE_COMPLETE"
            change_set.execution = "UNAVAILABLE" if change_set.reason else "AVAILABLE"

    def complaint(self, change_set: ChangeSet) -> str:
        """The complaint about a change set, empty if it is right; also computes its changes."""
        if missing := self.missing_parameter(change_set.plan):
            return missing
        planner = Planner(self, change_set)
        change_set.changes = planner.changes()
        change_set.complaints = planner.complaints
        if planner.complaints and not change_set.request.get("DisableValidation"):
            return NOT_VALID
        stack = change_set.stack
        same = not change_set.changes and planner.outputs == stack.outputs
        return NOT_CHANGED if same and change_set.type == "UPDATE" else ""

    def missing_parameter(self, plan: Plan) -> str:
        """CloudFormation looks up parameters of EC2's types. Words: nrdg/cloudknot#193."""
        ec2 = self.aws("ec2")
        lists = {
            "AWS::EC2::VPC::Id": lambda: (vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]),
            "AWS::EC2::Subnet::Id": lambda: (
                subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]
            ),
        }
        for name, rule in plan.template["Parameters"].items():
            for kind in (kind for kind in lists if kind in rule["Type"]):
                values = plan.parameters[name]
                known = set(lists[kind]())
                for value in values if isinstance(values, list) else [values]:
                    if value not in known:
                        return (
                            f"Parameter validation failed: parameter value {value} for parameter"
                            f" name {name} does not exist"
                        )
        return ""

    def delete_change_set(self, parameters: Json) -> Json:
        only(parameters, "ChangeSetName", "StackName")
        try:
            change_set = self.change_set(parameters)
        except Refused as refused:
            if refused.code == "ChangeSetNotFound":
                return {}
            raise
        if change_set.execution == "EXECUTE_IN_PROGRESS":
            raise Refused(
                "InvalidChangeSetStatus",
                "An operation on this ChangeSet is currently in progress.",
            )
        del self.change_sets[change_set.id]
        return {}

    def execute_change_set(self, parameters: Json) -> Json:
        only(parameters, "ChangeSetName", "StackName", "ClientRequestToken")
        change_set = self.change_set(parameters)
        stack = change_set.stack
        # "Specify this token if you plan to retry requests so that CloudFormation knows that you're
        # not attempting to execute a change set [...] with the same name" (the API).
        token = parameters.get("ClientRequestToken")
        if token and token == change_set.token:
            return {}
        for what, is_so, must_be in (
            ("status", change_set.status, "CREATE_COMPLETE"),
            ("execution status", change_set.execution, "AVAILABLE"),
        ):
            if is_so != must_be:
                raise Refused(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{change_set.id}] cannot be executed in its current {what} of"
                    f" [{is_so}]",
                )
        # "When you execute a change set, CloudFormation deletes all other change sets" (the API).
        for other in self.change_sets_of(stack):
            if other is not change_set:
                del self.change_sets[other.id]
        change_set.token = token
        stack.capabilities = change_set.request.get("Capabilities", [])
        stack.tags_before, stack.tags = stack.tags, change_set.tags
        stack.begin(self.executed(change_set))
        return {}

    def executed(self, change_set: ChangeSet) -> Iterator[None]:
        stack, plan, imports = change_set.stack, change_set.plan, change_set.imports
        change_set.execution = "EXECUTE_IN_PROGRESS"
        if change_set.type == "CREATE":
            on_failure = change_set.request.get("OnStackFailure", "ROLLBACK")
            yield from operations.create(stack, plan, imports, on_failure)
        else:
            stack.changed_at = self.clock.stamp()
            yield from operations.update(stack, plan, imports)
        good = stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        change_set.execution = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"

    def describe_events(self, parameters: Json) -> Json:
        """The results of the validation of a change set; other events: DescribeStackEvents."""
        only(parameters, "ChangeSetName", "StackName", "Filters")
        return {"OperationEvents": self.change_set(parameters).complaints}
