from infra.tool.documents import Documents
from infra.tool.target import Target


def digest(target: Target, **which: str) -> str:
    try:
        a = (
            target.runtime.connect(target.settings.service.region)
            ._session.client("ecr")
            .describe_images(repositoryName=target.settings.names.repository, imageIds=[which])
        )
        return a["imageDetails"][0]["imageDigest"] if a["imageDetails"] else ""
    except Exception as e:
        if "ImageNotFound" in str(e):
            return ""
        raise


def provide(target: Target, commit: str, documents: Documents) -> str:
    import subprocess

    s = target.settings
    repo = f"{s.service.registry}/{s.names.repository}"
    d = digest(target, imageTag=commit)
    if not d:
        env = dict(target.runtime.environment)
        pw = (
            target.runtime.connect(s.service.region)
            ._session.client("ecr")
            .get_authorization_token()["authorizationData"][0]["authorizationToken"]
        )
        import base64

        pw = base64.b64decode(pw).decode().split(":")[1]
        import shutil

        docker = shutil.which("docker", path=env["PATH"])
        for w, i in (
            (["login", "--username", "AWS", "--password-stdin", s.service.registry], pw),
            (
                [
                    "build",
                    "--platform",
                    documents.platform,
                    "--tag",
                    f"{repo}:{commit}",
                    "--build-arg",
                    f"COMMIT={commit}",
                    ".",
                ],
                None,
            ),
            (["push", f"{repo}:{commit}"], None),
        ):
            done = subprocess.run(
                [docker, *w],
                env=env,
                cwd=target.runtime.root,
                input=i,
                text=True,
                capture_output=True,
            )
            assert done.returncode == 0, (w, done.stderr)
        d = digest(target, imageTag=commit)
    return f"{repo}@{d}"


def exists(target: Target, reference: str) -> bool:
    name, at, d = reference.partition("@")
    return bool(
        digest(target, imageDigest=d)
        if at
        else digest(target, imageTag=reference.rpartition(":")[2])
    )
