"""The image of a commit: one tag for each commit, built and pushed once, deployed by its digest."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from infra.tool.aws_errors import AwsError
from infra.tool.docker import Builder, Docker
from infra.tool.docker_login import logged_in
from infra.tool.documents import Documents
from infra.tool.errors import Problem
from infra.tool.target import Target

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

NO_REPOSITORY = Problem(
    "repository-missing",
    "the ECR repository {repository} does not exist in {region}",
    "create it: uv run --frozen -m infra provision",
)
NOT_BUILT = Problem(
    "image-not-built",
    "the image of commit {commit} could not be built: docker's output above shows why",
    "correct the Dockerfile or the files that it copies, commit, then run the command again",
)
NOT_IN_ECR = Problem(
    "image-not-pushed",
    "the image could not be pushed to {registry}: docker's output above shows why",
    "correct what docker names, then run the command again",
)


# The tag of an image that was in steady state is this and the commit.
DEPLOYED = "deployed-"
# Another deploy of the commit has tagged it meanwhile.
TAGGED = frozenset({"ImageAlreadyExistsException", "ImageTagAlreadyExistsException"})


def find(target: Target, commit: str) -> str | None:
    """The digest of the commit's image in ECR, or None. Its content is trusted. Raises ToolError.

    The tag is the full commit.
    """
    return digest_of(target, {"imageTag": commit})


def exists(target: Target, name: str) -> bool:
    """Whether ECR still has an image of the service's repository, NAME@DIGEST or NAME:TAG."""
    _, at, digest = name.partition("@")
    tag = name.rpartition(":")[2]
    return digest_of(target, {"imageDigest": digest} if at else {"imageTag": tag}) is not None


def digest_of(target: Target, id: "ImageIdentifierTypeDef") -> str | None:
    service, repository = target.settings.service, target.settings.names.repository
    try:
        answer = target.aws.ecr.describe_images(repositoryName=repository, imageIds=[id])
    except AwsError as error:
        if error.aws_code == "ImageNotFoundException":
            return None
        if error.aws_code == "RepositoryNotFoundException":
            raise NO_REPOSITORY(repository=repository, region=service.region) from None
        raise
    digests = [each["imageDigest"] for each in answer["imageDetails"] if "imageDigest" in each]
    return digests[0] if digests else None


def keep(target: Target, commit: str) -> None:
    """Tag the commit's image as deployed: infra/ecr-lifecycle-policy.json counts those apart, so no
    number of failed deploys expires what runs, or what a rollback needs. A refusal is a warning."""
    ecr, repository = target.aws.ecr, target.settings.names.repository
    tag = DEPLOYED + commit
    try:
        answer = ecr.batch_get_image(
            repositoryName=repository, imageIds=[{"imageTag": commit}, {"imageTag": tag}]
        )
        found = {each["imageId"].get("imageTag"): each for each in answer["images"]}
        if commit in found and tag not in found:
            ecr.put_image(
                repositoryName=repository,
                imageManifest=found[commit]["imageManifest"],
                imageManifestMediaType=found[commit]["imageManifestMediaType"],
                imageTag=tag,
            )
    except AwsError as error:
        if error.aws_code not in TAGGED:
            target.runtime.console.warn(
                f"The image could not be tagged {tag}, so newer images may expire it: "
                f"{error.message}"
            )


def provide(target: Target, commit: str, documents: Documents) -> str:
    """The commit's image in ECR, built and pushed if it is not there. Returns its name with its
    digest: a tag could be moved, a digest cannot. Raises ToolError.

    docker is needed only to build.
    """
    console, service = target.runtime.console, target.settings.service
    digest = find(target, commit)
    if digest:
        console.say("ECR has an image under the tag of this commit: nothing is built")
    else:
        push(target, commit, documents.platform)
        digest = find(target, commit)
    if digest is None:
        raise NOT_IN_ECR(registry=service.registry)
    return f"{service.registry}/{target.settings.names.repository}@{digest}"


def push(target: Target, commit: str, platform: str) -> None:
    """Build the commit's image and push it. Raises ToolError, but not if only the push fails.

    ECR refuses a tag that another deploy of this commit has pushed meanwhile: the image is there.
    """
    console, registry = target.runtime.console, target.settings.service.registry
    name = f"{registry}/{target.settings.names.repository}:{commit}"
    docker = docker_of(target)
    builder = ready_builder(docker, platform)
    with logged_in(docker, target.aws, registry) as private:  # base images may be in it, too
        build(target, private, builder, commit, platform, name)
        target.aws.changes.append("ecr:PutImage")
        with console.group(f"Pushing {name}"):
            pushed = private.run("push", name, show=True)
    if pushed.returncode:
        console.warn("docker could not push it: asking ECR whether it has the image anyway")


def build_here(target: Target, commit: str, documents: Documents) -> str:
    """Build the commit's image for this machine alone. Returns its name. Raises ToolError."""
    target.repository.require_lock()
    target.repository.require_clean()
    docker = docker_of(target)
    name = f"{target.settings.names.repository}:{commit}"
    builder = ready_builder(docker, documents.platform)
    build(target, docker, builder, commit, documents.platform, name)
    return name


def docker_of(target: Target) -> Docker:
    """The docker of this machine; it runs in the root of the service."""
    return Docker(target.runtime.root, target.runtime.environment)


def ready_builder(docker: Docker, platform: str) -> Builder:
    """The builder for a platform, after docker has answered. Raises ToolError."""
    client, _ = docker.versions()
    builder = docker.builder(client)
    builder.require(platform)
    return builder


def build(
    target: Target, docker: Docker, builder: Builder, commit: str, platform: str, name: str
) -> None:
    """Build the image of a commit from the commit's files alone. Raises ToolError.

    A folder and not an archive: docker ignores the .dockerignore of an archive.
    """
    with TemporaryDirectory(prefix="infra-build-") as context:
        target.repository.check_out(commit, Path(context))
        words: Sequence[str] = [
            *builder.command,
            *("--platform", platform),
            *("--tag", name),
            *("--build-arg", f"COMMIT={commit}"),
            *target.settings.deploy.build_flags,
            context,
        ]
        # No attestations: ECR would count each of them as an image.
        building = docker.with_variables(DOCKER_BUILDKIT="1", BUILDX_NO_DEFAULT_ATTESTATIONS="1")
        with target.runtime.console.group(f"Building {name} for {platform}"):
            built = building.run(*words, show=True)
    if built.returncode:
        raise NOT_BUILT(commit=commit[:7])
