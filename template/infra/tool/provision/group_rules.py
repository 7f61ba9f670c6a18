"""Rules of a security group in a CloudFormation template, and the rules that a change removes.
Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from infra.tool.provision.change import NOT_KNOWN

Network = IPv4Network | IPv6Network

EGRESS, INGRESS = "SecurityGroupEgress", "SecurityGroupIngress"
# The members of a rule that name its source or destination.
GROUPS = ("DestinationSecurityGroupId", "SourceSecurityGroupId")
PEERS = (*GROUPS, "CidrIp", "CidrIpv6", "DestinationPrefixListId", "SourcePrefixListId")

EVERY_PROTOCOL = "-1"
# IANA's numbers of the protocols that EC2 accepts by name ("IpPermission", API Reference of EC2).
NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}
EVERY_PORT = (0, 65_535)
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Rule:
    peer: str  # a range, a prefix list or a group
    protocol: str
    ports: tuple[int, int]  # the first and the last one
    is_group: bool  # the peer

    @property
    def text(self) -> str:
        """As a message has it."""
        if self.protocol == EVERY_PROTOCOL:
            return self.peer
        return f"{self.peer} ({self.port_text})"

    @property
    def port_text(self) -> str:
        """Protocol and ports, such as "tcp 80"."""
        names = {number: name for name, number in NUMBERS.items()}
        protocol = names.get(self.protocol, self.protocol)
        if self.ports == EVERY_PORT:
            return protocol
        return f"{protocol} {'-'.join(dict.fromkeys(map(str, self.ports)))}"

    def has_ports_of(self, other: "Rule") -> bool:
        """Whether it is for all ports of another rule."""
        if self.protocol == EVERY_PROTOCOL:
            return True
        (first, last), (least, most) = self.ports, other.ports
        return self.protocol == other.protocol and first <= least and most <= last

    def has_a_port_of(self, other: "Rule") -> bool:
        if EVERY_PROTOCOL in (self.protocol, other.protocol):
            return True
        (first, last), (least, most) = self.ports, other.ports
        return self.protocol == other.protocol and first <= most and least <= last


def read(properties: Mapping[str, Any], direction: str) -> list[Rule]:
    """The rules of one direction, of the properties of a group."""
    return [*parsed(properties.get(direction, []))]


def read_before(properties: Mapping[str, Any], direction: str) -> list[Rule]:
    """The rules of an existing group. EC2 adds a rule to a group without egress rules."""
    if direction == EGRESS and direction not in properties:
        return [*parsed([{"IpProtocol": EVERY_PROTOCOL, "CidrIp": EVERYWHERE}])]
    return read(properties, direction)


def parsed(rules: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    for rule in rules:
        protocol = str(rule.get("IpProtocol", EVERY_PROTOCOL))
        protocol = NUMBERS.get(protocol, protocol)
        for member in PEERS:
            if member in rule:
                yield Rule(str(rule[member]), protocol, ports(rule), member in GROUPS)


def ports(rule: Mapping[str, Any]) -> tuple[int, int]:
    """Of the protocols without ports, the type and the code; -1 is every one."""
    first, last = (int(rule.get(key, -1)) for key in ("FromPort", "ToPort"))
    return EVERY_PORT if first == -1 else (first, max(first, last))


def lost(before: Iterable[Rule], after: Sequence[Rule], unknown: AbstractSet[str]) -> list[Rule]:
    """Rules whose traffic the rules after the change do not allow as a whole. `unknown` are the ids
    that a value may have that CloudFormation does not know yet."""
    return [rule for rule in before if not allows(after, rule, unknown)]


def allows(rules: Iterable[Rule], wanted: Rule, unknown: AbstractSet[str]) -> bool:
    """Whether the rules together allow all traffic that `wanted` allows."""
    peers = {rule.peer for rule in rules if rule.has_ports_of(wanted)}
    if NOT_KNOWN in peers:
        peers |= unknown
    if wanted.peer in peers:
        return True
    if (network := network_of(wanted.peer)) is None:
        # Tasks and load balancers of this stack have IPv4 addresses. A list may have others.
        return wanted.is_group and EVERYWHERE in peers
    found = [each for peer in peers if (each := network_of(peer))]
    return any(is_within(network, wider) for wider in collapsed(found, network.version))


def network_of(peer: str) -> Network | None:
    try:
        return ip_network(peer, strict=False)
    except ValueError:
        return None


def collapsed(networks: Iterable[Network], version: int) -> Iterator[Network]:
    """Those of a version, with neighbours joined."""
    if version == 4:
        yield from collapse_addresses([each for each in networks if isinstance(each, IPv4Network)])
    else:
        yield from collapse_addresses([each for each in networks if isinstance(each, IPv6Network)])


def is_within(network: Network, wider: Network) -> bool:
    if isinstance(network, IPv4Network) and isinstance(wider, IPv4Network):
        return network.subnet_of(wider)
    if isinstance(network, IPv6Network) and isinstance(wider, IPv6Network):
        return network.subnet_of(wider)
    return False
