"""The figure that a provision shows before it creates anything."""

import pytest
from infra.tool.api_model import Json
from infra.tool.provision import cost as prices
from infra.tool.provision.cost import complaints, cost, options

from tests.support.targets import settings

HERE = "us-east-1:123456789012"
KEY = f"arn:aws:kms:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
WEB_ACL = f"arn:aws:wafv2:{HERE}:regional/webacl/a/12345678-1234-1234-1234-123456789012"


def sized(cpu: str = "256", memory: str = "512", processor: str = "X86_64") -> Json:
    return {"cpu": cpu, "memory": memory, "runtimePlatform": {"cpuArchitecture": processor}}


@pytest.mark.parametrize(
    ("tasks", "subnets", "public_ip", "words"),
    [
        (
            1,
            3,
            True,
            "about $40 a month without traffic: the load balancer $16, 4 public",
        ),
        (1, 3, True, "4 public addresses $15, 1 task $9 (a rough figure, from prices of us-east-1"),
        (3, 3, False, "about $54 a month"),
        (3, 3, False, "3 public addresses $11, 3 tasks $27"),
        (1, 0, True, "1 public address $4"),
    ],
)
def test_the_cost_depends_on_the_tasks_and_on_the_addresses(
    tasks: int, subnets: int, public_ip: bool, words: str
) -> None:
    found = cost(sized(), tasks=tasks, zones=subnets, public_ip=public_ip)
    assert words in str(found)


@pytest.mark.parametrize(
    ("cpu", "memory", "dollars"),
    [("1024", "2048", 36), ("1 vCPU", "2 GB", 36), (".25 vcpu", "512 MB", 9), ("256", "0.5GB", 9)],
)
def test_a_size_with_its_unit_costs_the_same(cpu: str, memory: str, dollars: int) -> None:
    found = cost(sized(cpu, memory), tasks=1, zones=2, public_ip=True)
    assert round(found.task_cost) == dollars


def test_arm_costs_less() -> None:
    x86, arm = (
        cost(sized(processor=name), tasks=1, zones=2, public_ip=True).task_cost
        for name in ("X86_64", "ARM64")
    )
    assert arm == pytest.approx(x86 * 0.8, rel=0.01)


@pytest.mark.parametrize(
    ("observe", "words"),
    [
        ({}, "about $40 a month"),
        ({"dashboard": True}, "about $43 a month"),
        ({"dashboard": True}, "1 task $9, the dashboard $3 (a rough figure"),
        ({"container_insights": "enabled"}, "Container Insights $11 (a rough"),
        ({"container_insights": "enhanced"}, "Container Insights without the metrics of each task"),
        ({"container_insights": "disabled"}, "1 task $9 (a rough figure"),
    ],
)
def test_settings_that_cost_something_are_named(observe: Json, words: str) -> None:
    chosen = [*options(settings(observe=observe))]
    assert words in str(cost(sized(), tasks=1, zones=3, public_ip=True, options=chosen))


# Dollars an hour in us-east-1 in April 2026; cost.py names the pages.
PRICES = {
    "VCPU": {"X86_64": 0.04048, "ARM64": 0.03238},
    "GIGABYTE": {"X86_64": 0.004445, "ARM64": 0.00356},
    "LOAD_BALANCER": 0.0225,
    "PUBLIC_ADDRESS": 0.005,
    "HOURS": 730,
    "WEB_ACL": 5.00,
    "WAF_RULE": 1.00,
    "WAF_MILLION_REQUESTS": 0.60,
    "KMS_KEY": 1.00,
    "KMS_10_000_REQUESTS": 0.03,
    "S3_GIGABYTE": 0.023,
    "METRIC": {"enabled": 0.30, "enhanced": 0.07},
    "INSIGHTS_METRICS": 38,
    "DASHBOARD": 3.0,
}


@pytest.mark.parametrize("name", PRICES)
def test_a_price_is_that_of_the_page_that_it_names(name: str) -> None:
    assert getattr(prices, name) == PRICES[name], (
        f"infra/tool/provision/cost.py: {name} is wrong in every plan. If AWS changed it, change "
        "it here too, and the month in SOURCE"
    )


@pytest.mark.parametrize(
    ("security", "words"),
    [
        ({}, ""),
        ({"permissions_boundary": BOUNDARY, "deletion_protection": True}, ""),
        ({"web_acl": WEB_ACL}, "the web ACL $5 a month, $1 for each rule, and $0.60 for a million"),
        ({"log_key": KEY}, "each KMS key $1 a month"),
        ({"repository_key": KEY}, "each KMS key $1 a month"),
        ({"access_logs_bucket": "my-bucket"}, "access logs $0.023 for each GB and month in S3"),
    ],
)
def test_the_cost_of_a_setting_is_named_beside_the_sum(security: Json, words: str) -> None:
    notes = prices.notes(settings(security=security))
    assert len(notes) == bool(words)
    assert words in str(cost(sized(), tasks=1, zones=2, public_ip=True, notes=notes))


@pytest.mark.parametrize("size", ["", "half", "1.2.3", "256 cores"])
def test_a_size_that_fargate_does_not_have_is_refused(size: str) -> None:
    [wrong] = complaints(sized(cpu=size))
    assert wrong == f'its cpu is "{size}": for example "256"'
