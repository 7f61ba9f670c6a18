"""CloudWatch Logs: deletion protection, keys and retention of log groups. The rest is moto's."""

from typing import Any

from simulator import resource_policies
from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]

# PutRetentionPolicy, CloudWatch Logs API Reference.
RETENTIONS = {
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
}


class Logs(Service):
    """moto lacks deletion protection (PutLogGroupDeletionProtection, API Reference)."""

    name = "logs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        self.protected: set[str] = set()  # names of log groups
        self.keys: dict[str, str] = {}  # by the names of log groups

    def put_log_group_deletion_protection(self, parameters: Json) -> Json:
        group = {parameters["logGroupIdentifier"]}
        is_on = parameters["deletionProtectionEnabled"]
        self.protected = self.protected | group if is_on else self.protected - group
        return {}

    def describe_log_groups(self, parameters: Json) -> Json:
        answer = self.moto("DescribeLogGroups", parameters)
        for group in answer["logGroups"]:
            group["deletionProtectionEnabled"] = group["logGroupName"] in self.protected
            if key := self.keys.get(group["logGroupName"]):
                group["kmsKeyId"] = key
        return answer

    def create_log_group(self, parameters: Json) -> Json:
        given = dict(parameters)
        name, key = given["logGroupName"], given.pop("kmsKeyId", "")
        if key:
            self._check_key(name, key)
        answer = self.moto("CreateLogGroup", given)
        self.keys |= {name: key} if key else {}
        return answer

    def associate_kms_key(self, parameters: Json) -> Json:
        """moto lacks both operations."""
        name, key = parameters["logGroupName"], parameters["kmsKeyId"]
        self._check_key(name, key)
        self.keys[name] = key
        return {}

    def disassociate_kms_key(self, parameters: Json) -> Json:
        self.keys.pop(parameters["logGroupName"], None)
        return {}

    def _check_key(self, name: str, key: str) -> None:
        """ "Encrypt log data in CloudWatch Logs using AWS KMS" (CloudWatch Logs User Guide);
        hashicorp/terraform-provider-aws#29282. A key that is not enabled: "AssociateKmsKey" (API
        Reference); the text is ours."""
        group = self.arn(f"log-group:{name}")
        if not resource_policies.key_is_enabled(self.account, key):
            raise Refused(
                "InvalidParameterException",
                f"The specified KMS key does not exist or is not enabled: {key}",
            )
        service = f"logs.{self.account.region}.amazonaws.com"
        context = {"kms:EncryptionContext:aws:logs:arn": group}
        if not resource_policies.key_lets_in(self.account, key, service, context):
            raise Refused(
                "AccessDeniedException",
                "The specified KMS key does not exist or is not allowed to be used with Arn "
                f"'{group}'",
            )

    def delete_log_group(self, parameters: Json) -> Json:
        """The error code is in the model of this operation; its words are invented."""
        if parameters["logGroupName"] in self.protected:
            raise Refused("ValidationException", "Deletion protection is enabled on the log group.")
        self.keys.pop(parameters["logGroupName"], None)
        return self.moto("DeleteLogGroup", parameters)

    def put_retention_policy(self, parameters: Json) -> Json:
        if parameters["retentionInDays"] not in RETENTIONS:
            raise Refused("InvalidParameterException", "Invalid retention value.")
        return self.moto("PutRetentionPolicy", parameters)
