"""Every failed call raises one type of exception, and credentials are found as AWS's own tools find
them."""

import json
import os
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider
from infra.tool.aws import Aws, shared_session
from infra.tool.aws_errors import AwsError, Kind, is_change, kind_of_answer

from simulator.faults import EXPIRED_TOKEN, THROTTLED, UNKNOWN_CREDENTIALS
from simulator.refusal import Refused
from simulator.simulation import SimulatedAws
from tests.support.web import Web, serving

REGION = "us-east-1"


def connect(aws: SimulatedAws, principal: str = "root") -> Aws:
    return Aws(aws.session(principal, region=REGION), REGION)


def failure(call: Any, **parameters: Any) -> AwsError:
    with pytest.raises(AwsError) as raised:
        call(**parameters)
    return raised.value


def look(tool: Aws) -> AwsError:
    return failure(tool.ecs.describe_clusters)


def change(tool: Aws) -> AwsError:
    return failure(tool.ecs.create_cluster, clusterName="a")


# --- what kind of failure it is ---


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", Kind.DENIED),
        ("AccessDeniedException", Kind.DENIED),
        ("UnauthorizedOperation", Kind.DENIED),
        ("ExpiredToken", Kind.SIGN_IN),
        ("ExpiredTokenException", Kind.SIGN_IN),
        ("InvalidClientTokenId", Kind.SIGN_IN),
        ("SignatureDoesNotMatch", Kind.SIGN_IN),
        ("UnrecognizedClientException", Kind.SIGN_IN),
        ("AuthFailure", Kind.SIGN_IN),
        ("Throttling", Kind.REFUSED),
        ("ValidationError", Kind.REFUSED),
        ("ClusterNotFoundException", Kind.REFUSED),
        ("", Kind.REFUSED),
    ],
)
def test_an_error_code_decides_the_kind(code: str, kind: Kind) -> None:
    assert kind_of_answer(code) is kind


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ("DescribeServices", False),
        ("ListTasks", False),
        ("GetCallerIdentity", False),
        ("BatchGetImage", False),
        ("FilterLogEvents", False),
        ("UpdateService", True),
        ("CreateService", True),
        ("RegisterTaskDefinition", True),
        ("DeleteScalingPolicy", True),
        ("PutScalingPolicy", True),
        ("BatchDeleteImage", True),
    ],
)
def test_the_name_of_an_operation_says_whether_it_changes_something(
    operation: str, changes: bool
) -> None:
    assert is_change(operation) == changes


@pytest.mark.parametrize("fault", [EXPIRED_TOKEN, UNKNOWN_CREDENTIALS])
def test_credentials_that_aws_does_not_accept_ask_for_a_sign_in(
    aws: SimulatedAws, fault: Refused
) -> None:
    aws.faults.refuse_for_ever("*", fault)
    for error in look(connect(aws)), failure(connect(aws).sts.get_caller_identity):
        assert error.kind is Kind.SIGN_IN
        assert error.code == "sign-in"
        assert fault.message in error.message


def test_a_denied_action_is_named_with_the_command_that_grants_it(aws: SimulatedAws) -> None:
    aws.client("iam").create_user(UserName="me")
    error = look(connect(aws, "user/me"))
    assert error.kind is Kind.DENIED
    assert "ecs:DescribeClusters" in error.message
    assert "ops/iam-policy-github-actions.json" in error.remedy
    assert "uv run --frozen -m infra provision" in error.remedy


def test_a_refusal_keeps_aws_s_own_code_and_reason(aws: SimulatedAws) -> None:
    aws.faults.refuse("ecs:DescribeClusters", "ClusterNotFoundException", "No such\x1b cluster.\n")
    error = look(connect(aws))
    assert error.kind is Kind.REFUSED
    assert error.aws_code == "ClusterNotFoundException"
    assert error.operation == "ecs:DescribeClusters"
    assert error.message == (
        "AWS refused ecs:DescribeClusters: No such cluster. (ClusterNotFoundException)"
    )


def test_a_refusal_without_a_reason_says_so(aws: SimulatedAws) -> None:
    aws.faults.refuse("ecs:DescribeClusters", Refused("ServerException", ""))
    assert "no reason was given (ServerException)" in look(connect(aws)).message


def test_a_read_without_a_connection_says_that_aws_cannot_be_reached(aws: SimulatedAws) -> None:
    aws.faults.cut_off()
    error = look(connect(aws))
    assert error.kind is Kind.UNREACHABLE
    assert "[service] region" in error.remedy


def test_a_region_that_does_not_exist_cannot_be_reached(aws: SimulatedAws) -> None:
    error = look(Aws(aws.session(region="mars-east-1"), "mars-east-1"))
    assert error.kind is Kind.UNREACHABLE


