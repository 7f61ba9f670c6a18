"""The cost of a month without traffic. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.tool.api_model import Json
from infra.tool.settings import Settings
from infra.tool.text import counted

# Dollars an hour in us-east-1, as of April 2026. Sources: https://aws.amazon.com/fargate/pricing,
# https://aws.amazon.com/elasticloadbalancing/pricing, https://aws.amazon.com/vpc/pricing
VCPU = {"X86_64": 0.04048, "ARM64": 0.03238}
GIGABYTE = {"X86_64": 0.004445, "ARM64": 0.00356}
LOAD_BALANCER = 0.0225
PUBLIC_ADDRESS = 0.005
# Dollars a month, https://aws.amazon.com/cloudwatch/pricing: a metric of Container Insights, and a
# dashboard, of which an account has three free of charge.
METRIC = {"enabled": 0.30, "enhanced": 0.07}
DASHBOARD = 3.0
# Of a cluster with one service and one family, "Amazon ECS Container Insights metrics" in the
# CloudWatch User Guide: 10 metrics for each of the three, 5 of the service and 3 of the cluster.
INSIGHTS_METRICS = 38
SOURCE = "a rough figure, from prices of us-east-1 in April 2026"
HOURS = 730  # of a month
# Dollars in us-east-1, as of April 2026. Sources: https://aws.amazon.com/waf/pricing,
# https://aws.amazon.com/kms/pricing, https://aws.amazon.com/s3/pricing
WEB_ACL, WAF_RULE, WAF_MILLION_REQUESTS = 5.00, 1.00, 0.60
KMS_KEY, KMS_10_000_REQUESTS = 1.00, 0.03
S3_GIGABYTE = 0.023

UNITS = 1024  # of a vCPU or a gigabyte
SIZE = re.compile(r"\s*([0-9]+|[0-9]*\.[0-9]+)\s*(|MB|MiB|GB|GiB|vCPU)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Cost:
    """Dollars a month."""

    load_balancer: float
    addresses: int
    address_cost: float
    tasks: int
    task_cost: float
    notes: tuple[str, ...] = ()  # what settings cost beside that
    options: Sequence[tuple[str, float]] = ()  # of settings that are on, by their names

    def __str__(self) -> str:
        total = self.load_balancer + self.address_cost + self.task_cost
        total += sum(dollars for _, dollars in self.options)
        options = "".join(f", {name} ${round(dollars)}" for name, dollars in self.options)
        return (
            f"about ${round(total)} a month without traffic: the load balancer "
            f"${round(self.load_balancer)}, {counted(self.addresses, 'public address', 'es')} "
            f"${round(self.address_cost)}, {counted(self.tasks, 'task')} "
            f"${round(self.task_cost)}{options} ({SOURCE})"
            + "".join(f"; {note}" for note in self.notes)
        )


def cost(
    task_definition: Json,
    *,
    tasks: int,
    zones: int,
    public_ip: bool,
    notes: tuple[str, ...] = (),
    options: Sequence[tuple[str, float]] = (),
) -> Cost:
    """Of so many tasks, behind a load balancer with a public address in so many zones: in none if
    it is internal."""
    processor = task_definition["runtimePlatform"]["cpuArchitecture"]
    hour = VCPU[processor] * units(task_definition["cpu"]) / UNITS
    hour += GIGABYTE[processor] * units(task_definition["memory"]) / UNITS
    addresses = zones + (tasks if public_ip else 0)
    return Cost(
        load_balancer=HOURS * LOAD_BALANCER,
        addresses=addresses,
        address_cost=HOURS * PUBLIC_ADDRESS * addresses,
        tasks=tasks,
        task_cost=HOURS * tasks * hour,
        notes=notes,
        options=options,
    )


def notes(settings: Settings) -> tuple[str, ...]:
    """Prices of the resources that settings name. Other services may share these, so the prices
    are not part of the sum. Settings that are missing here are free."""
    security = settings.security
    keys = f"${KMS_KEY:.0f} a month, and ${KMS_10_000_REQUESTS:.2f} for 10,000 requests"
    named = {
        f"the web ACL ${WEB_ACL:.0f} a month, ${WAF_RULE:.0f} for each rule, and "
        f"${WAF_MILLION_REQUESTS:.2f} for a million requests": bool(security.web_acl),
        f"each KMS key {keys}": bool(security.log_key or security.repository_key),
        f"access logs ${S3_GIGABYTE:.3f} for each GB and month in S3": bool(
            security.access_logs_bucket
        ),
    }
    return tuple(text for text, is_on in named.items() if is_on)


def options(settings: Settings) -> Iterator[tuple[str, float]]:
    """The costs of settings that are off by default."""
    kind = settings.observe.container_insights
    if kind in METRIC:
        # How many metrics there are of each task and container is not documented.
        words = " without the metrics of each task" if kind == "enhanced" else ""
        yield f"Container Insights{words}", INSIGHTS_METRICS * METRIC[kind]
    if settings.observe.dashboard:
        yield "the dashboard", DASHBOARD


def units(size: str) -> float:
    """256 of "256", 1024 of "1 vCPU" and of "1 GB", 512 of "512 MB"."""
    found = SIZE.fullmatch(size)
    assert found, "complaints() has refused it"
    return float(found[1]) * (1 if found[2].lower() in ("", "mb", "mib") else UNITS)


def complaints(task_definition: Json) -> Iterator[str]:
    """Sizes of infra/task-definition.json that Fargate does not have."""
    for name, example in (("cpu", "256"), ("memory", "512")):
        size = task_definition.get(name, "")
        if not SIZE.fullmatch(size):
            yield f'its {name} is "{size}": for example "{example}"'
