"""The pages of docs/reference/ about AWS: alarms, costs, and the permissions of the deploy role."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.tool.provision import cost
from infra.tool.target import COMMAND

from scripts.markdown_text import TOLD, code, table
from simulator.cloudformation.template_text import load

Json = dict[str, Any]

# --- alarms ---

ALARMS = """# Alarms

Made by `scripts/reference.py` from `infra/stack.yml`; `APP` is the name of the service. This lists
the alarms that are in the state ALARM:

```sh
{command} status
```

They send no notification until `topic` under `[alarms]` in `infra/settings.toml` names a topic;
then the topic gets both the alarm and its end.

{alarms}

With a topic there is one rule of EventBridge beside them, so that a deployment that fails after its
run has ended is not missed:

{rules}

Application Auto Scaling creates further alarms, `TargetTracking-service/…`, for the policies of
`infra/autoscaling.json`. They scale the service and send no notification.
"""
COMPARISONS = {"GreaterThanOrEqualToThreshold": "≥", "LessThanThreshold": "<"}
WITHOUT_DATA = {"notBreaching": "no alarm", "breaching": "alarm"}


def alarms_page(service: Path) -> str:
    resources = load((service / "infra" / "stack.yml").read_text(encoding="utf-8"))["Resources"]
    alarms = {n: r["Properties"] for n, r in resources.items() if r["Type"].endswith("::Alarm")}
    rules = {n: r["Properties"] for n, r in resources.items() if r["Type"].endswith("::Rule")}
    missing = (alarms.keys() | rules.keys()) ^ TOLD["first_look"].keys()
    assert not missing, f"[first_look] in scripts/reference.toml and the stack differ: {missing}"
    return ALARMS.format(
        command=COMMAND,
        alarms=table(
            ["alarm", "means", "if, three minutes in a row", "without data", "look first at"],
            [alarm_row(name, alarm) for name, alarm in alarms.items()],
        ),
        rules=table(
            ["rule", "means", "event", "look first at"],
            [
                [
                    code(name),
                    rule["Description"],
                    code(", ".join(rule["EventPattern"]["detail"]["eventName"])),
                    TOLD["first_look"][name],
                ]
                for name, rule in rules.items()
            ],
        ),
    )


def alarm_row(name: str, alarm: Json) -> list[str]:
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 3), "the head of the table says so"
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    limit = f"{COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']}"
    return [
        code(alarm["AlarmName"]["Fn::Sub"].replace("${AppName}", "APP")),
        alarm["AlarmDescription"],
        f"`{alarm['MetricName']}`, {statistic} {limit}",
        WITHOUT_DATA[alarm["TreatMissingData"]],
        TOLD["first_look"][name],
    ]


# --- costs ---

COSTS = """# Costs

Made by `scripts/reference.py` from `infra/tool/provision/cost.py`: dollars a month without traffic,
for tasks that run all the time in public subnets, behind a load balancer in three zones. For the
settings of a service, this prints the figure:

```sh
{command} provision --plan
```

