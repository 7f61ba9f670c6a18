"""The tags of a running service, which a deploy sets and removes."""

from infra.tool import revision, tags
from infra.tool.api_model import Json
from infra.tool.aws_errors import tolerating
from infra.tool.ecs_service import EcsService
from infra.tool.revision import Revision
from infra.tool.tags import Retagging
from infra.tool.target import Target


def read(
    target: Target, document: Json, service: EcsService | None, present: Revision | None
) -> Retagging:
    """The changes of tags to those of infra/service.json; none for a service that is new."""
    if service is None:
        return Retagging({}, ())
    wanted = tags.as_table(document.get("tags", []))
    has = tags.as_table(service.answer.get("tags", []))
    ours = {*present.tags.items()} if present else set()
    if has.keys() - wanted.keys():
        # The latest one too, if its deployment was rolled back.
        with tolerating("ClientException"):  # no revision of the family is ACTIVE
            latest = revision.read_revision(target.aws, target.settings.names.family)
            ours |= {*latest.tags.items()}
    return tags.retagging(wanted, has, ours)


def apply(target: Target, service: EcsService | None, retagging: Retagging) -> None:
    """Before the deployment, because its tasks get the tags that the service has by then."""
    if service is None or not retagging:
        return
    arn, ecs = service.answer["serviceArn"], target.aws.ecs
    if retagging.to_set:
        wanted = retagging.to_set.items()
        ecs.tag_resource(
            resourceArn=arn, tags=[{"key": key, "value": each} for key, each in wanted]
        )
    if retagging.to_remove:
        ecs.untag_resource(resourceArn=arn, tagKeys=[*retagging.to_remove])
    changed = ", ".join([*retagging.to_set, *(f"without {key}" for key in retagging.to_remove)])
    target.fact("tags", changed)
