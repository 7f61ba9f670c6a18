"""What must hold of infra/stack.yml whatever the settings, and of the files that agree with it.

Each function is one promise; test_mistakes.py breaks every one of them to see it noticed.
"""

import re
import tomllib
from collections.abc import Callable
from typing import Any

from infra.tool.shapes import MOST_EGRESS_LISTS, MOST_EGRESS_RANGES, MOST_RANGES

from simulator.template import BadTemplate, Place, Stack, references
from tests.stack.rendered_service import (
    BUCKETS,
    CERTIFICATE,
    FILE,
    FILE_BUCKET,
    IPV4,
    IPV6,
    KEY,
    LISTS,
    MODELS,
    OF_THE_DOCUMENT,
    OTHER_IMAGE,
    OTHER_LOG,
    PARAMETERS,
    SECRET,
    SETTING,
    SETTING_OF_ADDRESSES,
    SETTING_OF_ARNS,
    SETTING_OF_SWITCHES,
    TOPIC,
    RenderedService,
    arns,
    grants,
)
from tests.support.document_checks import policy_findings
from tests.support.settings import value_of

Invariant = Callable[[RenderedService], None]
INVARIANTS: dict[str, Invariant] = {}

LONGEST_APP = "x" * 24  # copier.yml takes no longer one
LONGEST_REGION = "ap-southeast-7"
OPEN = "0.0.0.0/0"
# The image that GuardDuty adds to tasks: an account of AWS's own in each region hosts it.
AGENT = "arn:aws:ecr:us-east-1:*:repository/aws-guardduty-agent-fargate"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")


def invariant(function: Invariant) -> Invariant:
    INVARIANTS[function.__name__] = function
    return function


# The template as a whole.


@invariant
def every_reference_has_a_target_and_nothing_waits_for_itself(service: RenderedService) -> None:
    for stack in service.stacks:
        assert stack.resources
        assert stack.outputs
        assert stack.broken_rules == []
    there = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region"}
    for section in "Parameters", "Conditions", "Resources":
        there |= service.template[section].keys()
    own = {"Scheme", "Host", "Objects"}  # what a !Sub names for itself
    assert set(references(service.template)) <= there | own


@invariant
def every_parameter_and_condition_is_used(service: RenderedService) -> None:
    used = set(references(service.template))
    for section in "Parameters", "Conditions":
        unused = service.template[section].keys() - used
        assert not unused, f"infra/stack.yml: delete {sorted(unused)}, or use them"


@invariant
def every_parameter_has_a_source(service: RenderedService) -> None:
    fed = SETTING.keys() | SETTING_OF_ARNS.keys() | SETTING_OF_ADDRESSES.keys() | OF_THE_DOCUMENT
    fed |= SETTING_OF_SWITCHES.keys()
    assert service.template["Parameters"].keys() == fed, (
        "tests/stack/rendered_service.py says what feeds it"
    )
    written = tomllib.loads(service.render.text("infra/settings.toml"))
    settings = *SETTING.values(), *SETTING_OF_ARNS.values(), *SETTING_OF_ADDRESSES.values()
    for setting in {*settings, *SETTING_OF_SWITCHES.values()}:
        section, _, key = setting.partition(".")
        assert section == "names" or key in written[section], (
            f"infra/settings.toml: add {key} to [{section}]"
        )


@invariant
def only_what_may_be_empty_has_a_default(service: RenderedService) -> None:
    """Any other default would be a second home for what infra/settings.toml says."""
    parameters = service.template["Parameters"]
    defaults = {name: rule["Default"] for name, rule in parameters.items() if "Default" in rule}
    assert set(defaults.values()) == {""}, "write the value into infra/settings.toml"
    empty = {name for name, setting in SETTING.items() if not value_of(service.settings, setting)}
    found_out = {"GitHubSubject", "VpcId", "SubnetIds"}
    lists = SETTING_OF_ARNS.keys() | OF_THE_DOCUMENT | {"AllowedIpv4Cidrs", "AllowedIpv6Cidrs"}
    assert defaults.keys() == (empty - found_out) | lists | SETTING_OF_SWITCHES.keys()


