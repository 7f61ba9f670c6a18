"""The meaning of a hosted zone's records for the domain name of the service. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Any of these in a CAA record lets ACM issue ("Configure a CAA record", ACM User Guide).
ISSUERS = frozenset({"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"})
ADDRESSES = ("A", "AAAA", "CNAME")  # types of records that lead clients to a server


@dataclass(frozen=True)
class Names:
    """The hosted zones that the stack is to use for the domain name, by their ids."""

    certificate_zone: str = ""  # empty: it requests no certificate
    record_zone: str = ""  # empty: it has no record of the domain name
    notes: Sequence[str] = ()  # for people


@dataclass(frozen=True)
class Record:
    name: str  # without the dot at its end
    type: str
    values: Sequence[str]  # of an alias, its target

    @property
    def targets(self) -> frozenset[str]:
        """The names that it leads to. The console puts "dualstack." before a load balancer's."""
        names = (value.lower().removesuffix(".") for value in self.values)
        return frozenset(name.removeprefix("dualstack.") for name in names)


def names_up_to(domain: str, zone: str) -> list[str]:
    """The domain and its parents up to the zone; empty if it is not in the zone."""
    if domain != zone and not domain.endswith(f".{zone}"):
        return []
    below = domain.removesuffix(zone).rstrip(".")
    labels = below.split(".") if below else []
    return [*(".".join([*labels[start:], zone]) for start in range(len(labels))), zone]


def delegated(records: Iterable[Record], zone: str) -> str:
    """A part of the zone that name servers of another zone answer for; empty if there is none."""
    found = (each.name for each in records if each.type == "NS" and each.name != zone)
    return next(found, "")


def addresses(records: Iterable[Record], domain: str) -> list[Record]:
    """Records that lead clients of the domain to an address."""
    return [each for each in records if each.name == domain and each.type in ADDRESSES]


def forbids_acm(records: Iterable[Record], names: Sequence[str]) -> str:
    """The name whose CAA records keep ACM from issuing a certificate; empty if none does. Those of
    the closest name count alone (RFC 8659, section 3), and a certificate of one name is a matter of
    "issue", not of "issuewild"."""
    by_name = {each.name: each for each in records if each.type == "CAA"}
    closest = next((by_name[name] for name in names if name in by_name), None)
    if closest is None:
        return ""
    found = [value.split(maxsplit=2) for value in closest.values]
    issuers = [each[2].strip('"').partition(";")[0].strip() for each in found if each[1] == "issue"]
    return closest.name if issuers and not ISSUERS & {*issuers} else ""
