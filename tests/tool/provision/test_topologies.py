"""A service in different networks: provisioned, deployed, rolled back and destroyed."""

from typing import Any

import pytest
from infra.tool.health import Response

from simulator.vpc import Ec2
from tests.support.checkout import Checkout, Run
from tests.support.stack_by_calls import parameters, template_body
from tests.support.vpcs import Vpc, create_vpc

OWNER = "999999999999"
ELSEWHERE = "203.0.113.0/24"
HERE = "198.51.100.0/24"  # from where the tests ask


def use(checkout: Checkout, vpc: Vpc, **settings: Any) -> None:
    """Put the service into a VPC; the other settings are those of [network] and [tasks]."""
    checkout.set("network.vpc", vpc.id)
    checkout.set("network.subnets", list(vpc.subnets))
    for name, value in settings.items():
        checkout.set(f"tasks.{name}" if name == "public_ip" else f"network.{name}", value)


def inside(checkout: Checkout) -> Vpc:
    """An internal service in private subnets behind a NAT gateway."""
    vpc = create_vpc(checkout.aws).with_nat()
    use(checkout, vpc, internal=True, public_ip=False)
    return vpc


def balancer(checkout: Checkout) -> Any:
    [found] = checkout.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return found


def services(checkout: Checkout) -> Ec2:
    found = checkout.aws.services["ec2"]
    assert isinstance(found, Ec2)
    return found


def warnings(run: Run) -> list[str]:
    return [line for line in run.err.splitlines() if line.startswith("network: ")]


# --- where a service can be ---


def test_an_internal_service_lives_in_private_subnets_from_its_first_day_to_its_last(
    new: Checkout,
) -> None:
    inside(new)
    run = new.administer("provision", "--plan").expect(0)
    assert "internal, open to everywhere" in run.out
    assert "0 public addresses $0" in run.out
    run = new.administer("provision").expect(0)
    assert warnings(run) == []
    assert balancer(new)["Scheme"] == "internal"
    assert "http://internal-ai-assistant-alb-" in run.out
    for _ in range(2):
        new.release()
        run = new.run("deploy").expect(0)
        assert "cannot be reached from here: not asked for the commit" in run.out
    new.run("status").expect(0)
    run = new.run("rollback").expect(0)
    assert new.revision == "ai-assistant-task:1"
    assert "cannot be reached from here" in run.out
    new.run("destroy", principal="root", typed="ai-assistant").expect(0)
    assert new.aws.client("elbv2").describe_load_balancers()["LoadBalancers"] == []


@pytest.mark.parametrize(
    ("make", "settings", "code"),
    [
        (Vpc.made_public, {}, ""),
        (Vpc.made_public, {"public_ip": False}, "network-no-public-ip"),
        (Vpc.made_public, {"internal": True}, ""),
        (Vpc.with_nat, {}, "network-no-gateway"),
        (Vpc.with_nat, {"internal": True, "public_ip": False}, ""),
        (Vpc.with_endpoints, {"internal": True, "public_ip": False}, ""),
        (
            lambda vpc: vpc.with_endpoints("ecr.api", "ecr.dkr"),
            {"internal": True},
            "network-no-way-out",
        ),
        (lambda vpc: vpc, {"internal": True, "public_ip": False}, "network-no-way-out"),
        (lambda vpc: vpc, {}, "network-no-gateway"),
    ],
)
def test_a_network_is_refused_exactly_if_tasks_or_clients_cannot_get_through(
    new: Checkout, make: Any, settings: dict[str, Any], code: str
) -> None:
    use(new, make(create_vpc(new.aws)), **settings)
    if code:
        new.administer("provision").expect(2, code).expect_no_change()
        return
    assert warnings(new.administer("provision").expect(0)) == []
    new.release()
    new.run("deploy").expect(0)


def test_a_refused_network_would_start_no_task(provisioned: Checkout) -> None:
    """The route is removed after provision has checked it, so the deploy finds none."""
    ec2 = provisioned.aws.client("ec2")
    [table] = ec2.describe_route_tables()["RouteTables"]
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    provisioned.release()
    run = provisioned.run("deploy").expect(1, "deployment-failed")
    assert "unable to retrieve ecr registry auth" in run.text


def test_a_gateway_alone_makes_no_public_subnet(new: Checkout) -> None:
    vpc = create_vpc(new.aws)
    vpc.with_gateway()
    use(new, vpc)
    run = new.administer("provision").expect(2, "network-not-public").expect_no_change()
    assert "[network] subnets" in run.err


