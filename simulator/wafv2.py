"""WAF: a load balancer has one web ACL. The rest is moto's."""

from typing import Any

from simulator.refusal import Refused
from simulator.service import Service

Json = dict[str, Any]


class Waf(Service):
    name = "wafv2"

    def associate_web_acl(self, parameters: Json) -> Json:
        """A load balancer has one web ACL: another one takes its place (AssociateWebACL, API
        Reference; pulumi/pulumi-aws#4782). moto keeps both."""
        found = {"Scope": "REGIONAL"}
        acls = {each["ARN"] for each in self.moto("ListWebACLs", found)["WebACLs"]}
        if parameters["WebACLArn"] not in acls:
            text = "AWS WAF couldn't perform the operation because your resource doesn't exist."
            raise Refused("WAFNonexistentItemException", text)
        self.moto("DisassociateWebACL", {"ResourceArn": parameters["ResourceArn"]})
        return self.moto("AssociateWebACL", parameters)