The prices are those of us-east-1 in April 2026, in dollars an hour: ${balancer} for the load
balancer, ${address} for each public address (one in each zone, one for each task), and for a task
on X86_64 ${vcpu_x} for each vCPU and ${gb_x} for each GB, on ARM64 ${vcpu_a} and ${gb_a}. Sources:
[Fargate](https://aws.amazon.com/fargate/pricing), [load
balancers](https://aws.amazon.com/elasticloadbalancing/pricing),
[addresses](https://aws.amazon.com/vpc/pricing). Another region has other prices.

{sizes}

An internal load balancer and tasks without public addresses save ${address_month} for each address.
Then tasks reach ECR and the log by a NAT gateway or VPC endpoints, which are not in the figure.

Resources of settings, in dollars: a web ACL ${acl} a month, ${rule} for each of its rules and
${requests} for a million requests ([AWS WAF](https://aws.amazon.com/waf/pricing)); a KMS key ${key}
a month and ${key_use} for 10,000 requests ([KMS](https://aws.amazon.com/kms/pricing)); access logs
${s3} for each GB and month ([S3](https://aws.amazon.com/s3/pricing)). The other settings of
`[security]`, and `[tags]`, are free.

Of `[observe]` ([CloudWatch](https://aws.amazon.com/cloudwatch/pricing)): a dashboard ${dashboard}
a month, the first three of an account free; Container Insights ${insights} a month when `enabled`,
for {metrics} metrics of ${metric} each; when `enhanced`, ${metric_enhanced} for each of these and
for those of every task and container; and the lines that it writes to the log. Of `[https]`, the
certificate, the alias record and HSTS are free; a hosted zone costs the same without them.
"""
SIZES = ((256, 512), (512, 1024), (1024, 2048), (2048, 4096))  # CPU units, MiB


def costs_page(_service: Path) -> str:
    rows = []
    for cpu, memory in SIZES:
        row = [f"{cpu / 1024:g} vCPU, {memory / 1024:g} GB"]
        for processor in cost.VCPU:
            size = {
                "cpu": str(cpu),
                "memory": str(memory),
                "runtimePlatform": {"cpuArchitecture": processor},
            }
            row += [dollars(size, tasks) for tasks in (1, 2)]
        rows.append(row)
    head = [f"{tasks} on {processor}" for processor in cost.VCPU for tasks in ("1 task", "2 tasks")]
    return COSTS.format(
        command=COMMAND,
        balancer=cost.LOAD_BALANCER,
        address=cost.PUBLIC_ADDRESS,
        vcpu_x=cost.VCPU["X86_64"],
        gb_x=cost.GIGABYTE["X86_64"],
        vcpu_a=cost.VCPU["ARM64"],
        gb_a=cost.GIGABYTE["ARM64"],
        address_month=f"{cost.PUBLIC_ADDRESS * cost.HOURS:.2f}",
        acl=f"{cost.WEB_ACL:.0f}",
        rule=f"{cost.WAF_RULE:.0f}",
        requests=f"{cost.WAF_MILLION_REQUESTS:.2f}",
        key=f"{cost.KMS_KEY:.0f}",
        key_use=f"{cost.KMS_10_000_REQUESTS:.2f}",
        s3=f"{cost.S3_GIGABYTE:.3f}",
        dashboard=f"{cost.DASHBOARD:.0f}",
        insights=f"{cost.INSIGHTS_METRICS * cost.METRIC['enabled']:.2f}",
        metrics=cost.INSIGHTS_METRICS,
        metric=f"{cost.METRIC['enabled']:.2f}",
        metric_enhanced=f"{cost.METRIC['enhanced']:.2f}",
        sizes=table(["size of a task", *head], rows),
    )


def dollars(size: Json, tasks: int) -> str:
    found = cost.cost(size, tasks=tasks, zones=3, public_ip=True)
    return f"${round(found.load_balancer + found.address_cost + found.task_cost)}"


# --- permissions of the deploy role ---

PERMISSIONS = """# Permissions of the deploy role

Made by `scripts/reference.py` from `ops/iam-policy-github-actions.json`, as the example renders it:
the service `ai-assistant` in `us-east-1`. `provision` puts the document on the deploy role as it is
in git, and on the group of the deploy user, if `[github] deploy_user` names one.
`tests/permissions/test_deploying.py` runs deploy, rollback and status under it: with all of it they
succeed, and without any one action one of them is refused. Two actions of `PushImages` are there
for other versions of docker, as its reason says.

Only one subject may take the role: a workflow of the branch or environment that `provision` got
from GitHub. Beside this document `provision` writes a second policy, which denies to set other
subnets than the provisioned ones, and public addresses and ECS Exec unless the settings and
`infra/service.json` had them then (`infra/tool/provision/limits.py`). It cannot name security
groups: IAM has no condition key for them.

The role cannot change the stack, IAM, or the network, and `provision` and `destroy` need an
administrator.

{statements}"""


def permissions_page(service: Path) -> str:
    policy = json.loads((service / "ops" / "iam-policy-github-actions.json").read_text("utf-8"))
    statements = {each["Sid"]: each for each in policy["Statement"]}
    missing = statements.keys() ^ TOLD["reasons"].keys()
    assert not missing, f"[reasons] in scripts/reference.toml and the policy differ: {missing}"
    return PERMISSIONS.format(
        statements="\n".join(statement(sid, each) for sid, each in statements.items())
    )


def statement(sid: str, found: Json) -> str:
    rows = [
        f"actions: {listed(found['Action'])}",
        f"resources: {listed(found['Resource'])}",
        *(f"only if {text}" for text in conditions(found)),
    ]
    lines = "\n- ".join(rows)
    return f"## {sid}\n\n{' '.join(TOLD['reasons'][sid].split())}\n\n- {lines}\n"


def conditions(found: Json) -> Iterator[str]:
    for operator, keys in found.get("Condition", {}).items():
        for key, values in keys.items():
            every = [values] if isinstance(values, str) else values
            yield f"{code(key)} {operator} {listed(every)}"


def listed(values: list[str]) -> str:
    return ", ".join(map(code, values))
