"""A load balancer: its listeners, their rules, and target groups."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Json, Kind, Wanted


class LoadBalancer(Kind):
    type = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    gone = ("LoadBalancerNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        given = {"Name": name[:32]}
        given |= wanted.take("Name", "Type", "Scheme", "Subnets", "SecurityGroups")
        [made] = self.aws("elbv2").create_load_balancer(**given)["LoadBalancers"]
        return str(made["LoadBalancerArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        elb = self.aws("elbv2")
        if subnets := wanted.take_new("Subnets"):
            elb.set_subnets(LoadBalancerArn=id, **subnets)
        if groups := wanted.take_new("SecurityGroups"):
            elb.set_security_groups(LoadBalancerArn=id, **groups)
        for attributes in wanted.take_new("LoadBalancerAttributes").values():
            elb.modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=attributes)

    def attributes(self, id: str) -> Json:
        [found] = self.aws("elbv2").describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"]
        return {
            "CanonicalHostedZoneID": found["CanonicalHostedZoneId"],
            "DNSName": found["DNSName"],
            "LoadBalancerFullName": id.split(":loadbalancer/")[1],
        }

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_load_balancer(LoadBalancerArn=id)


class TargetGroup(Kind):
    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    gone = ("TargetGroupNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        given = {"Name": name[:32]}
        given |= wanted.take(*(wanted.properties.keys() - {"TargetGroupAttributes"}))
        [made] = self.aws("elbv2").create_target_group(**given)["TargetGroups"]
        return str(made["TargetGroupArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        elb = self.aws("elbv2")
        for attributes in wanted.take_new("TargetGroupAttributes").values():
            elb.modify_target_group_attributes(TargetGroupArn=id, Attributes=attributes)
        if check := wanted.take_new(*(wanted.changed - self.replacing)):
            elb.modify_target_group(TargetGroupArn=id, **check)

    def attributes(self, id: str) -> Json:
        return {"TargetGroupFullName": id.split(":")[-1]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_target_group(TargetGroupArn=id)


class Listener(Kind):
    type = "AWS::ElasticLoadBalancingV2::Listener"
    gone = ("ListenerNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take(*(wanted.properties.keys() - {"ListenerAttributes"}))
        [made] = self.aws("elbv2").create_listener(**given)["Listeners"]
        return str(made["ListenerArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        """Whether an update that leaves an attribute out resets it is not documented."""
        for attributes in wanted.take_new("ListenerAttributes").values():
            self.aws("elbv2").modify_listener_attributes(ListenerArn=id, Attributes=attributes)
        if change := wanted.take_new(*(wanted.changed - self.replacing)):
            self.aws("elbv2").modify_listener(ListenerArn=id, **change)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_listener(ListenerArn=id)


class ListenerRule(Kind):
    type = "AWS::ElasticLoadBalancingV2::ListenerRule"
    gone = ("RuleNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take_all()
        given["Priority"] = int(given["Priority"])
        [made] = self.aws("elbv2").create_rule(**given)["Rules"]
        return str(made["RuleArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        if change := wanted.take_new("Actions", "Conditions"):
            self.aws("elbv2").modify_rule(RuleArn=id, **change)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_rule(RuleArn=id)