@invariant
def nothing_of_the_service_is_in_the_stack(service: RenderedService) -> None:
    """A deploy creates and moves the service: a stack update must not be able to."""
    for resource in service.template["Resources"].values():
        assert not re.match(
            r"AWS::(ECS::(?!Cluster$)|ApplicationAutoScaling::|CodeDeploy::)", resource["Type"]
        ), f"{resource['Type']} is created by a deploy, not by the stack"


@invariant
def cloudformation_takes_the_template_inline(service: RenderedService) -> None:
    size = len(service.render.text("infra/stack.yml").encode())
    assert size <= 51_200, f"infra/stack.yml has {size} bytes; more would need a bucket"


@invariant
def only_images_and_logs_are_kept(service: RenderedService) -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    for name, body in service.template["Resources"].items():
        policies = {key: value for key, value in body.items() if key.endswith("Policy")}
        holds_data = body["Type"] in {"AWS::ECR::Repository", "AWS::Logs::LogGroup"}
        assert policies == (kept if holds_data else {}), f"{name}: {policies}"


# Names.


@invariant
def names_are_those_of_the_settings(service: RenderedService) -> None:
    settings, resources = service.settings, service.stack().resources
    for name, key, setting in [
        ("Repository", "RepositoryName", "names.repository"),
        ("LogGroup", "LogGroupName", "names.log_group"),
        ("Cluster", "ClusterName", "names.cluster"),
        ("ExecutionRole", "RoleName", "names.execution_role"),
        ("TaskRole", "RoleName", "names.task_role"),
        ("DeployRole", "RoleName", "names.deploy_role"),
    ]:
        assert resources[name].properties[key] == value_of(settings, setting), f"{name}: {setting}"
    retention = resources["LogGroup"].properties["RetentionInDays"]
    assert retention == int(settings.logs.retention_days)


@invariant
def names_are_those_of_the_documents(service: RenderedService) -> None:
    stack, place = service.stack(), service.place
    names = {name: resource.properties for name, resource in stack.resources.items()}
    assert service.task["executionRoleArn"] == place.role(names["ExecutionRole"]["RoleName"])
    assert service.task["taskRoleArn"] == place.role(names["TaskRole"]["RoleName"])
    logs = service.container["logConfiguration"]["options"]
    assert logs["awslogs-group"] == names["LogGroup"]["LogGroupName"]
    assert service.container["image"].endswith(f"/{names['Repository']['RepositoryName']}")
    deploy = service.render.json("ops/iam-policy-github-actions.json")
    cluster = names["Cluster"]["ClusterName"]
    assert place.arn("ecs", f"task/{cluster}/*") in {
        resource for statement in deploy["Statement"] for resource in statement["Resource"]
    }


@invariant
def the_longest_names_are_not_too_long(service: RenderedService) -> None:
    app, region = service.settings.service.name, service.settings.service.region
    given = service.stack().given
    longest = {
        name: value.replace(region, LONGEST_REGION).replace(app, LONGEST_APP)
        for name, value in given.items()
    }
    resources = service.stack(**longest).resources
    for name in "LoadBalancer", "TargetGroup":
        title = resources[name].properties["Name"]
        assert len(title) <= 32, f"{name}: {title} is longer than 32 characters"
        assert re.fullmatch(r"(?!internal-)[a-z][a-z0-9-]*[a-z0-9]", title)
    for name in "ExecutionRole", "TaskRole", "DeployRole":
        title = resources[name].properties["RoleName"]
        assert len(title) <= 64, f"{name}: {title} is longer than 64 characters"


@invariant
def two_services_can_share_an_account(service: RenderedService) -> None:
    """Each name that AWS wants to be unique follows from a parameter."""
    renamed = {
        name: f"other-{value}"
        for name, value in service.stack().given.items()
        if name.endswith("Name") and value
    }
    ours, theirs = service.stack().resources, service.stack(**renamed).resources
    for name, resource in ours.items():
        for key, value in resource.properties.items():
            own = key in {"Name", "AlarmName", "ClusterName", "LogGroupName", "RepositoryName"}
            if own or (key == "RoleName" and resource.type == "AWS::IAM::Role"):
                assert theirs[name].properties[key] != value, f"{name}: {key} is always {value}"