def test_secrets_need_an_endpoint_too(new: Checkout) -> None:
    use(new, create_vpc(new.aws).with_endpoints(), internal=True, public_ip=False)
    name = "infra/task-definition.json"
    new.edit(name, '"secrets": []', '"secrets": [{"name": "KEY", "valueFrom": "key"}]')
    run = new.administer("provision").expect(2, "network-no-way-out").expect_no_change()
    assert "no endpoint for ssm" in run.err


# --- routes and endpoints that this account cannot see ---


@pytest.mark.parametrize("settings", [{}, {"internal": True, "public_ip": False}])
def test_in_a_shared_vpc_invisible_routes_are_a_warning(
    new: Checkout, settings: dict[str, Any]
) -> None:
    vpc = create_vpc(new.aws)
    (vpc.with_nat if settings else vpc.made_public)()
    services(new).shared[vpc.id] = OWNER
    use(new, vpc, **settings)
    [warning] = warnings(new.administer("provision").expect(0))
    assert "cannot see the routes" in warning
    new.release()
    new.run("deploy").expect(0)


def test_in_a_shared_vpc_visible_problems_are_only_warnings(
    new: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    vpc = create_vpc(new.aws).with_nat()
    services(new).shared[vpc.id] = OWNER
    monkeypatch.setattr(Ec2, "_own", lambda self, operation, _, asked: self.moto(operation, asked))
    use(new, vpc)
    run = new.administer("provision", "--plan").expect(0)
    assert f"{vpc.id} is shared by account {OWNER}" in "".join(warnings(run))


DENIED = ("UnauthorizedOperation", "You are not authorized to perform this operation.")


def test_without_permission_to_see_routes_it_is_a_warning(new: Checkout) -> None:
    new.aws.faults.refuse("ec2:DescribeRouteTables", *DENIED, status=403)
    [warning] = warnings(new.administer("provision").expect(0))
    assert "cannot see the routes" in warning


def test_without_permission_to_see_endpoints_it_is_a_warning(new: Checkout) -> None:
    use(new, create_vpc(new.aws).with_endpoints(), internal=True, public_ip=False)
    new.aws.faults.refuse("ec2:DescribeVpcEndpoints", *DENIED, status=403)
    assert "VPC endpoints" in "".join(warnings(new.administer("provision").expect(0)))


def test_another_refusal_is_not_reported_as_a_missing_permission(new: Checkout) -> None:
    new.aws.faults.refuse("ec2:DescribeRouteTables", "InvalidParameterValue")
    new.administer("provision").expect(2, "aws-refused").expect_no_change()


# --- the scheme cannot change, allowed addresses can ---


@pytest.mark.parametrize("is_internal", [False, True])
def test_the_scheme_of_a_load_balancer_cannot_change(new: Checkout, is_internal: bool) -> None:
    use(new, create_vpc(new.aws).made_public(), internal=is_internal)
    new.administer("provision").expect(0)
    new.set("network.internal", not is_internal)
    for words in (["provision"], ["provision", "--plan"]):
        run = new.administer(*words).expect(2, "network-scheme").expect_no_change()
    had = "internal" if is_internal else "internet-facing"
    wanted, kept = ("false", "true") if is_internal else ("true", "false")
    assert f"this service is {had}, which AWS cannot change" in run.err
    assert f"[network] internal = {wanted}" in run.err
    assert f"set [network] internal = {kept}" in run.err
    assert "ec2:DescribeSubnets" not in run.operations


def test_a_first_try_that_failed_leaves_the_scheme_open(new: Checkout) -> None:
    use(new, create_vpc(new.aws).made_public())
    new.aws.cloudformation.fails("LoadBalancer", "create", "no capacity")
    new.administer("provision").expect(1, "stack-not-changed")
    new.set("network.internal", True)
    new.administer("provision").expect(0)
    assert balancer(new)["Scheme"] == "internal"


def test_cloudformation_would_replace_the_load_balancer_for_another_scheme(
    existing: Checkout,
) -> None:
    client, stack = existing.aws.client("cloudformation"), existing.settings.names.stack
    changed = parameters(existing) | {"LoadBalancerScheme": "internal"}
    client.create_change_set(
        StackName=stack,
        ChangeSetName="scheme",
        ChangeSetType="UPDATE",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateBody=template_body(existing),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in changed.items()
        ],
    )
    changes: list[Any] = []
    while not changes:
        answer = client.describe_change_set(StackName=stack, ChangeSetName="scheme")
        changes = [each["ResourceChange"] for each in answer["Changes"]]
    replaced = {each["LogicalResourceId"]: each["Replacement"] for each in changes}
    assert replaced["LoadBalancer"] == "True"


