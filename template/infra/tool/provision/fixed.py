"""Settings that cannot change on an existing stack: CloudFormation cannot replace a resource with a
name of its own ("Name type", CloudFormation User Guide)."""

from collections.abc import Iterator, Mapping

from infra.tool.aws_errors import tolerating
from infra.tool.errors import Problem
from infra.tool.settings import Settings
from infra.tool.settings_file import assignment
from infra.tool.target import COMMAND, Target

FIXED = Problem(
    "setting-fixed",
    "infra/settings.toml changes {names}, which cannot change in an existing stack: AWS cannot "
    "change it in place, and CloudFormation cannot replace a resource with a fixed name",
    "set {before} again, or delete everything first: {destroy}",
)
OTHER_KEY = Problem(
    "repository-key",
    "the repository {repository} exists and is encrypted by {has}, which ECR cannot change",
    "set {before} in infra/settings.toml, or choose another [names] repository",
)
AWS_KEY = "a key of AWS"


def require_same(settings: Settings, had: Mapping[str, str]) -> None:
    """Raises ToolError if a setting differs from what the stack was created with."""
    if not had:
        return
    found = [*changed(settings, had)]
    if found:
        raise FIXED(
            names=", ".join(f"[security] {key}" for key, _ in found),
            before=" and ".join(assignment("security", key, value) for key, value in found),
            destroy=f"{COMMAND} destroy",
        )


def changed(settings: Settings, had: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each setting, with the value that the stack has."""
    security = settings.security
    for key, parameter, wanted in (
        ("role_path", "RolePath", security.role_path),
        ("repository_key", "RepositoryKeyArn", security.repository_key),
    ):
        if (before := had.get(parameter, "")) != wanted:
            yield key, before


def require_importable(target: Target, had: Mapping[str, str]) -> None:
    """Raises ToolError if a new stack would take over a repository without the key of the settings.

    CloudFormation imports a repository as it is, whatever key the template names.
    """
    names, wanted = target.settings.names, target.settings.security.repository_key
    if had or not wanted:
        return
    with tolerating("RepositoryNotFoundException"):
        answer = target.aws.ecr.describe_repositories(repositoryNames=[names.repository])
        [repository] = answer["repositories"]
        has = repository.get("encryptionConfiguration", {}).get("kmsKey", "")
        if has != wanted:
            raise OTHER_KEY(
                repository=names.repository,
                has=has or AWS_KEY,
                before=assignment("security", "repository_key", has),
            )