# From the world to the tasks, and no other way.


def rules(stack: Stack, group: str, direction: str) -> list[dict[str, Any]]:
    """The rules of a security group, inside it or as resources of their own, as comparable."""
    inside = stack.resources[group].properties.get(f"SecurityGroup{direction}", [])
    beside = [
        resource.properties
        for resource in stack.of_type(f"AWS::EC2::SecurityGroup{direction}")
        if resource.properties["GroupId"] == f"sg-{group}"
    ]
    left_out = {"Description", "GroupId"}
    return [
        {key: value for key, value in rule.items() if key not in left_out}
        for rule in [*inside, *beside]
    ]


def port(number: int, **peer: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number, **peer}


def admitted(stack: Stack) -> list[dict[str, str]]:
    """Who reaches the load balancer, as a rule of a security group says it."""
    ranges = "AllowedIpv4", "AllowedIpv6"
    allowed = [
        {"SourcePrefixListId": f"pl-{name}"} for name in ranges if stack.parameters[f"{name}Cidrs"]
    ]
    return allowed or [{"CidrIp": OPEN}]


@invariant
def who_is_allowed_reaches_the_load_balancer_on_80_and_with_a_certificate_on_443(
    service: RenderedService,
) -> None:
    for stack in service.stacks:
        secure = bool(stack.parameters["CertificateArn"])
        listened = [80, 443] if secure else [80]
        expected = [port(number, **source) for number in listened for source in admitted(stack)]
        assert rules(stack, "LoadBalancerSecurityGroup", "Ingress") == expected, (
            "open are the ports that the load balancer listens on, and no other"
        )
        listeners = stack.of_type("AWS::ElasticLoadBalancingV2::Listener")
        assert sorted(each.properties["Port"] for each in listeners) == listened


@invariant
def every_allowed_range_is_an_entry_however_many_there_are(service: RenderedService) -> None:
    for version, ranges in (4, IPV4), (6, IPV6):
        name = f"AllowedIpv{version}"
        for count in range(1, len(ranges) + 1):
            stack = service.stack(**{f"{name}Cidrs": ",".join(ranges[:count])})
            found = stack.resources[name].properties
            assert [each["Cidr"] for each in found["Entries"]] == ranges[:count]
            assert found["AddressFamily"] == f"IPv{version}"


@invariant
def the_allowed_ranges_fit_into_a_security_group(service: RenderedService) -> None:
    """A rule counts as the most entries of its prefix list, and there are rules for two ports."""
    resources = service.variants["all"].resources
    for version, most in MOST_RANGES.items():
        found = resources[f"AllowedIpv{version}"].properties["MaxEntries"]
        assert found == most, "infra/tool/shapes.py refuses more than that"
        assert 2 * found <= 60, "Amazon VPC quotas: 60 inbound rules of each IP version"


def task_groups(stack: Stack) -> list[str]:
    """The security groups of tasks; the last one is for the next of them."""
    limited = "LimitedTaskSecurityGroup"
    return ["TaskSecurityGroup", *([limited] if stack.there(limited) else [])]


@invariant
def the_load_balancer_reaches_the_tasks_and_nothing_else(service: RenderedService) -> None:
    for stack in service.stacks:
        to_tasks = [
            port(service.port, DestinationSecurityGroupId=f"sg-{group}")
            for group in task_groups(stack)
        ]
        assert rules(stack, "LoadBalancerSecurityGroup", "Egress") == to_tasks


@invariant
def only_the_load_balancer_reaches_the_tasks(service: RenderedService) -> None:
    for stack in service.stacks:
        from_balancer = [port(service.port, SourceSecurityGroupId="sg-LoadBalancerSecurityGroup")]
        for group in task_groups(stack):
            assert rules(stack, group, "Ingress") == from_balancer, (
                "tasks admit the load balancer's group, on the container's port"
            )
        assert stack.outputs["TaskSecurityGroupId"] == f"sg-{task_groups(stack)[-1]}"


