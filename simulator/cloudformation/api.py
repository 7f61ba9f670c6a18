"""CloudFormation, with the operations that provision, destroy and the tests use.

A method is an operation, by its snake_case name. Stacks change by change sets, one step for each
request about them (DescribeStacks, DescribeStackEvents). Refusals have CloudFormation's words;
those without a source are from LocalStack's snapshots of AWS's answers
(tests/aws/services/cloudformation/api/*.snapshot.json).
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from simulator.clock import Clock
from simulator.cloudformation.change_details import Details, context, without_values
from simulator.cloudformation.resources.kind import Aws, Json, NotSimulated
from simulator.cloudformation.resources.kinds import KINDS
from simulator.cloudformation.stack import KEPT, NOT_KNOWN_YET, Made, Stack, Verb
from simulator.cloudformation.tags import is_taggable
from simulator.cloudformation.template import BadTemplate, Place, load
from simulator.cloudformation.template import Stack as Plan
from simulator.refusal import Refused

LONGEST_TEMPLATE = 51_200  # "Understand CloudFormation quotas"
EVENTS_ON_A_PAGE = 100
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


@dataclass
class ChangeSet:
    name: str
    id: str
    stack: Stack
    type: str
    plan: Plan
    request: Json
    made_at: datetime
    changes: list[Json] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    status: str = "CREATE_PENDING"
    reason: str = ""
    execution: str = "UNAVAILABLE"
    token: str | None = None  # of the request that it was executed with
    complaints: list[Json] = field(default_factory=list)

    @property
    def tags(self) -> list[Json]:
        """Those that the stack shall have: without the member, as it has them (UpdateStack)."""
        found: list[Json] = self.request.get("Tags", self.stack.tags)
        return found


class CloudFormation:
    """All stacks of one region.

    `aws` returns the client of a service, with the credentials of the caller that made the request.
    """

    def __init__(self, aws: Aws, clock: Clock, place: Place) -> None:
        self.aws = aws
        self.clock = clock
        self.place = place
        self.stacks: dict[str, Stack] = {}  # by id, deleted ones too
        self.change_sets: dict[str, ChangeSet] = {}  # by id
        self.failures: dict[tuple[str, Verb], str] = {}
        self.numbers = itertools.count(1)

    def fails(self, resource: str, verb: Verb, reason: str) -> None:
        """Make the next such operation on a resource fail, with that reason."""
        self.failures[resource, verb] = reason

    # --- change sets ---

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

    def new_stack(self, name: str) -> Stack:
        if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
            raise Refused(
                "ValidationError",
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy"
                " constraint: Member must satisfy regular expression pattern:"
                " [a-zA-Z][-a-zA-Z0-9]*",
            )
        id = self.place.arn("cloudformation", f"stack/{name}/{self.identifier()}")
        stack = Stack(name, id, self.aws, self.clock, self.failures, self.clock.stamp())
        self.stacks[id] = stack
        stack.says("REVIEW_IN_PROGRESS", "User Initiated")
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
            yield from stack.create(plan, imports, on_failure)
        else:
            stack.changed_at = self.clock.stamp()
            yield from stack.update(plan, imports)
        good = stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        change_set.execution = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"

    def describe_events(self, parameters: Json) -> Json:
        """The results of the validation of a change set; other events: DescribeStackEvents."""
        only(parameters, "ChangeSetName", "StackName", "Filters")
        return {"OperationEvents": self.change_set(parameters).complaints}

    # --- stacks ---

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
        stack.begin(stack.delete(leave))
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
        stack.begin(stack.go_back())
        return {}

    # --- lookups ---

    def identifier(self) -> str:
        return f"{next(self.numbers):08x}-5154-11ea-bd5e-12717722e021"

    def find(self, name: str) -> Stack | None:
        """The stack with that id, or the one with that name that is not deleted."""
        if name in self.stacks:
            return self.stacks[name]
        those = [stack for stack in self.stacks.values() if stack.name == name]
        return next((stack for stack in those if stack.status != "DELETE_COMPLETE"), None)

    def must_find(self, name: str) -> Stack:
        stack = self.find(name)
        if stack is None:
            raise Refused("ValidationError", f"Stack [{name}] does not exist")
        return stack

    def change_sets_of(self, stack: Stack) -> list[ChangeSet]:
        return [each for each in self.change_sets.values() if each.stack is stack]

    def change_set(self, parameters: Json) -> ChangeSet:
        name = parameters["ChangeSetName"]
        if name in self.change_sets:
            return self.change_sets[name]
        if not name.startswith("arn:"):
            if "StackName" not in parameters:
                raise Refused(
                    "ValidationError",
                    "StackName must be specified if ChangeSetName is not specified as an ARN.",
                )
            for each in self.change_sets_of(self.must_find(parameters["StackName"])):
                if each.name == name:
                    return each
        raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def owner(self, type: str, id: str) -> Stack | None:
        """The stack that a resource belongs to."""
        for stack in self.stacks.values():
            if any(made.kind.type == type and made.id == id for made in stack.resources.values()):
                return stack
        return None


class Planner:
    """The changes of a change set, as far as they are known before a resource is created."""

    def __init__(self, service: CloudFormation, change_set: ChangeSet) -> None:
        self.service = service
        self.change_set = change_set
        self.stack = change_set.stack
        self.complaints: list[Json] = []
        plan = change_set.plan
        self.plan = Plan(plan.template, plan.given, plan.place, self.identify)
        self.details = Details(plan, self.stack.plan)

    def identify(self, _: Plan, name: str, attribute: str) -> Any:
        """The value of an attribute; not known yet if its resource gets a new id."""
        is_new = self.details.replacements.get(name) == "True"
        if is_new or name not in self.stack.resources:
            return NOT_KNOWN_YET
        return self.stack.identify(name, attribute)

    @property
    def outputs(self) -> Json:
        return self.plan.outputs

    def changes(self) -> list[Json]:
        order = self.change_set.plan.order
        changes = [change for name in order if (change := self.change(name))]
        changes += [
            self.removal(made) for name, made in self.stack.resources.items() if name not in order
        ]
        return [{"Type": "Resource", "ResourceChange": change} for change in changes]

    def change(self, name: str) -> Json | None:
        wanted = self.plan.resource(name)
        made = self.stack.resources.get(name)
        if made is None:
            self.details.replacements[name] = "True"
            return self.addition(name) | {"AfterContext": context(wanted.properties)}
        if made.kind.type != wanted.type:
            raise BadTemplate(
                "Update of resource type is not permitted. The new template modifies resource type"
                f" of the following resources: [{name}]"
            )
        details = self.details.of(made, wanted) + self.tagging(made)
        if not details:
            return None
        self.details.replacements.setdefault(name, "False")
        replacement = self.details.replacements[name]
        change = described_change("Modify", name, wanted.type, made.id) | {
            "Replacement": replacement,
            "Scope": sorted({detail["Target"]["Attribute"] for detail in details}),
            "Details": details,
            "BeforeContext": context(made.properties),
            "AfterContext": context(wanted.properties),
        }
        if replacement == "True":
            kept = wanted.attributes.get("UpdateReplacePolicy") in KEPT
            change["PolicyAction"] = "ReplaceAndRetain" if kept else "ReplaceAndDelete"
        return change

    def tagging(self, made: Made) -> list[Json]:
        """Other tags of the stack: "ResourceTargetDefinition" has Tags as an attribute."""
        tags = {each["Key"]: each["Value"] for each in self.change_set.tags}
        if not is_taggable(made.kind.schema) or tags == made.tags:
            return []
        return [
            {
                "Target": {"Attribute": "Tags", "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
        ]

    def removal(self, made: Made) -> Json:
        return described_change("Remove", made.name, made.kind.type, made.id) | {
            "PolicyAction": "Retain" if made.is_kept("DeletionPolicy") else "Delete",
            "BeforeContext": context(made.properties),
        }

    def addition(self, name: str) -> Json:
        """A resource that the stack does not have yet: created, or imported if it exists."""
        wanted = self.plan.resource(name)
        if wanted.type not in KINDS:
            raise NotSimulated(wanted.type)
        kind = KINDS[wanted.type](self.service.aws)
        there = kind.there(wanted.properties)
        if there is None:
            return described_change("Add", name, wanted.type)
        if self.may_be_taken_over(name, kind.naming, there):
            self.change_set.imports.add(name)
            return described_change("Import", name, wanted.type, there)
        self.complaints.append(
            {
                "EventId": f"{name}-validation",
                "StackId": self.stack.id,
                "OperationType": "CREATE_CHANGESET",
                "OperationStatus": "FAILED",
                "EventType": "VALIDATION_ERROR",
                "LogicalResourceId": name,
                "PhysicalResourceId": there,
                "ResourceType": wanted.type,
                "Timestamp": self.service.clock.stamp(),
                "ValidationFailureMode": "FAIL",
                "ValidationName": "NAME_CONFLICT_VALIDATION",
                "ValidationStatus": "FAILED",
                "ValidationStatusReason": kind.conflict(wanted.properties),
                "ValidationPath": f"/Resources/{name}",
            }
        )
        return described_change("Add", name, wanted.type)

    def may_be_taken_over(self, name: str, naming: list[str], id: str) -> bool:
        """The requirements of "Import AWS resources into a CloudFormation stack automatically"."""
        body = self.plan.template["Resources"][name]
        return (
            self.change_set.request.get("ImportExistingResources", False)
            and all(isinstance(body["Properties"].get(key), str) for key in naming)
            and body.get("DeletionPolicy") in KEPT
            and self.service.owner(body["Type"], id) is None
        )


def described_change(action: str, name: str, type: str, id: str = "") -> Json:
    change: Json = {"Action": action, "LogicalResourceId": name, "ResourceType": type}
    return change | {"Scope": [], "Details": []} | ({"PhysicalResourceId": id} if id else {})


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


def only(parameters: Mapping[str, Any], *known: str) -> None:
    if unknown := parameters.keys() - set(known):
        raise NotSimulated(f"parameters: {', '.join(sorted(unknown))}")
