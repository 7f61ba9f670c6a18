"""ECR and its registry: `aws ecr describe-images` lists images that `docker push` sent.

The registry speaks as much of the OCI distribution specification as docker needs to log in, push
and pull. Requests of docker count as calls of ECR's API and need the same permissions:
"Private repository authentication" and "IAM permissions for pushing an image" (ECR User Guide).
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.request import Request

from simulator import permissions
from simulator.calls import Call, CallLog
from simulator.docker_client import CONFIG, IMAGE, LAYER
from simulator.ecr import Ecr
from simulator.faults import ConnectionDropped, Faults
from simulator.principals import Principal
from simulator.protocol import Answer, Headers
from simulator.refusal import Refused
from simulator.service import World

Json = dict[str, Any]

INDEX = "application/vnd.oci.image.index.v1+json"


class Wrong(Exception):
    """An error of the registry's protocol."""

    def __init__(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer = Answer(status, [("Content-Type", "application/json"), *headers], body)


# The ECR operation of each request of docker: method, path, name of the operation.
CALLS = (
    ("HEAD", r"blobs/sha256:\w+", "BatchCheckLayerAvailability"),
    ("GET", r"blobs/sha256:\w+", "GetDownloadUrlForLayer"),
    ("POST", r"blobs/uploads/", "InitiateLayerUpload"),
    ("PATCH", r"blobs/uploads/\w+", "UploadLayerPart"),
    ("PUT", r"blobs/uploads/\w+", "CompleteLayerUpload"),
    ("HEAD|GET", r"manifests/.+", "BatchGetImage"),
    ("PUT", r"manifests/.+", "PutImage"),
)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """Blobs are kept here; manifests and their tags are in moto's ECR as well."""

    world: World
    ecr: Ecr
    calls: CallLog
    faults: Faults
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)

    def reset(self) -> None:
        self.blobs.clear()
        self.uploads.clear()
        self.manifests.clear()

    def serve(self, request: Request) -> Answer:
        try:
            who = self._authenticated(request)
            if request.path == "/v2/":
                return Answer(200, [VERSION], b"{}")
            repository, rest = self._split(request.path)
            return self._carried_out(request, who, repository, rest)
        except Wrong as wrong:
            return wrong.answer

    def _authenticated(self, request: Request) -> Principal:
        given = request.authorization
        if given and given.type == "basic" and given.username == "AWS":
            who = self.ecr.passwords.get(given.password or "")
            if who:
                return who
        challenge = ("WWW-Authenticate", 'Basic realm="ecr"')
        raise Wrong(401, "UNAUTHORIZED", "Not Authorized", challenge)

    def _split(self, path: str) -> tuple[str, str]:
        found = re.fullmatch(r"/v2/(.+?)/((?:blobs|manifests)/.*)", path)
        if not found:
            raise Wrong(404, "NOT_FOUND", f"there is no {path}")
        return found[1], found[2]

    def _carried_out(self, request: Request, who: Principal, repository: str, rest: str) -> Answer:
        operation = next(
            (
                name
                for method, path, name in CALLS
                if re.fullmatch(method, request.method) and re.fullmatch(path, rest)
            ),
            None,
        )
        if not operation:
            raise Wrong(405, "UNSUPPORTED", f"{request.method} of {rest}")
        call = Call("ecr", operation, {"repositoryName": repository}, who.arn, 200, by_docker=True)
        self.calls.add(call)
        try:
            self.faults.strike(call.name)
            account = self.world.account
            required = permissions.needs("ecr", operation, call.parameters, account)
            self.world.principals.check(who, required)
            found = account.moto("ecr", "DescribeRepositories", {"repositoryNames": [repository]})
        except Refused as refused:
            call.status, call.error = refused.status, refused.code
            if refused.code == "RepositoryNotFoundException":
                raise Wrong(404, "NAME_UNKNOWN", refused.message) from refused
            status = 403 if refused.code == "AccessDenied" else refused.status
            raise Wrong(status, "DENIED", refused.message) from refused
        except ConnectionDropped:
            call.status, call.error = 0, "ConnectionDropped"
            raise
        settings = found["repositories"][0]
        try:
            if rest.startswith("manifests/"):
                name = rest.removeprefix("manifests/")
                return self._manifest(request, repository, settings, name)
            if rest.startswith("blobs/uploads/"):
                return self._upload(request, repository, rest.removeprefix("blobs/uploads/"))
            return self._blob(rest.removeprefix("blobs/"))
        except Wrong as wrong:
            call.status = wrong.answer.status
            call.error = json.loads(wrong.answer.body)["errors"][0]["code"]
            raise

    # --- blobs ---

    def _blob(self, digest: str) -> Answer:
        if digest not in self.blobs:
            raise Wrong(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return Answer(200, [VERSION, *about(self.blobs[digest])], self.blobs[digest])

    def _upload(self, request: Request, repository: str, upload: str) -> Answer:
        if request.method == "POST":
            upload = secrets.token_hex(16)
            self.uploads[upload] = b""
        elif upload not in self.uploads:
            raise Wrong(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        self.uploads[upload] += request.get_data() if request.method != "POST" else b""
        if request.method == "PUT":
            content = self.uploads.pop(upload)
            wanted = request.args["digest"]
            if digest_of(content) != wanted:
                raise Wrong(400, "DIGEST_INVALID", f"{digest_of(content)} is not {wanted}")
            self.blobs[wanted] = content
            where = ("Location", f"/v2/{repository}/blobs/{wanted}")
            return Answer(201, [VERSION, where, ("Docker-Content-Digest", wanted)], b"")
        headers = [
            VERSION,
            ("Location", f"/v2/{repository}/blobs/uploads/{upload}"),
            ("Docker-Upload-UUID", upload),
            ("Range", f"0-{max(len(self.uploads[upload]) - 1, 0)}"),
        ]
        return Answer(202, headers, b"")

    # --- manifests ---

    def _manifest(self, request: Request, repository: str, settings: Json, name: str) -> Answer:
        if request.method == "PUT":
            return self._put_manifest(request, repository, settings, name)
        known = self.manifests.get((repository, name))
        if not known:
            raise Wrong(404, "MANIFEST_UNKNOWN", "Requested image not found")
        content, kind = known
        return Answer(200, [VERSION, ("Content-Type", kind), *about(content)], content)

    def _put_manifest(self, request: Request, repository: str, settings: Json, name: str) -> Answer:
        is_tag = not name.startswith("sha256:")
        is_settled = settings["imageTagMutability"] == "IMMUTABLE"
        if is_tag and is_settled and self._is_tagged(repository, name):
            # The same digest is refused, too: aws/containers-roadmap#2179.
            raise Wrong(
                400,
                "TAG_INVALID",
                f"The image tag '{name}' already exists in the '{repository}' repository and "
                "cannot be overwritten because the tag is immutable.",
            )
        digest = self.put(repository, name, request.get_data(), request.content_type)
        where = ("Location", f"/v2/{repository}/manifests/{digest}")
        return Answer(201, [VERSION, where, ("Docker-Content-Digest", digest)], b"")

    def put_image(self, repository: str, tag: str) -> str:
        """Put a small image of a commit into the registry, as if pushed. Returns its digest."""
        config = json.dumps({"config": {"Env": [f"COMMIT={tag}"]}}).encode()
        layers = (CONFIG, config), (LAYER, b"a layer")
        self.blobs |= {digest_of(blob): blob for _, blob in layers}
        described = [
            {"mediaType": kind, "size": len(blob), "digest": digest_of(blob)}
            for kind, blob in layers
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": described[0],
            "layers": described[1:],
        }
        return self.put(repository, tag, json.dumps(manifest).encode(), IMAGE)

    def put_index(self, repository: str, tag: str, images: Mapping[str, str]) -> str:
        """Leave an index of images, as digests by their platforms. Returns its digest."""
        manifests = [
            {
                "mediaType": IMAGE,
                "digest": digest,
                "size": len(self.manifests[repository, digest][0]),
                "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True)),
            }
            for platform, digest in images.items()
        ]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self.put(repository, tag, json.dumps(index).encode(), INDEX)

    def put(self, repository: str, name: str, content: bytes, kind: str) -> str:
        """Store a manifest under a tag, or under its digest. ECR lists it. Returns the digest."""
        self._check_layers(json.loads(content))
        digest = digest_of(content)
        self.manifests[repository, name] = self.manifests[repository, digest] = content, kind
        image: Json = {
            "repositoryName": repository,
            "imageManifest": content.decode(),
            "imageManifestMediaType": kind,
            "imageDigest": digest,
        }
        tagged = {} if name == digest else {"imageTag": name}
        try:
            self.world.account.moto("ecr", "PutImage", image | tagged)
        except Refused as refused:
            if refused.code != "ImageAlreadyExistsException":
                raise Wrong(refused.status, "DENIED", refused.message) from refused
        scans = self.world.account.moto(
            "ecr", "DescribeRepositories", {"repositoryNames": [repository]}
        )
        if scans["repositories"][0]["imageScanningConfiguration"]["scanOnPush"]:
            self.ecr.scans.push(repository, digest, kind)
        return digest

    def _check_layers(self, manifest: Json) -> None:
        parts = [manifest["config"], *manifest["layers"]] if "layers" in manifest else []
        for part in parts:
            if part["digest"] not in self.blobs:
                raise Wrong(404, "BLOB_UNKNOWN", f"blob unknown to registry: {part['digest']}")

    def _is_tagged(self, repository: str, tag: str) -> bool:
        asked = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
        try:
            self.world.account.moto("ecr", "DescribeImages", asked)
        except Refused:
            return False
        return True


VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")


def about(content: bytes) -> Headers:
    length = ("Content-Length", str(len(content)))
    return [("Docker-Content-Digest", digest_of(content)), length]