@invariant
def the_tasks_reach_whatever_they_call(service: RenderedService) -> None:
    for stack in service.stacks:
        everywhere = [{"IpProtocol": "-1", "CidrIp": OPEN}]
        assert rules(stack, "TaskSecurityGroup", "Egress") == everywhere


@invariant
def limited_tasks_reach_what_is_listed_and_nothing_else(service: RenderedService) -> None:
    for count in range(1, MOST_EGRESS_RANGES + 1):
        stack = service.stack(EgressCidrs=",".join(IPV4[:count]), LimitEgress="true")
        expected = [{"IpProtocol": "-1", "CidrIp": each} for each in IPV4[:count]]
        assert rules(stack, "LimitedTaskSecurityGroup", "Egress") == expected
        assert stack.outputs["TaskSecurityGroupId"] == "sg-LimitedTaskSecurityGroup"
    for count in range(1, MOST_EGRESS_LISTS + 1):
        stack = service.stack(EgressPrefixLists=",".join(LISTS[:count]))
        expected = [{"IpProtocol": "-1", "DestinationPrefixListId": each} for each in LISTS[:count]]
        assert rules(stack, "LimitedTaskSecurityGroup", "Egress") == expected
        assert stack.outputs["TaskSecurityGroupId"] == "sg-TaskSecurityGroup", (
            "the group is only kept for tasks that are in it"
        )


@invariant
def everything_is_in_the_one_network(service: RenderedService) -> None:
    for stack in service.stacks:
        for name in "LoadBalancerSecurityGroup", "TaskSecurityGroup", "TargetGroup":
            assert stack.resources[name].properties["VpcId"] == stack.given["VpcId"]
        balancer = stack.resources["LoadBalancer"].properties
        assert balancer["Subnets"] == stack.given["SubnetIds"].split(",")
        assert balancer["SecurityGroups"] == ["sg-LoadBalancerSecurityGroup"]
        assert balancer["Type"] == "application"
        assert balancer["Scheme"] == stack.given["LoadBalancerScheme"]
        tasks = stack.given.get("TaskSubnetIds") or stack.given["SubnetIds"]
        assert stack.outputs["SubnetIds"] == tasks
        assert stack.outputs["AssignPublicIp"] == stack.given["AssignPublicIp"]


# Load balancer, listeners, targets.


