"""ECR: what moto lacks, or takes and ECR refuses."""

import base64
from datetime import timedelta
from typing import Any

from simulator import quotas, resource_policies
from simulator.image_scans import Scans
from simulator.principals import Principal
from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]


class Ecr(Service):
    name = "ecr"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        self.passwords: dict[str, Principal] = {}
        self.scans = Scans(self.clock)

    def describe_image_scan_findings(self, parameters: Json) -> Json:
        """All findings are on one page."""
        asked = {
            "repositoryName": parameters["repositoryName"],
            "imageIds": [parameters["imageId"]],
        }
        [image] = self.moto("DescribeImages", asked)["imageDetails"]
        return {
            "registryId": self.account.id,
            "repositoryName": parameters["repositoryName"],
            "imageId": {"imageDigest": image["imageDigest"]},
            **self.scans.describe(parameters["repositoryName"], image["imageDigest"]),
        }

    def start_image_scan(self, parameters: Json) -> Json:
        raise NotImplementedError("a scan that no push began")

    def create_repository(self, parameters: Json) -> Json:
        """KmsException of CreateRepository (ECR API Reference). The text is ours."""
        key = parameters.get("encryptionConfiguration", {}).get("kmsKey", "")
        if key and not resource_policies.key_is_enabled(self.account, key):
            raise Refused("KmsException", f"The KMS key {key} cannot be used.")
        return self.moto("CreateRepository", parameters)

    def put_lifecycle_policy(self, parameters: Json) -> Json:
        quotas.check_lifecycle(parameters["lifecyclePolicyText"])
        return self.moto("PutLifecyclePolicy", parameters)

    def get_authorization_token(self, parameters: Json) -> Json:
        """A password for docker, with the permissions of the principal that requested it."""
        if set(parameters.get("registryIds", [])) - {self.account.id}:
            raise NotImplementedError("the registry of another account")
        password = f"password-{len(self.passwords)}"
        self.passwords[password] = self.world.caller
        token = base64.b64encode(f"AWS:{password}".encode()).decode()
        account = self.account
        domain = "amazonaws.com.cn" if account.partition == "aws-cn" else "amazonaws.com"
        return {
            "authorizationData": [
                {
                    "authorizationToken": token,
                    "expiresAt": self.clock.now() + timedelta(hours=12),
                    "proxyEndpoint": f"https://{account.id}.dkr.ecr.{account.region}.{domain}",
                }
            ]
        }
