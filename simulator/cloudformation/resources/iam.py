"""A role, and its policies."""

import json
from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Json, Kind, Wanted


class Role(Kind):
    type = "AWS::IAM::Role"
    gone = ("NoSuchEntity", "NoSuchEntityException")

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("RoleName").get("RoleName", name)
        trust = json.dumps(wanted.take("AssumeRolePolicyDocument")["AssumeRolePolicyDocument"])
        more = wanted.take("PermissionsBoundary", "Path")
        self.aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        for trust in wanted.take_new("AssumeRolePolicyDocument").values():
            self.aws("iam").update_assume_role_policy(RoleName=id, PolicyDocument=json.dumps(trust))
        if "PermissionsBoundary" in wanted.changed - wanted.taken:
            if boundary := wanted.take("PermissionsBoundary"):
                self.aws("iam").put_role_permissions_boundary(RoleName=id, **boundary)
            else:
                self.aws("iam").delete_role_permissions_boundary(RoleName=id)

    def attributes(self, id: str) -> Json:
        return {"Arn": self.aws("iam").get_role(RoleName=id)["Role"]["Arn"]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("iam").delete_role(RoleName=id)

    def look(self, id: str) -> bool:
        return bool(self.attributes(id))


class RolePolicy(Kind):
    type = "AWS::IAM::RolePolicy"
    gone = ("NoSuchEntity", "NoSuchEntityException")

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        names = wanted.take("PolicyName", "RoleName")
        return f"{names['PolicyName']}|{names['RoleName']}"

    def adjust(self, id: str, wanted: Wanted) -> None:
        policy, role = id.split("|")
        for document in wanted.take_new("PolicyDocument").values():
            self.aws("iam").put_role_policy(
                RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document)
            )

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        policy, role = id.split("|")
        self.aws("iam").delete_role_policy(RoleName=role, PolicyName=policy)

    def look(self, id: str) -> bool:
        policy, role = id.split("|")
        return bool(self.aws("iam").get_role_policy(RoleName=role, PolicyName=policy))