@invariant
def tasks_are_targets_by_address(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    assert target["TargetType"] == "ip", "a task on Fargate has a network interface, no instance"
    assert (target["Protocol"], target["Port"]) == ("HTTP", service.port)


@invariant
def the_load_balancer_asks_for_health_where_the_container_does(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    asked = re.findall(r"GET (\S+) HTTP", " ".join(service.container["healthCheck"]["command"]))
    assert [target["HealthCheckPath"]] == asked == ["/health"], "one path, with its slash"
    assert target["Matcher"] == {"HttpCode": "200"}
    assert target.get("HealthCheckPort", "traffic-port") == "traffic-port"
    assert target.get("HealthCheckProtocol", "HTTP") == "HTTP"


@invariant
def a_bad_task_is_found_soon_and_a_slow_check_is_no_failure(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    interval = target["HealthCheckIntervalSeconds"]
    assert target["HealthCheckTimeoutSeconds"] < interval
    assert interval * target["UnhealthyThresholdCount"] <= 30
    grace = service.render.json("infra/service.json")["healthCheckGracePeriodSeconds"]
    assert interval * target["HealthyThresholdCount"] < grace, "or no task is healthy in time"


@invariant
def every_way_in_ends_at_the_tasks(service: RenderedService) -> None:
    """ECS takes no service whose target group is behind no listener."""
    for stack in service.stacks:
        secure = bool(stack.parameters["CertificateArn"])
        target = stack.outputs["TargetGroupArn"]
        assert target.partition(":targetgroup/")[2] == (
            f"{service.settings.service.name}-tg/0123456789abcdef"
        )
        forward = [{"Type": "forward", "TargetGroupArn": target}]
        listeners = {
            each.properties["Port"]: each.properties
            for each in stack.of_type("AWS::ElasticLoadBalancingV2::Listener")
        }
        assert listeners[443 if secure else 80]["DefaultActions"] == forward
        for listener in listeners.values():
            balancer = f"loadbalancer/app/{service.settings.service.name}-alb/0123456789abcdef"
            assert listener["LoadBalancerArn"] == service.place.arn(
                "elasticloadbalancing", balancer
            )


@invariant
def http_leads_to_https_where_there_is_a_certificate_and_after_it_answers(
    service: RenderedService,
) -> None:
    to_https = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    for stack in service.stacks:
        [action] = stack.resources["HttpListener"].properties["DefaultActions"]
        secure = bool(stack.parameters["CertificateArn"])
        assert (action["Type"] == "redirect") is secure
        if secure:
            assert action == {"Type": "redirect", "RedirectConfig": to_https}
            assert stack.order.index("HttpsListener") < stack.order.index("HttpListener"), (
                "or visitors are sent to a port where nothing listens yet"
            )


@invariant
def https_has_the_certificate_and_no_old_protocol(service: RenderedService) -> None:
    listener = service.variants["certificate"].resources["HttpsListener"].properties
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listener["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res-"), (
        "TLS 1.2 and 1.3 with forward secrecy, and nothing older"
    )


@invariant
def the_load_balancer_drops_headers_that_servers_read_differently(service: RenderedService) -> None:
    assert service.load_balancer("routing.http.drop_invalid_header_fields.enabled") == "true"


@invariant
def the_server_outlives_an_idle_connection(service: RenderedService) -> None:
    idle = int(service.load_balancer("idle_timeout.timeout_seconds"))
    assert service.gunicorn("keepalive") > idle, "or the load balancer answers 502 now and then"


@invariant
def no_request_is_cut_off_by_a_rollout(service: RenderedService) -> None:
    idle = int(service.load_balancer("idle_timeout.timeout_seconds"))
    delay = int(service.load_balancer("deregistration_delay.timeout_seconds"))
    graceful = service.gunicorn("graceful_timeout")
    assert delay >= graceful + 20, "the guide's margin"
    assert delay + graceful >= idle, "as long as the load balancer waits for an answer"
    assert delay <= 120, "each rollout waits for so long"


# Who may do what.


@invariant
def every_permission_is_a_policy_of_its_own(service: RenderedService) -> None:
    """Then `grants` sees all of them, and a role without policies may do nothing."""
    for stack in service.stacks:
        for role in stack.of_type("AWS::IAM::Role"):
            other = role.properties.keys() - {"AssumeRolePolicyDocument", "RoleName"}
            asked = {"PermissionsBoundary": "PermissionsBoundaryArn", "Path": "RolePath"}
            assert other == {name for name, by in asked.items() if stack.parameters[by]}, role.name
        for resource in stack.resources.values():
            assert resource.type not in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}


@invariant
def only_tasks_of_this_account_and_region_take_their_roles(service: RenderedService) -> None:
    place = service.place
    for stack in service.stacks:
        for role in "ExecutionRole", "TaskRole":
            trust = stack.resources[role].properties["AssumeRolePolicyDocument"]
            [statement] = trust["Statement"]
            assert {key: value for key, value in statement.items() if key != "Sid"} == {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": place.account},
                    "ArnLike": {"aws:SourceArn": place.arn("ecs", "*")},
                },
            }, f"{role}: without both conditions ECS could lend it to others"


@invariant
def exactly_one_subject_of_github_takes_the_deploy_role(service: RenderedService) -> None:
    issuer = "token.actions.githubusercontent.com"
    for stack in service.stacks:
        trust = stack.resources["DeployRole"].properties["AssumeRolePolicyDocument"]
        [statement] = trust["Statement"]
        provider = f"arn:{service.place.partition}:iam::{service.place.account}:oidc-provider"
        assert {key: value for key, value in statement.items() if key != "Sid"} == {
            "Effect": "Allow",
            "Principal": {"Federated": f"{provider}/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": stack.given["GitHubSubject"],
                }
            },
        }, "one audience, and one subject in full: any other could deploy"
        role = stack.resources["DeployRole"].properties
        assert role["RoleName"] == service.settings.names.deploy_role


