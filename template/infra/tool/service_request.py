"""From infra/service.json to the requests of CreateService and UpdateService. Pure.

Every member of the document is sent as it is, derived by a rule of this module, or refused by name
(service_document.py) before anything is changed. An update sends the whole document, except:

- `deploymentConfiguration.alarms`, by the rules of deployment_alarms.py.
- `launchType`, `schedulingStrategy` and `tags`, which UpdateService does not take. A change from
  the launch type to a capacity provider strategy, and back, is sent as a strategy (empty: back),
  with forceNewDeployment. The scheduling strategy must be as it is. Tags are set, and those that
  [tags] no longer has removed, by TagResource and UntagResource (tags.py).
- what the document does not name (any more). UpdateService keeps the value of a member that a
  request leaves out, so removing a line would change nothing. If the service then has another value
  than a new service would get, the update is refused: the file has to say what is meant. Not
  compared are `platformVersion` (UpdateService takes the latest if it is left out), `tags` (another
  tool may have set them), `gatewayConnectors` and `monitoring` (no answer of DescribeServices has
  them: to remove one, send it empty first).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.tool import deployment_alarms
from infra.tool.api_model import Json
from infra.tool.service_document import BY_OTHER_CALLS, ONLY_NEW, as_shares
from infra.tool.service_names import Names
from infra.tool.settings import Settings
from infra.tool.stack import Stack


def container_port(task_definition: Json, names: Names) -> int:
    """The port that receives the requests of the load balancer."""
    [port] = (
        container["portMappings"][0]["containerPort"]
        for container in task_definition["containerDefinitions"]
        if container["name"] == names.container
    )
    return int(port)


def common_request(document: Json, task_definition: Json, settings: Settings, stack: Stack) -> Json:
    """The members of both requests: the document, the cluster, the network, the target group."""
    outputs, names = stack.outputs, settings.names
    return document | {
        "cluster": names.cluster,
        "loadBalancers": [
            {
                "targetGroupArn": outputs["TargetGroupArn"],
                "containerName": names.container,
                "containerPort": container_port(task_definition, names),
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": outputs["SubnetIds"].split(","),
                "securityGroups": [outputs["TaskSecurityGroupId"]],
                "assignPublicIp": outputs["AssignPublicIp"],
            }
        },
    }


def create_request(common: Json, task_definition: str, settings: Settings) -> Json:
    """For CreateService. The token (of at most 36 characters) makes a retry the same request."""
    return common | {
        "clientToken": task_definition.rpartition("/")[2][-36:],
        "serviceName": settings.names.service,
        "taskDefinition": task_definition,
        "desiredCount": settings.tasks.min,
    }


def update_request(
    common: Json,
    task_definition: str,
    settings: Settings,
    running: Mapping[str, Any],
    *,
    schedule_owns_count: bool,
) -> Json:
    """For UpdateService. `running` is the service in an answer of DescribeServices."""
    document = deployment_alarms.for_update(common, settings, running)
    by_other_means = {*BY_OTHER_CALLS, *ONLY_NEW}
    sent = {key: value for key, value in document.items() if key not in by_other_means}
    strategy, runs_on = common.get("capacityProviderStrategy", []), providers_of(running)
    if as_shares(strategy) != as_shares(runs_on):
        # An empty list goes back to the launch type. ECS asks for force with either change.
        sent |= {"capacityProviderStrategy": strategy, "forceNewDeployment": True}
    sent |= {"service": settings.names.service, "taskDefinition": task_definition}
    return sent | desired_count(settings, running, schedule_owns_count=schedule_owns_count)


def desired_count(
    settings: Settings, running: Mapping[str, Any], *, schedule_owns_count: bool
) -> Json:
    """The minimum, if fewer tasks are wanted: a deployment of no tasks completes without proving
    anything. Otherwise the scaling decides, and a schedule may want none."""
    if running.get("desiredCount", 0) >= settings.tasks.min or schedule_owns_count:
        return {}
    return {"desiredCount": settings.tasks.min}


def providers_of(running: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The capacity provider strategy of a service; empty if it has a launch type."""
    found: Sequence[Mapping[str, Any]] = running.get("capacityProviderStrategy") or []
    return found
