"""The status as people read it, and as programs do: `status --json` prints a `StatusReport`."""

from datetime import datetime

from pydantic import BaseModel, Field

from infra.tool import console_page
from infra.tool.console import Console
from infra.tool.ecs_service import Deployment, EcsService
from infra.tool.health import Health
from infra.tool.scaling import Bounds
from infra.tool.status import Revision, Status, next_step, problems
from infra.tool.text import age, counted

AGE_WIDTH = 16  # characters, for "  11 min ago"


class Url(BaseModel):
    address: str
    status: int | None = Field(description="HTTP status of /health; null if nothing answered")
    milliseconds: int = Field(description="time until the answer")
    commit: str = Field(description="the commit that /health names; empty if none")
    error: str = Field(description="why nothing answered; empty if something did")


class RevisionReport(BaseModel):
    name: str = Field(description="FAMILY:NUMBER")
    commit: str = Field(description="full hash from the tag of the revision; empty if untagged")
    image: str = Field(description="REPOSITORY@DIGEST")


class ScanReport(BaseModel):
    status: str = Field(description="of ECR's scan, in its words; empty if there is no scan")
    description: str = Field(description="of the status, likewise")
    findings: dict[str, int] | None = Field(
        description="how many, by severity; null if there is no result"
    )


class Tasks(BaseModel):
    desired: int
    running: int
    pending: int
    min: int | None = Field(description="lower bound of the scaling; null if no scaling is set")
    max: int | None = Field(description="upper bound of the scaling; null if no scaling is set")


class DeploymentReport(BaseModel):
    id: str
    state: str = Field(description="IN_PROGRESS, COMPLETED or FAILED")
    reason: str = Field(description="of the state, in the words of ECS")
    started: datetime
    failed_tasks: int


class Alarms(BaseModel):
    total: int
    in_alarm: list[str] = Field(description="names of the alarms in state ALARM")


class TimedText(BaseModel):
    time: datetime
    text: str


class StatusReport(BaseModel):
    """The output of `status --json`. A part is null if it does not exist or could not be read."""

    name: str
    account: str
    region: str
    healthy: bool = Field(description="true exactly if the exit code is 0")
    problems: list[str] = Field(description="why the service is not healthy")
    next: str = Field(description="what to do now")
    stack: str | None = Field(description="state of the CloudFormation stack")
    url: Url | None
    revision: RevisionReport | None
    scan: ScanReport | None = Field(description="of the image of the revision")
    tasks: Tasks | None
    deployment: DeploymentReport | None
    alarms: Alarms | None
    dashboard: str | None = Field(description="its URL; null if [observe] dashboard is off")
    events: list[TimedText] = Field(description="the last events of the service, oldest first")
    log: list[TimedText] | None = Field(description="the last lines, oldest first")
    unreadable: dict[str, str] = Field(description="why AWS was not read, by the name of the part")


def report_of(status: Status) -> StatusReport:
    service, found = status.service, problems(status)
    primary = service.primary if service else None
    alarms, url = status.alarms, status.url
    return StatusReport(
        name=status.settings.service.name,
        account=status.settings.service.account,
        region=status.settings.service.region,
        healthy=not found,
        problems=found,
        next=next_step(status),
        stack=status.stack.status if status.stack else None,
        url=Url(address=status.stack.url, **vars(url)) if url and status.stack else None,
        revision=revision_of(status.revision) if status.revision else None,
        scan=ScanReport(**vars(status.scan)) if status.scan else None,
        tasks=tasks_of(service, status.bounds) if service else None,
        deployment=deployment_of(primary) if primary else None,
        alarms=Alarms(total=alarms.total, in_alarm=list(alarms.in_alarm)) if alarms else None,
        dashboard=dashboard_of(status) or None,
        events=[TimedText(time=each.time, text=each.message) for each in status.events],
        log=None
        if status.log is None
        else [TimedText(time=line.time, text=line.message) for line in status.log],
        unreadable=status.unreadable,
    )


def revision_of(revision: Revision) -> RevisionReport:
    return RevisionReport(name=revision.name, commit=revision.commit, image=revision.image)