@invariant
def a_subject_of_many_branches_is_refused(service: RenderedService) -> None:
    for subject in "repo:a/b:*", "repo:a/b:ref:refs/heads/?", "repo", "":
        said = refusal(service.stack(GitHubSubject=subject))
        assert "for example repo:a/b:ref:refs/heads/main" in said, f"it takes {subject!r}"
    assert refusal(service.stack()) == ""


def refusal(stack: Stack) -> str:
    """What CloudFormation says against the parameters."""
    try:
        return "\n".join(stack.broken_rules) if stack.parameters else ""
    except BadTemplate as refused:
        return str(refused)


@invariant
def the_execution_role_does_exactly_what_the_task_definition_needs(
    service: RenderedService,
) -> None:
    place = service.place
    image = [place.arn("ecr", f"repository/{service.settings.names.repository}"), AGENT]
    log = [place.arn("logs", f"log-group:{service.settings.names.log_group}:*")]
    always = {
        "ecr:GetAuthorizationToken": ["*"],
        **dict.fromkeys(PULL, image),
        **dict.fromkeys(WRITE, log),
    }
    sometimes = {
        "secrets": {"secretsmanager:GetSecretValue": [SECRET]},
        "parameters": {"ssm:GetParameters": PARAMETERS},
        "files": {"s3:GetObject": [FILE], "s3:GetBucketLocation": [FILE_BUCKET]},
        "other images": {action: [OTHER_IMAGE] for action in PULL},
        "other logs": {action: [OTHER_LOG] for action in WRITE},
        "new logs": {"logs:CreateLogGroup": [OTHER_LOG]},
        "key": {"kms:Decrypt": [KEY]},
    }
    sometimes["all"] = {
        action: resources for some in sometimes.values() for action, resources in some.items()
    }
    for name, stack in service.variants.items():
        wanted = {action: [*resources] for action, resources in always.items()}
        for action, resources in sometimes.get(name, {}).items():
            wanted.setdefault(action, []).extend(resources)
        assert grants(stack, "ExecutionRole") == wanted, name


@invariant
def a_key_opens_what_the_execution_role_reads_and_no_other_permission_has_a_condition(
    service: RenderedService,
) -> None:
    names = "secretsmanager", "ssm", "s3"
    through = [f"{name}.{service.place.region}.amazonaws.com*" for name in names]
    for policy in service.variants["all"].of_type("AWS::IAM::RolePolicy"):
        [*statements] = policy.properties["PolicyDocument"]["Statement"]
        conditions = [each["Condition"] for each in statements if "Condition" in each]
        only = [{"StringLike": {"kms:ViaService": through}}]
        assert conditions == (only if policy.name == "DecryptSecrets" else []), policy.name


@invariant
def the_task_role_may_do_what_the_settings_say_and_nothing_without(
    service: RenderedService,
) -> None:
    sometimes = {
        "models": {
            "bedrock:InvokeModel": MODELS,
            "bedrock:InvokeModelWithResponseStream": MODELS,
        },
        "buckets": {
            "s3:ListBucket": BUCKETS,
            "s3:GetObject": [f"{bucket}/*" for bucket in BUCKETS],
        },
        "tracing": {
            f"xray:{action}": ["*"]
            for action in (
                "GetSamplingRules",
                "GetSamplingStatisticSummaries",
                "GetSamplingTargets",
                "PutTelemetryRecords",
                "PutTraceSegments",
            )
        },
    }
    sometimes["all"] = sometimes["models"] | sometimes["buckets"] | sometimes["tracing"]
    for name, stack in service.variants.items():
        assert grants(stack, "TaskRole") == sometimes.get(name, {}), name


@invariant
def the_stack_grants_the_deploy_role_nothing(service: RenderedService) -> None:
    """ops/iam-policy-github-actions.json does, put on the role as it stands."""
    for stack in service.stacks:
        assert grants(stack, "DeployRole") == {}


@invariant
def a_star_stands_only_where_iam_knows_no_resource(service: RenderedService) -> None:
    stack = service.variants["all"]
    for role in "ExecutionRole", "TaskRole":
        for action, resources in grants(stack, role).items():
            assert "*" not in action
            if "*" in resources:
                assert re.match(r"ecr:GetAuthorizationToken$|xray:", action), action


