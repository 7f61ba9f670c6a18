"""The changes that a deploy of this commit would make. Nothing is changed."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field

from infra.tool import (
    alarms,
    deploy,
    image,
    image_scan,
    scaling,
    schedule_document,
    schedules,
    service_request,
    service_tags,
)
from infra.tool.aws import Aws
from infra.tool.console import Console
from infra.tool.deploy import Plan, Step
from infra.tool.difference import Difference, differences
from infra.tool.revision import Revision, register_request
from infra.tool.settings import Settings
from infra.tool.tags import as_table
from infra.tool.target import COMMAND, Target
from infra.tool.text import counted, one_line


class Change(BaseModel):
    path: str = Field(description="for example containerDefinitions[web].cpu")
    before: Any = Field(description="what runs; null if absent")
    after: Any = Field(description="what a deploy would set; null if it would be removed")


class DeployPlan(BaseModel):
    """The output of `deploy --plan --json`."""

    commit: str
    builds_image: bool = Field(description="false if ECR has an image under the tag of the commit")
    replaces_tasks: bool = Field(description="whether new tasks would be started")
    creates_service: bool
    task_definition: list[Change] = Field(description="against the revision that runs")
    service: list[Change] = Field(description="against the service as it is")
    scaling: list[Change] = Field(description="bounds and policies, against those that are set")
    notes: list[str] = Field(description="what else to know")


def plan(target: Target) -> DeployPlan:
    """Read what runs and compare. Raises ToolError as a deploy would before its first change."""
    found = deploy.prepare(target)
    present = deploy.present_revision(target, found)
    step = deploy.next_step(found, present)
    digest = image.find(target, found.commit)
    schedules = ", ".join(found.schedules)
    notes = [f"the schedule {schedules} sets the bounds: left alone"] if schedules else []
    if target.settings.alarms.roll_back and step is Step.DEPLOY:
        watched = alarms.prospect(found.alarms, alarms.read(target.aws, found.alarms))
        notes.append(f"alarms: {watched}")
    if digest and step is Step.DEPLOY:
        notes.append(f"scan: {image_scan.prospect(target, digest, found.documents.platform)}")
    if step is Step.WATCH:
        notes.append("a deployment of this commit is in progress: a deploy would watch it")
    return DeployPlan(
        commit=found.commit,
        builds_image=digest is None and step is Step.DEPLOY,
        replaces_tasks=step is Step.DEPLOY,
        creates_service=found.service is None,
        task_definition=as_changes(about_task_definition(target, found, present, digest)),
        service=as_changes(about_service(target, found, present, step)),
        scaling=as_changes(about_scaling(target.aws, target.settings, found)),
        notes=notes,
    )


def as_changes(found: Iterator[Difference]) -> list[Change]:
    return [Change(path=each.path, before=each.before, after=each.after) for each in found]


def about_task_definition(
    target: Target, found: Plan, present: Revision | None, digest: str | None
) -> Iterator[Difference]:
    """The image is that of the commit; the tags of the revision always differ and say nothing."""
    settings = target.settings
    repository = f"{settings.service.registry}/{settings.names.repository}"
    built = f"{repository}@{digest or f'(to be built from {found.commit[:7]})'}"
    wanted = register_request(found.documents.task_definition, built, found.commit, found.document)
    del wanted["tags"]
    yield from differences(wanted, present.task_definition if present else {})


def about_service(
    target: Target, found: Plan, present: Revision | None, step: Step
) -> Iterator[Difference]:
    """Nothing if there is nothing to deploy: then a deploy does not update the service."""
    settings = target.settings
    if step is not Step.DEPLOY:
        return
    if found.service is None:
        yield from differences(service_request.create_request(found.request, "", settings), {})
        return
    request = service_request.update_request(
        found.request,
        "",
        settings,
        found.service.answer,
        schedule_owns_count=bool(found.schedules),
    )
    retagging = service_tags.read(target, found.documents.service, found.service, present)
    has = as_table(found.service.answer.get("tags", []))
    for key, value in retagging.to_set.items():
        yield Difference(f"tags[{key}]", has.get(key), value)
    for key in retagging.to_remove:
        yield Difference(f"tags[{key}]", has[key], None)
    only_sent = {"cluster", "forceNewDeployment", "service", "taskDefinition"}
    wanted = {key: value for key, value in request.items() if key not in only_sent}
    yield from differences(wanted, found.service.answer)


def about_scaling(aws: Aws, settings: Settings, found: Plan) -> Iterator[Difference]:
    if not found.schedules:
        bounds = scaling.read_bounds(aws, settings.names)
        limits = {"minimum": settings.tasks.min, "maximum": settings.tasks.max}
        present = {"minimum": bounds.least, "maximum": bounds.most} if bounds else {}
        yield from differences(limits, present)
    label = found.stack.outputs["ScalingResourceLabel"]
    policies = scaling.policy_requests(found.documents.autoscaling, settings.names, label)
    set_now = scaling.read_policies(aws, settings.names)
    yield from differences({"policies": list(policies)}, {"policies": set_now})
    if schedule_document.MEMBER in found.documents.autoscaling:
        wanted = found.documents.autoscaling[schedule_document.MEMBER]
        actions = schedules.read(aws, scaling.target_of(settings.names)) if found.service else []
        yield from differences(
            {schedule_document.MEMBER: schedules.comparable(wanted)},
            {schedule_document.MEMBER: schedules.comparable(actions)},
        )


def print_plan(console: Console, found: DeployPlan) -> None:
    console.fact("commit", found.commit)
    console.fact("image", "would be built and pushed" if found.builds_image else "is in ECR")
    console.fact("tasks", "would be replaced" if found.replaces_tasks else "would not be replaced")
    for name, changes in (
        ("task definition", found.task_definition),
        ("service", found.service),
        ("scaling", found.scaling),
    ):
        console.say(f"{name}: {counted(len(changes), 'change') if changes else 'no change'}")
        for change in changes:
            difference = Difference(change.path, change.before, change.after)
            console.say(f"  {one_line(difference.text)}")
    for note in found.notes:
        console.fact("note", note)
    console.say(f"Nothing was changed. To deploy: {COMMAND} deploy")