@pytest.mark.parametrize("fault", ["drop", "lose_answer", "time_out"])
def test_a_read_whose_response_is_lost_says_so(aws: SimulatedAws, fault: str) -> None:
    getattr(aws.faults, fault)("ecs:DescribeClusters", times=9)
    assert look(connect(aws)).kind is Kind.LOST


@pytest.mark.parametrize("fault", ["drop", "lose_answer", "time_out", "cut_off"])
def test_a_change_whose_response_is_lost_may_have_been_carried_out(
    aws: SimulatedAws, fault: str
) -> None:
    getattr(aws.faults, fault)("ecs:CreateCluster", times=9)
    tool = connect(aws)
    error = change(tool)
    assert error.kind is Kind.CHANGE_LOST
    assert error.exit == 3
    assert not error.proves_nothing_began
    assert tool.changes == ["ecs:CreateCluster"]


def test_a_refused_change_has_changed_nothing(aws: SimulatedAws) -> None:
    aws.faults.refuse("ecs:CreateCluster", "InvalidParameterException")
    tool = connect(aws)
    error = change(tool)
    assert error.proves_nothing_began
    assert tool.changes == []


def test_parameters_that_botocore_refuses_are_a_mistake_of_the_tool(aws: SimulatedAws) -> None:
    tool = connect(aws)
    with pytest.raises(Exception, match="Unknown parameter") as raised:
        tool.ecs.create_cluster(nmae="a")  # type: ignore[call-arg]
    assert not isinstance(raised.value, AwsError), "it is no failure of AWS: show where it happened"
    assert tool.changes == []


def test_changes_are_noted_and_reads_are_not(aws: SimulatedAws) -> None:
    tool = connect(aws)
    tool.ecs.describe_clusters()
    assert tool.changes == []
    tool.ecs.create_cluster(clusterName="a")
    assert tool.changes == ["ecs:CreateCluster"]


# --- retries, as botocore does them ---


def test_a_throttled_call_is_retried(aws: SimulatedAws) -> None:
    aws.faults.refuse("ecs:DescribeClusters", THROTTLED, times=2)
    connect(aws).ecs.describe_clusters()
    assert aws.calls.count("ecs:DescribeClusters") == 3