@invariant
def iam_accepts_every_policy(service: RenderedService) -> None:
    policies = list(service.variants["all"].of_type("AWS::IAM::RolePolicy"))
    names = [(each.properties["RoleName"], each.properties["PolicyName"]) for each in policies]
    assert len(policies) == len(set(names)) == 11
    for policy in policies:
        found = policy_findings(policy.properties["PolicyDocument"])
        if policy.name == "InvokeModels":
            # parliament wants one resource of each kind that could be invoked, models among them.
            assert len(found) == 1, "the note on parliament is out of date: delete it"
            [mismatch] = found
            assert mismatch.startswith("RESOURCE_MISMATCH - [{'action': 'bedrock:InvokeModel'")
            assert "foundation-model/" not in mismatch
            assert "bedrock:*:*:inference-profile/" not in mismatch
        else:
            assert found == [], policy.name


@invariant
def every_arn_is_of_this_partition_and_account(service: RenderedService) -> None:
    """Also in China and GovCloud."""
    topic = "arn:aws-cn:sns:cn-north-1:000000000001:alarms"
    given = service.stack(AlarmTopicArn=topic).given
    found = arns(Stack(service.template, given, Place("aws-cn", "cn-north-1", "000000000001")))
    assert len(found) == 9, "the log, the topic, IAM; two each of ECR, ECS and ELB"
    for arn in found:
        assert arn.startswith("arn:aws-cn:"), f"{arn}: write ${{AWS::Partition}}"
        if not arn.endswith(AGENT.rpartition("/")[2]):
            assert arn.split(":")[4] == "000000000001", f"{arn}: write ${{AWS::AccountId}}"


@invariant
def images_are_immutable_and_scanned(service: RenderedService) -> None:
    repository = service.stack().resources["Repository"].properties
    assert repository["ImageTagMutability"] == "IMMUTABLE", "a tag is a commit"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert "LifecyclePolicy" not in repository, "it is applied from its own file"


# What is heard when something is wrong.


@invariant
def every_alarm_watches_this_load_balancer(service: RenderedService) -> None:
    stack = service.stack()
    balancer, slash, target = stack.outputs["ScalingResourceLabel"].partition("/targetgroup/")
    assert re.fullmatch(r"app/[^/]+/[^/]+", balancer)
    target = f"targetgroup/{target}"
    assert slash
    alarms = {each.properties["MetricName"]: each.properties for each in alarms_of(stack)}
    assert alarms.keys() == {
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "UnHealthyHostCount",
        "HealthyHostCount",
        "TargetResponseTime",
    }
    for metric, alarm in alarms.items():
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        of_targets = {"TargetGroup": target} if metric != "HTTPCode_ELB_5XX_Count" else {}
        assert dimensions == {"LoadBalancer": balancer} | of_targets, metric
        assert alarm["Namespace"] == "AWS/ApplicationELB"
        if metric != "HealthyHostCount":
            assert alarm["ComparisonOperator"].startswith("GreaterThan")
            assert alarm["TreatMissingData"] == "notBreaching", f"{metric}: no requests, no trouble"
        assert alarm["AlarmName"].startswith(f"{service.settings.service.name}-")


