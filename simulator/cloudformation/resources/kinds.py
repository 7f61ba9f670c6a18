"""Every type of resource that a stack of the simulation can have."""

from simulator.cloudformation.resources.cloudwatch import Alarm, Dashboard
from simulator.cloudformation.resources.dns import Certificate, RecordSet
from simulator.cloudformation.resources.ec2 import (
    PrefixList,
    SecurityGroup,
    SecurityGroupEgress,
    SecurityGroupIngress,
)
from simulator.cloudformation.resources.ecr import Repository
from simulator.cloudformation.resources.ecs import Cluster
from simulator.cloudformation.resources.elbv2 import (
    Listener,
    ListenerRule,
    LoadBalancer,
    TargetGroup,
)
from simulator.cloudformation.resources.events import Rule
from simulator.cloudformation.resources.iam import Role, RolePolicy
from simulator.cloudformation.resources.kind import Kind
from simulator.cloudformation.resources.logs import LogGroup
from simulator.cloudformation.resources.wafv2 import WebAclAssociation

KINDS: dict[str, type[Kind]] = {
    kind.type: kind
    for kind in (
        Alarm,
        Certificate,
        Cluster,
        Dashboard,
        Listener,
        ListenerRule,
        LoadBalancer,
        LogGroup,
        PrefixList,
        RecordSet,
        Repository,
        Role,
        RolePolicy,
        Rule,
        SecurityGroup,
        SecurityGroupEgress,
        SecurityGroupIngress,
        TargetGroup,
        WebAclAssociation,
    )
}
