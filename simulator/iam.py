"""IAM: roles and their policies as AWS refuses them. The rest is moto's."""

import json
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends

from simulator import boundaries, quotas
from simulator.refusal import Refused
from simulator.service import Service

Json = dict[str, Any]

# "AWS services that work with IAM", and each service's page on its service-linked role.
SERVICE_LINKED_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
}


class Iam(Service):
    name = "iam"

    def create_service_linked_role(self, parameters: Json) -> Json:
        """moto gives these roles other names. The refusal: Rayraegah/terraform-aws-hasura#17."""
        principal = parameters["AWSServiceName"]
        name = SERVICE_LINKED_ROLES.get(principal)
        if not name:
            raise NotImplementedError(f"the service-linked role of {principal}")
        trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = {"RoleName": name, "Path": f"/aws-service-role/{principal}/"}
        try:
            return self.moto("CreateRole", role | {"AssumeRolePolicyDocument": policy})
        except Refused as taken:
            raise Refused(
                "InvalidInput",
                f"Service role name {name} has been taken in this account, please try a different "
                "suffix.",
            ) from taken

    def create_role(self, parameters: Json) -> Json:
        quotas.check_trust(parameters["AssumeRolePolicyDocument"])
        boundary, path = parameters.get("PermissionsBoundary", ""), parameters.get("Path", "/")
        boundaries.check(self.world, "iam:CreateRole", parameters["RoleName"], path, boundary)
        if boundary:
            boundaries.require_policy(self.world, boundary)
        return self.moto("CreateRole", parameters)

    def put_role_permissions_boundary(self, parameters: Json) -> Json:
        wanted = parameters["PermissionsBoundary"]
        self._check_role("iam:PutRolePermissionsBoundary", parameters["RoleName"], wanted)
        boundaries.require_policy(self.world, wanted)
        return self.moto("PutRolePermissionsBoundary", parameters)

    def delete_role_permissions_boundary(self, parameters: Json) -> Json:
        self._check_role("iam:DeleteRolePermissionsBoundary", parameters["RoleName"])
        return self.moto("DeleteRolePermissionsBoundary", parameters)

    def _check_role(self, action: str, name: str, wanted: str = "") -> None:
        """By service control policies: with the boundary that is asked for, or that it has."""
        role = self.moto("GetRole", {"RoleName": name})["Role"]
        has = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        boundaries.check(self.world, action, name, role["Path"], wanted or has)

    def update_assume_role_policy(self, parameters: Json) -> Json:
        quotas.check_trust(parameters["PolicyDocument"])
        return self.moto("UpdateAssumeRolePolicy", parameters)

    def put_role_policy(self, parameters: Json) -> Json:
        self._check_role("iam:PutRolePolicy", parameters["RoleName"])
        return self._put_inline("Role", parameters)

    def put_group_policy(self, parameters: Json) -> Json:
        return self._put_inline("Group", parameters)

    def put_user_policy(self, parameters: Json) -> Json:
        return self._put_inline("User", parameters)

    def _put_inline(self, kind: str, parameters: Json) -> Json:
        who = {f"{kind}Name": parameters[f"{kind}Name"]}
        policies = {
            name: unquote(
                self.moto(f"Get{kind}Policy", who | {"PolicyName": name})["PolicyDocument"]
            )
            for name in self.moto(f"List{kind}Policies", who)["PolicyNames"]
        }
        policies[parameters["PolicyName"]] = parameters["PolicyDocument"]
        quotas.check_inline(kind.lower(), parameters[f"{kind}Name"], policies)
        return self.moto(f"Put{kind}Policy", parameters)

    def simulate_custom_policy(self, parameters: Json) -> Json:
        """The decision of policies and boundary (SimulateCustomPolicy, IAM API Reference)."""
        only = {
            *("PolicyInputList", "PermissionsBoundaryPolicyInputList"),
            *("ActionNames", "ResourceArns", "Marker", "MaxItems"),
        }
        if unknown := parameters.keys() - only:
            raise NotImplementedError(f"{sorted(unknown)} of SimulateCustomPolicy")
        if any("*" in arn for arn in parameters.get("ResourceArns", []) if arn != "*"):
            raise NotImplementedError("a pattern of ARNs in SimulateCustomPolicy")
        return {"EvaluationResults": boundaries.simulated(parameters), "IsTruncated": False}

    def add_client_id_to_open_id_connect_provider(self, parameters: Json) -> Json:
        """moto lacks this operation; AWS does nothing if the audience exists already."""
        backend = iam_backends[self.account.id][self.account.partition]
        arn, audience = parameters["OpenIDConnectProviderArn"], parameters["ClientID"]
        known = backend.get_open_id_connect_provider(arn).client_id_list
        if audience not in known:
            known.append(audience)
        return {}
