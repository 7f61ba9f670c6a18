"""Address ranges that allow less than they seem to. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network

from infra.tool.settings import Network

# Addresses that no packet from the internet has: RFC 1918 and RFC 6598.
PRIVATE = [
    IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]


def doubts(network: Network) -> Iterator[str]:
    """Ranges that no client can come from."""
    found = [ip_network(value) for value in network.allowed_cidrs]
    inner = [
        str(each)
        for each in found
        if isinstance(each, IPv4Network) and any(each.subnet_of(block) for block in PRIVATE)
    ]
    if inner and not network.internal:
        yield (
            f"[network] allowed_cidrs names {', '.join(inner)}, but an internet-facing load "
            "balancer sees public addresses only, also those of clients in the VPC"
        )
    if any(each.version == 6 for each in found):
        yield (
            "[network] allowed_cidrs names IPv6 ranges, but the load balancer has IPv4 addresses "
            "only, unless infra/stack.yml says IpAddressType: dualstack"
        )
