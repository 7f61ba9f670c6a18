"""The operations of CloudFormation that provision, destroy and the tests use.

A method is an operation, by its snake_case name. Stacks change by change sets, one step for each
request about them (DescribeStacks, DescribeStackEvents). Refusals have CloudFormation's words;
those without a source are from LocalStack's snapshots of AWS's answers
(tests/aws/services/cloudformation/api/*.snapshot.json).
"""

from simulator.cloudformation.change_set_requests import ChangeSetRequests
from simulator.cloudformation.stack_requests import StackRequests


class CloudFormation(ChangeSetRequests, StackRequests):
    """All stacks of one region."""