def open_to(checkout: Checkout) -> dict[int, set[str]]:
    """The ranges that the security group of the load balancer lets in, by port."""
    ec2 = checkout.aws.client("ec2")
    [group] = ec2.describe_security_groups(GroupIds=balancer(checkout)["SecurityGroups"])[
        "SecurityGroups"
    ]
    found: dict[int, set[str]] = {}
    for rule in group["IpPermissions"]:
        ranges = {each["CidrIp"] for each in rule["IpRanges"]}
        for each in rule["PrefixListIds"]:
            entries = ec2.get_managed_prefix_list_entries(PrefixListId=each["PrefixListId"])
            ranges |= {entry["Cidr"] for entry in entries["Entries"]}
        found.setdefault(rule["FromPort"], set()).update(ranges)
    return found


def test_allowed_addresses_change_in_place_while_tasks_run(running: Checkout) -> None:
    most = [f"203.0.{number}.0/24" for number in range(113, 133)]
    for allowed in [ELSEWHERE, "2001:db8::/32"], most, [HERE], []:
        running.set("network.allowed_cidrs", allowed)
        run = running.administer("provision").expect(0)
        expected = set(allowed) or {"0.0.0.0/0"}
        assert open_to(running) == {80: expected}
        assert "to replace" not in run.out
        running.run("status").expect(0)
    lists = running.aws.client("ec2").describe_managed_prefix_lists(
        Filters=[{"Name": "owner-id", "Values": ["123456789012"]}]
    )
    assert [each for each in lists["PrefixLists"] if each["State"] != "delete-complete"] == []


def test_a_plan_shows_the_addresses_that_the_load_balancer_is_opened_to(running: Checkout) -> None:
    running.set("network.allowed_cidrs", [ELSEWHERE])
    run = running.administer("provision", "--plan").expect(0)
    assert f"everywhere -> {ELSEWHERE}" in run.out


def test_https_has_the_same_ranges_and_http_redirects_to_it(running: Checkout) -> None:
    made = running.aws.client("acm").request_certificate(DomainName="api.example.com")
    running.set("https.domain", "api.example.com")
    running.set("https.certificate", made["CertificateArn"])
    running.set("network.allowed_cidrs", [ELSEWHERE, HERE])
    running.administer("provision").expect(0)
    assert open_to(running) == {80: {ELSEWHERE, HERE}, 443: {ELSEWHERE, HERE}}


# --- the URL after a deploy ---


@pytest.mark.parametrize(
    ("allowed", "reachable", "code", "error"),
    [
        ([ELSEWHERE], None, 0, ""),
        ([ELSEWHERE], True, 3, "url-unreachable"),
        ([HERE], None, 0, ""),
        ([HERE], True, 0, ""),
        ([], False, 0, ""),
    ],
)
def test_no_answer_is_a_note_unless_one_is_expected(
    running: Checkout, allowed: list[str], reachable: bool | None, code: int, error: str
) -> None:
    running.set("network.allowed_cidrs", allowed)
    if reachable is not None:
        running.set("deploy.reachable", reachable)
    running.administer("provision").expect(0)
    running.commit("Limit who may ask")
    commit = running.release()
    run = running.run("deploy").expect(code, error)
    answers = f"answers with commit {commit[:7]}" in run.out
    assert answers == (allowed != [ELSEWHERE])
    assert ("not asked for the commit" in run.out) == (not answers and not error)


def test_another_commit_is_an_error_also_if_no_answer_is_expected(running: Checkout) -> None:
    running.set("network.allowed_cidrs", [ELSEWHERE])
    running.administer("provision").expect(0)
    running.commit("Limit who may ask")
    running.release()
    running.answer = Response(200, b'{"commit": "%s"}' % (b"b" * 40))
    running.run("deploy").expect(1, "url-other-commit")


def test_inside_its_vpc_an_internal_service_is_asked_for_its_commit(new: Checkout) -> None:
    inside(new)
    new.administer("provision").expect(0)
    commit = new.release()
    new.aws.load_balancer.asked_from = "10.0.0.9"
    run = new.run("deploy").expect(0)
    assert f"answers with commit {commit[:7]}" in run.out


def test_a_url_that_is_not_expected_to_answer_is_not_waited_for(new: Checkout) -> None:
    inside(new)
    new.administer("provision").expect(0)
    new.release()
    before = new.aws.clock.now()
    new.run("deploy").expect(0)
    waited = (new.aws.clock.now() - before).total_seconds()
    new.set("deploy.reachable", True)
    new.commit("Expect an answer")
    new.release()
    before = new.aws.clock.now()
    new.run("deploy").expect(3, "url-unreachable")
    assert waited < (new.aws.clock.now() - before).total_seconds() - 30
