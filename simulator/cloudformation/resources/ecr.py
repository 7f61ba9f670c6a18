"""A repository of images."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Json, Kind, Wanted, lower


class Repository(Kind):
    type = "AWS::ECR::Repository"
    gone = ("RepositoryNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("RepositoryName").get("RepositoryName", name.lower())
        more = lower(wanted.take("EncryptionConfiguration"))
        self.aws("ecr").create_repository(repositoryName=name, **more)
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        ecr = self.aws("ecr")
        for change in lower([wanted.take_new("ImageTagMutability")]):
            if change:
                ecr.put_image_tag_mutability(repositoryName=id, **change)
        for change in lower([wanted.take_new("ImageScanningConfiguration")]):
            if change:
                ecr.put_image_scanning_configuration(repositoryName=id, **change)

    def attributes(self, id: str) -> Json:
        [found] = self.aws("ecr").describe_repositories(repositoryNames=[id])["repositories"]
        return {"Arn": found["repositoryArn"]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("ecr").delete_repository(repositoryName=id)

    def look(self, id: str) -> bool:
        return bool(self.attributes(id))
