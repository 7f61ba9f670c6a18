"""The web ACL of a load balancer."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Kind, Wanted


class WebAclAssociation(Kind):
    """Its delete takes away whatever web ACL the load balancer has by then: no source says that the
    one in its properties is asked for, and a test must fear the worse."""

    type = "AWS::WAFv2::WebACLAssociation"
    gone = ("WAFNonexistentItemException",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take("ResourceArn", "WebACLArn")
        self.aws("wafv2").associate_web_acl(**given)
        return f"{given['ResourceArn']}|{given['WebACLArn']}"

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del id
        self.aws("wafv2").disassociate_web_acl(ResourceArn=properties["ResourceArn"])

    def look(self, id: str) -> bool:
        balancer, acl = id.split("|")
        if not balancer.startswith("arn:"):  # it is not known yet
            return False
        found = self.aws("wafv2").get_web_acl_for_resource(ResourceArn=balancer)
        return bool(found.get("WebACL", {}).get("ARN") == acl)