# Of each metric: statistic, comparison, threshold, and what a minute without data counts as.
ALARMS = {
    "HTTPCode_Target_5XX_Count": ("Sum", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
    "HTTPCode_ELB_5XX_Count": ("Sum", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
    "UnHealthyHostCount": ("Maximum", "GreaterThanOrEqualToThreshold", 1, "notBreaching"),
    "HealthyHostCount": ("Maximum", "LessThanThreshold", 1, "breaching"),
    "TargetResponseTime": ("p95", "GreaterThanOrEqualToThreshold", 5, "notBreaching"),
}


@invariant
def an_alarm_rings_after_three_bad_minutes_as_its_description_says(
    service: RenderedService,
) -> None:
    for alarm in (each.properties for each in alarms_of(service.stack())):
        metric = alarm["MetricName"]
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        found = (
            statistic,
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["TreatMissingData"],
        )
        assert found == ALARMS[metric], (
            f"infra/stack.yml: the alarm for {metric} was {ALARMS[metric]}, and is {found}: it "
            "rings too late or too often. If the change is meant, change ALARMS in this test too"
        )
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 3), (
            f"infra/stack.yml: the alarm for {metric} looks at three periods of 60 seconds"
        )


@invariant
def the_load_balancer_asks_every_ten_seconds_and_believes_three_failures(
    service: RenderedService,
) -> None:
    target = service.stack().resources["TargetGroup"].properties
    chosen = {
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
    }
    found = {name: target[name] for name in chosen}
    assert found == chosen, (
        f"infra/stack.yml: the target group had {chosen}: with less patience a slow minute "
        "replaces every task, with more a dead one gets requests for longer"
    )


@invariant
def an_outage_is_heard_of_without_any_request(service: RenderedService) -> None:
    """Tasks that do not even start are no targets, so there is no data at all."""
    [alarm] = [
        each.properties
        for each in alarms_of(service.stack())
        if each.properties["MetricName"] == "HealthyHostCount"
    ]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "LessThanThreshold")
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "breaching")


def alarms_of(stack: Stack) -> list[Any]:
    return list(stack.of_type("AWS::CloudWatch::Alarm"))


@invariant
def alarms_act_only_where_there_is_a_topic(service: RenderedService) -> None:
    for stack in service.stacks:
        told = [TOPIC] if stack.parameters["AlarmTopicArn"] else None
        for alarm in alarms_of(stack):
            for key in "AlarmActions", "OKActions":
                assert alarm.properties.get(key) == told, f"{alarm.name}: {key}"


@invariant
def failed_deployments_of_exactly_this_service_are_told(service: RenderedService) -> None:
    settings = service.settings
    place = f"service/{settings.names.cluster}/{settings.names.service}"
    for stack in service.stacks:
        told = list(stack.of_type("AWS::Events::Rule"))
        if not stack.parameters["AlarmTopicArn"]:
            assert told == [], "a rule without a target does nothing"
            continue
        [rule] = told
        assert rule.properties["EventPattern"] == {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Deployment State Change"],
            "resources": [service.place.arn("ecs", place)],
            "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
        }
        assert [target["Arn"] for target in rule.properties["Targets"]] == [TOPIC]


# What the scripts read.


@invariant
def the_outputs_are_what_the_scripts_read(service: RenderedService) -> None:
    for stack in service.stacks:
        limited = "LimitedTaskSecurityGroup"
        own = {f"{limited}Id"} if stack.there(limited) else set()
        assert stack.outputs.keys() == own | {
            "Url",
            "LoadBalancerDomain",
            "TargetGroupArn",
            "ScalingResourceLabel",
            "SubnetIds",
            "TaskSecurityGroupId",
            "AssignPublicIp",
        }
        assert all(isinstance(value, str) and value for value in stack.outputs.values())


@invariant
def the_url_is_one_that_answers(service: RenderedService) -> None:
    app, region = service.settings.service.name, service.settings.service.region
    plain = f"http://{app}-alb-1.{region}.elb.amazonaws.com"
    urls = {name: stack.outputs["Url"] for name, stack in service.variants.items()}
    assert urls.pop("domain") == "http://api.example.com"
    assert urls.pop("certificate") == urls.pop("all") == "https://api.example.com"
    assert set(urls.values()) == {plain}


@invariant
def the_load_balancer_is_told_under_its_own_name(service: RenderedService) -> None:
    """Where there is a domain, it has to point there."""
    app, region = service.settings.service.name, service.settings.service.region
    for stack in service.stacks:
        own = f"{app}-alb-1.{region}.elb.amazonaws.com"
        assert stack.outputs["LoadBalancerDomain"] == own


@invariant
def a_certificate_without_its_name_is_refused(service: RenderedService) -> None:
    """The load balancer's own name stands in no certificate, so https to it could not answer."""
    assert 'domain = "api.example.com"' in refusal(service.stack(CertificateArn=CERTIFICATE))
