"""Changes of the network of a running service, made by direct calls to AWS."""

from tests.support.checkout import Checkout
from tests.support.stack_by_calls import parameters, template_body


def replace_task_security_group(checkout: Checkout) -> tuple[str, str]:
    """Let the stack replace the security group of the tasks. Returns the old and the new one.

    The stack is left in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, because the tasks are in the old one.
    """
    client, stack = checkout.aws.client("cloudformation"), checkout.settings.names.stack
    words = "GroupDescription: "
    body = template_body(checkout)
    assert words in body, "the template names no description of a security group any more"
    place = body.index("TaskSecurityGroup:")
    changed = body[:place] + body[place:].replace(words, f"{words}The new ", 1)
    old = task_security_group(checkout)
    named = {"StackName": stack, "ChangeSetName": "replace"}
    client.create_change_set(
        **named,
        ChangeSetType="UPDATE",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateBody=changed,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameters(checkout).items()
        ],
    )
    while not (made := client.describe_change_set(**named))["Status"].endswith("COMPLETE"):
        assert made["Status"] != "FAILED", made["StatusReason"]
    client.execute_change_set(**named)
    while (status := checkout.stack_status) != "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
        assert status == "UPDATE_IN_PROGRESS", f"the stack of the test is in state {status}"
    return old, task_security_group(checkout)


def task_security_group(checkout: Checkout) -> str:
    client = checkout.aws.client("cloudformation")
    [stack] = client.describe_stacks(StackName=checkout.settings.names.stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    return str(outputs["TaskSecurityGroupId"])