def tasks_of(service: EcsService, bounds: Bounds | None) -> Tasks:
    return Tasks(
        desired=service.desired,
        running=service.running,
        pending=service.pending,
        min=bounds.least if bounds else None,
        max=bounds.most if bounds else None,
    )


def deployment_of(primary: Deployment) -> DeploymentReport:
    return DeploymentReport(
        id=primary.id,
        state=primary.state,
        reason=primary.reason,
        started=primary.created,
        failed_tasks=primary.failed,
    )


def print_status(console: Console, status: Status, now: datetime) -> None:
    """One screen, for people. If the service is not healthy, the error that follows names the
    problems and the next step."""
    settings = status.settings.service
    console.fact("service", f"{settings.name} in {settings.region}, account {settings.account}")
    if status.service:
        for name, value in facts(status, now).items():
            console.fact(name, value)
    with console.quoted():
        if status.service:
            print_lines(console, status, now)
    if not problems(status):
        console.fact("next", next_step(status))


def facts(status: Status, now: datetime) -> dict[str, str]:
    """The lines of the screen, by their names."""
    found = {
        "url": url_in_words(status),
        "revision": revision_in_words(status),
        "image": status.revision.image if status.revision else "",
        "scan": status.scan.text if status.scan else unreadable(status, "scan"),
        "tasks": tasks_in_words(status),
        "deployment": deployment_in_words(status, now),
        "alarms": alarms_in_words(status),
        "dashboard": dashboard_of(status),
    }
    return {name: value for name, value in found.items() if value}


def unreadable(status: Status, part: str) -> str:
    return f"cannot be read: {status.unreadable[part]}" if part in status.unreadable else ""


def url_in_words(status: Status) -> str:
    stack, url = status.stack, status.url
    if stack is None:
        return unreadable(status, "stack")
    if url is None:
        return f"none: the stack is {stack.status}"
    return f"{stack.url}: {health_in_words(url)}"


def health_in_words(url: Health) -> str:
    if url.error:
        return f"no answer, {url.error}"
    commit = f", commit {url.commit[:7]}" if url.commit else ""
    return f"{url.status} in {url.milliseconds} ms{commit}"


def revision_in_words(status: Status) -> str:
    if status.revision is None:
        return unreadable(status, "revision") or "none"
    return f"{status.revision.name}, commit {status.revision.commit or 'unknown'}"


def tasks_in_words(status: Status) -> str:
    service, bounds = status.service, status.bounds
    if service is None:
        return ""
    scaling = unreadable(status, "bounds") and f"scaling {unreadable(status, 'bounds')}"
    if not scaling:
        scaling = f"scaling {bounds.least} to {bounds.most}" if bounds else "no scaling is set"
    counts = f"{service.running} of {service.desired} running"
    pending = f", {service.pending} starting" if service.pending else ""
    return f"{counts}{pending}; {scaling}"


def deployment_in_words(status: Status, now: datetime) -> str:
    primary = status.service.primary if status.service else None
    if primary is None:
        return "none"
    text = f"{primary.state or 'no state'}, started {age(primary.created, now)}"
    if primary.failed:
        text += f", {counted(primary.failed, 'task')} failed"
    if primary.state != "COMPLETED":
        text += f": {primary.reason or 'ECS gives no reason'}"
    return text


def alarms_in_words(status: Status) -> str:
    alarms = status.alarms
    if alarms is None:
        return unreadable(status, "alarms") or unreadable(status, "stack")
    if alarms.in_alarm:
        return f"in ALARM: {', '.join(alarms.in_alarm)}"
    return f"none of {alarms.total} in ALARM"


def dashboard_of(status: Status) -> str:
    """Its URL; empty if the stack has none."""
    name = status.stack.dashboard if status.stack else ""
    return console_page.dashboard(status.settings.service, name) if name else ""


def print_lines(console: Console, status: Status, now: datetime) -> None:
    """The last events and log lines, each with its age or time."""
    console.say("last events")
    for event in status.events:
        console.fact(f"  {age(event.time, now)}", event.message, AGE_WIDTH)
    if status.log is None:
        console.fact("log", unreadable(status, "log"))
        return
    console.say("last log lines" if status.log else "no log lines in the last 15 minutes")
    for line in status.log:
        console.fact(f"  {line.time:%H:%M:%S}", line.short)