def test_a_call_with_a_lost_connection_is_retried(aws: SimulatedAws) -> None:
    aws.faults.drop("ecs:DescribeClusters")
    connect(aws).ecs.describe_clusters()
    assert aws.calls.count("ecs:DescribeClusters") == 2


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_environment_sets_the_number_of_attempts(
    aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", str(most))
    aws.faults.refuse_for_ever("ecs:DescribeClusters", THROTTLED)
    assert look(connect(aws)).kind is Kind.REFUSED
    assert aws.calls.count("ecs:DescribeClusters") == most


# --- credentials, by AWS's usual chain ---


@pytest.fixture
def home(aws: SimulatedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a person who has signed in to nothing, with the simulated AWS in reach."""
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{aws.address}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path


def configure(home: Path, text: str) -> None:
    (home / ".aws" / "config").write_text(text, encoding="utf-8")


def keys(aws: SimulatedAws, principal: str = "root") -> str:
    """Lines of a profile."""
    given = aws.world.principals.credentials(principal)
    return f"aws_access_key_id = {given.access_key}\naws_secret_access_key = {given.secret}\n"


def who_asks() -> str:
    return str(Aws(shared_session(), REGION).sts.get_caller_identity()["Arn"])


def test_keys_in_the_environment_are_used(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, f"[default]\n{keys(aws)}")
    aws.client("iam").create_user(UserName="me")
    given = aws.world.principals.credentials("user/me")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given.secret)
    assert who_asks().endswith(":user/me")


def test_the_keys_of_a_profile_are_used(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, f"[profile work]\n{keys(aws)}")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert who_asks().endswith(":root")


def test_a_profile_that_does_not_exist_asks_for_a_sign_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, "[profile work]\n")
    monkeypatch.setenv("AWS_PROFILE", "wrok")
    error = failure(shared_session)
    assert error.code == "sign-in"
    assert "wrok" in error.message


def test_no_credentials_at_all_ask_for_a_sign_in(aws: SimulatedAws, home: Path) -> None:
    configure(home, "")
    assert failure(who_asks).code == "sign-in"
    assert list(aws.calls) == [], "there is nothing to sign a request with"


def test_the_credentials_of_a_credential_process_are_used(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = aws.world.principals.credentials("root")
    answer = {"Version": 1, "AccessKeyId": given.access_key, "SecretAccessKey": given.secret}
    (home / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    configure(home, f"[profile work]\ncredential_process = cat {home}/answer.json\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert who_asks().endswith(":root")


@pytest.mark.parametrize("process", ["false", "echo no JSON", "a-program-that-does-not-exist"])
def test_a_process_that_gives_none_asks_for_a_sign_in(
    home: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    configure(home, f"[profile work]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert failure(who_asks).code == "sign-in"


def test_an_expired_sso_sign_in_asks_for_a_new_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        home,
        "[profile work]\nsso_session = us\nsso_account_id = 123456789012\nsso_role_name = Dev\n"
        "[sso-session us]\nsso_region = us-east-1\nsso_start_url = https://x.awsapps.com/start\n",
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    error = failure(who_asks)
    assert error.code == "sign-in"
    assert "aws sso login" in error.remedy


def test_the_credentials_of_an_sso_sign_in_are_used(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = aws.world.principals.credentials("root")
    credentials = {
        "accessKeyId": given.access_key,
        "secretAccessKey": given.secret,
        "sessionToken": given.token,
        "expiration": 4_000_000_000_000,  # milliseconds: in 2096
    }
    configure(
        home,
        "[profile work]\nsso_session = us\nsso_account_id = 123456789012\nsso_role_name = Dev\n"
        "[sso-session us]\nsso_region = us-east-1\nsso_start_url = https://x.awsapps.com/start\n",
    )
    # As `aws sso login` leaves it: its name is the hash of that of the session.
    token = home / ".aws" / "sso" / "cache" / f"{sha1(b'us').hexdigest()}.json"
    token.parent.mkdir(parents=True)
    for provider in SSOTokenProvider, SSOProvider:  # botocore knows the folder since its import
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", os.fspath(token.parent))
    token.write_text('{"accessToken": "signed-in", "expiresAt": "2096-01-01T00:00:00Z"}')
    monkeypatch.setenv("AWS_PROFILE", "work")
    portal = Web(body=json.dumps({"roleCredentials": credentials}).encode())
    with serving(portal):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", f"http://127.0.0.1:{portal.port}")
        assert who_asks().endswith(":root")
    [(_, path)] = portal.asked
    assert "role_name=Dev" in path


def test_the_credentials_of_a_web_identity_are_used(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = aws.client("iam")
    provider = iam.create_open_id_connect_provider(
        Url="https://example.com", ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"example.com:sub": "subject"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=document)["Role"]
    (home / "token").write_text("example.com|sts.amazonaws.com|subject", encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", os.fspath(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", role["Arn"])
    aws.clock.sleep((datetime.now(UTC) - aws.clock.now()).total_seconds())  # botocore has its own
    assert ":assumed-role/deployer/" in who_asks()


def test_a_web_identity_that_no_role_trusts_asks_for_a_sign_in(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "token").write_text("example.com|sts.amazonaws.com|subject", encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", os.fspath(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", aws.account.arn("iam", "role/deployer", region=""))
    error = failure(who_asks)
    assert error.code == "sign-in"
    assert "No OpenIDConnect provider" in error.message


def assumes_a_role(aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = aws.account.arn("iam", "role/deployer", region="")
    configure(
        home,
        f"[profile base]\n{keys(aws)}"
        f"[profile work]\nrole_arn = {role}\nsource_profile = base\nregion = {REGION}\n",
    )
    monkeypatch.setenv("AWS_PROFILE", "work")


def test_a_role_that_may_not_be_assumed_asks_for_a_sign_in(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assumes_a_role(aws, home, monkeypatch)
    error = failure(who_asks)
    assert error.code == "sign-in"
    assert "sts:AssumeRole" in error.message


def test_an_assumed_role_is_kept_where_the_aws_cli_keeps_it(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one MFA code is enough for every command, and for `aws` itself."""
    arn = aws.account.arn("iam", "root", region="")
    trust = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=document)
    assumes_a_role(aws, home, monkeypatch)
    aws.clock.sleep((datetime.now(UTC) - aws.clock.now()).total_seconds())  # botocore has its own
    for _ in range(2):  # as two commands do
        assert ":assumed-role/deployer/" in who_asks()
    assert aws.calls.count("sts:AssumeRole") == 1
    [kept] = (home / ".aws" / "cli" / "cache").iterdir()
    assert kept.suffix == ".json"


def test_the_region_of_the_settings_overrides_every_other(
    aws: SimulatedAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, f"[profile work]\nregion = ap-south-1\n{keys(aws)}")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    tool = Aws(shared_session(), "eu-west-1")
    clients = tool.cloudformation, tool.cloudwatch, tool.ecs, tool.logs, tool.scaling, tool.sts
    assert {client.meta.region_name for client in clients} == {"eu-west-1"}
