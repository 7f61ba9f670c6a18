"""The running service, and what to do next. `read_status` asks AWS; the rest is pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from infra.tool import health, image_scan, log
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.documents import platform_of
from infra.tool.ecs_service import EcsService, Event
from infra.tool.health import Fetch, Health
from infra.tool.log import Line
from infra.tool.lookup import read_service, read_stack
from infra.tool.scaling import Bounds, read_bounds
from infra.tool.scan import Scan
from infra.tool.service_names import Names
from infra.tool.settings import Settings
from infra.tool.stack import Stack
from infra.tool.target import COMMAND
from infra.tool.text import last_part, one_line

EVENTS_SHOWN = 3
LINES_SHOWN = 5

Part = TypeVar("Part")


@dataclass(frozen=True)
class Revision:
    """A revision of the task definition."""

    name: str  # FAMILY:N
    commit: str  # empty if no tag says it
    image: str  # NAME@DIGEST
    platform: str = ""  # for example linux/amd64

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]


@dataclass(frozen=True)
class AlarmStates:
    total: int
    in_alarm: Sequence[str]  # names


@dataclass(frozen=True)
class Status:
    """All that was read. A part is None if it does not exist or could not be read."""

    settings: Settings
    stack: Stack | None = None
    service: EcsService | None = None
    url: Health | None = None
    balancer: Health | None = None  # of the load balancer by its own name, if the URL has no answer
    revision: Revision | None = None
    scan: Scan | None = None  # of the image of that revision
    bounds: Bounds | None = None
    alarms: AlarmStates | None = None
    log: Sequence[Line] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)  # why, by the name of the part

    @property
    def events(self) -> Sequence[Event]:
        """The last few events of the service, the latest last."""
        return list(reversed(self.service.events[:EVENTS_SHOWN])) if self.service else []


def read_status(settings: Settings, aws: Aws, fetch: Fetch, now: datetime) -> Status:
    """Read all parts. A part that AWS refuses is named in `unreadable`.

    Raises AwsError if the service itself cannot be read.
    """
    names, unreadable = settings.names, dict[str, str]()

    def part(name: str, read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except AwsError as error:
            unreadable[name] = error.message
            return None

    stack = part("stack", lambda: read_stack(aws, names.stack))
    if stack is None and "stack" not in unreadable:
        return Status(settings)
    service = read_service_or_none(aws, names)
    if service is None:
        return Status(settings, stack=stack, unreadable=unreadable)
    primary = service.primary
    revision = part(
        "revision",
        lambda: read_revision(aws, primary.task_definition, names) if primary else None,
    )
    url = health.ask(fetch, stack.url) if stack and stack.url else None
    return Status(
        settings=settings,
        stack=stack,
        service=service,
        url=url,
        balancer=ask_balancer(fetch, stack, url),
        revision=revision,
        scan=part("scan", lambda: read_scan(aws, names.repository, revision)),
        bounds=part("bounds", lambda: read_bounds(aws, names)),
        alarms=part("alarms", lambda: read_alarms(aws, settings.service.name, stack)),
        log=part("log", lambda: read_last_lines(aws, names.log_group, now)),
        unreadable=unreadable,
    )


def ask_balancer(fetch: Fetch, stack: Stack | None, url: Health | None) -> Health | None:
    """The answer for a domain name that has none, from the load balancer by its own name."""
    if stack is None or url is None or not url.error or not stack.load_balancer_domain:
        return None
    if urlsplit(stack.url).hostname == stack.load_balancer_domain.lower():
        return None
    return health.ask(fetch, stack.url, via=stack.load_balancer_domain)


def read_service_or_none(aws: Aws, names: Names) -> EcsService | None:
    """The service, or None if the service or its cluster does not exist."""
    try:
        return read_service(aws, names)
    except AwsError as error:
        if error.aws_code == "ClusterNotFoundException":
            return None
        raise


def read_revision(aws: Aws, task_definition: str, names: Names) -> Revision:
    answer = aws.ecs.describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
    tags = {tag["key"]: tag["value"] for tag in answer.get("tags", [])}
    containers = answer["taskDefinition"].get("containerDefinitions", [])
    images = [each.get("image", "") for each in containers if each.get("name") == names.container]
    return Revision(
        name=last_part(task_definition),
        commit=one_line(tags.get("commit", "")),
        image=one_line(last_part("".join(images[:1]))),
        platform=platform_of(dict(answer["taskDefinition"])),
    )


def read_scan(aws: Aws, repository: str, revision: Revision | None) -> Scan | None:
    """The scan of the image that runs; None if no digest names it."""
    if revision is None or not revision.digest:
        return None
    return image_scan.read(aws, repository, revision.digest, revision.platform)


def read_alarms(aws: Aws, app_name: str, stack: Stack | None) -> AlarmStates | None:
    """The alarms on the load balancer of this service: another service's may begin alike."""
    if stack is None:
        return None
    pages = aws.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{app_name}-")
    ours = [
        alarm
        for page in pages
        for alarm in page.get("MetricAlarms", [])
        if {"Name": "LoadBalancer", "Value": stack.load_balancer} in alarm.get("Dimensions", [])
    ]
    in_alarm = [one_line(alarm["AlarmName"]) for alarm in ours if alarm["StateValue"] == "ALARM"]
    return AlarmStates(len(ours), in_alarm)


