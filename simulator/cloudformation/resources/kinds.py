"""Every type of resource that a stack of the simulation can have."""

from simulator.cloudformation.resources.cloudwatch import Dashboard
from simulator.cloudformation.resources.dns import Certificate, RecordSet
from simulator.cloudformation.resources.kind import KINDS as BASIC
from simulator.cloudformation.resources.kind import Kind

KINDS: dict[str, type[Kind]] = BASIC | {
    kind.type: kind for kind in (Certificate, Dashboard, RecordSet)
}
