"""Every type of resource that a stack of the simulation can have."""

from simulator.stack_dashboard import Dashboard
from simulator.stack_dns import Certificate, RecordSet
from simulator.stack_resources import KINDS as BASIC
from simulator.stack_resources import Kind

KINDS: dict[str, type[Kind]] = BASIC | {
    kind.type: kind for kind in (Certificate, Dashboard, RecordSet)
}