def read_last_lines(aws: Aws, log_group: str, now: datetime) -> Sequence[Line]:
    """The last lines. CloudWatch answers the oldest first, so a busy service is asked for one
    minute, and a quiet one then for the last quarter of an hour."""
    lines = log.read(aws, log_group, now - timedelta(minutes=1))
    if len(lines) < LINES_SHOWN:
        lines = log.read(aws, log_group, now - timedelta(minutes=15))
    return lines[-LINES_SHOWN:]


# --- judging it ---


def problems(status: Status) -> list[str]:
    """Why the service is not healthy; empty if it is."""
    stack, service = status.stack, status.service
    if service is None:
        missing = f"the stack {status.settings.names.stack}"
        if stack or "stack" in status.unreadable:
            missing = f"the service {status.settings.names.service}"
        return [f"{missing} does not exist"]
    found = []
    if stack and not stack.url:
        found.append(f"the stack is {stack.status} and has no URL")
    if status.url:
        found += problems_of_url(status, status.url, service)
    if service.running < service.desired:
        found.append(f"{service.running} of {service.desired} tasks are running")
    if service.desired == 0:
        found.append("the service is scaled to zero tasks")
    if service.is_draining:
        found.append("the service is being deleted")
    if service.primary and service.primary.state == "FAILED":
        found.append("the deployment failed")
    if status.alarms and status.alarms.in_alarm:
        found.append(f"in ALARM: {', '.join(status.alarms.in_alarm)}")
    return found


def problems_of_url(status: Status, url: Health, service: EcsService) -> list[str]:
    """While a deployment is in progress, the commit of either revision is right. If the URL is not
    expected to be reachable from here, no answer is no problem."""
    revision = status.revision
    if url.error and not status.settings.is_reachable:
        return []
    if lacks_record(status):
        return ["the URL does not answer, and the load balancer does by its own name"]
    if url.error:
        return ["the URL does not answer"]
    if url.status != 200:
        return [f"the URL answers {url.status}"]
    done = service.primary is not None and service.primary.state == "COMPLETED"
    deployed = revision.commit if revision else ""
    if done and url.commit and deployed and url.commit != deployed:
        return [f"the URL answers with commit {url.commit[:7]}, and {deployed[:7]} was deployed"]
    return []


def lacks_record(status: Status) -> bool:
    """Whether the domain name leads nowhere, and the service answers for it."""
    return status.balancer is not None and status.balancer.status == 200


def next_step(status: Status) -> str:
    """The one thing to do now."""
    service = status.service
    if service is None:
        if status.stack is None and "stack" not in status.unreadable:
            return "create the infrastructure: uv run --frozen -m infra provision"
        return "deploy: git push origin main, or bash infra/deploy-manual.sh"
    if service.is_draining:
        return "wait some minutes until the service is deleted; then a deploy creates it again"
    if service.desired == 0:
        return "deploy: that starts the minimum number of tasks again"
    if service.primary and service.primary.state == "IN_PROGRESS":
        return f"wait until the deployment ends, or go back at once: {COMMAND} rollback"
    if lacks_record(status) and len(problems(status)) == 1 and status.stack:
        return (
            f"let {status.settings.https.domain} lead to {status.stack.load_balancer_domain} by a "
            "DNS record (CNAME or alias)"
        )
    if problems(status):
        return f"read the log (logs --follow), then deploy a fix, or go back: {COMMAND} rollback"
    return "nothing: the service is healthy"
