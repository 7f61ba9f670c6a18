"""A service of docs/recipes/bedrock.md, and a stub of Bedrock that is asked over real HTTP."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.validate import ParamValidator

from tests.recipes import bedrock_stub
from tests.recipes.service import ANSWERS, Recipes, RecipeService
from tests.service.servers import PATIENCE, Server

pytestmark = pytest.mark.recipe

MODEL = "amazon.nova-lite-v1:0"
TRACE = "Root=1-67891233-abcdef012345678912345678"
STREAM = "/answers/stream"


@dataclass(frozen=True)
class Stub:
    url: str

    def asked(self) -> list[dict[str, Any]]:
        return list(httpx2.get(f"{self.url}/requests", timeout=PATIENCE).json())

    def environment(self) -> dict[str, str]:
        """The environment variables that ECS sets and the app reads, and the URL of Bedrock."""
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "AWS_DEFAULT_REGION": bedrock_stub.REGION,
        }


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running_stub() as stub:
        yield stub


@contextmanager
def running_stub() -> Iterator[Stub]:
    command = [sys.executable, bedrock_stub.__file__, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Stub(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(recipes: Recipes) -> RecipeService:
    return recipes.service("bedrock", "example")


@pytest.fixture
def server(service: RecipeService, stub: Stub) -> Iterator[Server]:
    with service.serving(**stub.environment()) as server:
        yield server


def ask(server: Server, prompt: str, path: str = "/answers", **more: Any) -> httpx2.Response:
    url = f"http://127.0.0.1:{server.port()}{path}"
    headers = {"X-Amzn-Trace-Id": TRACE}
    return httpx2.post(url, json={"prompt": prompt, **more}, headers=headers, timeout=PATIENCE)


@contextmanager
def streaming(server: Server, prompt: str) -> Iterator[Iterator[str]]:
    """The lines of an answer as they come."""
    url = f"http://127.0.0.1:{server.port()}{STREAM}"
    with httpx2.stream("POST", url, json={"prompt": prompt}, timeout=PATIENCE) as response:
        yield response.iter_lines()


def events(text: str) -> list[tuple[str, Any]]:
    fields = [line.partition(": ") for line in text.splitlines()]
    names = [value for name, _, value in fields if name == "event"]
    data = [json.loads(value) for name, _, value in fields if name == "data"]
    return list(zip(names, data, strict=True))


def reported(server: Server, message: str) -> dict[str, Any]:
    """The fields of the line that says this."""
    server.wait_for(lambda: f'"{message}"' in server.log.read_text())
    [line] = [line for line in server.lines() if line["message"] == message]
    return line


TEXTS = [("text", {"text": text}) for text in ("Hel", "lo", "!")]
END = ("end", {"stop_reason": "end_turn", "input_tokens": 12, "output_tokens": 7})


@pytest.mark.parametrize("answers", ANSWERS)
def test_an_answer_can_be_complete_or_streamed(recipes: Recipes, answers: str, stub: Stub) -> None:
    service = recipes.service("bedrock", answers)
    with service.serving(**stub.environment()) as server:
        assert ask(server, "hello").json() == {
            "text": "Hello!",
            "model": MODEL,
            "stop_reason": "end_turn",
            "input_tokens": 12,
            "output_tokens": 7,
        }
        line = reported(server, "answered")
        assert (line["trace_id"], line["model"]) == (TRACE, MODEL)
        assert (line["input_tokens"], line["output_tokens"]) == (12, 7)
        streamed = ask(server, "hello", STREAM)
        assert streamed.headers["content-type"].startswith("text/event-stream")
        assert events(streamed.text) == [*TEXTS, END]
    assert [asked["refused"] for asked in stub.asked()] == ["", ""], "the signature is wrong"
    for asked, operation in zip(stub.asked(), ("Converse", "ConverseStream"), strict=True):
        assert invalid(operation, {"modelId": asked["model"], **asked["content"]}) == ""


def invalid(operation: str, request: dict[str, Any]) -> str:
    """The errors that the API's model finds in a request."""
    session = botocore.session.get_session()
    shape = session.get_service_model("bedrock-runtime").operation_model(operation).input_shape
    assert shape
    return str(ParamValidator().validate(request, shape).generate_report())


def test_boto3_understands_the_stub(stub: Stub) -> None:
    """So a wrong frame of the stub, or a wrong check of a signature, does not go unnoticed."""
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=stub.url,
        region_name=bedrock_stub.REGION,
        aws_access_key_id=bedrock_stub.KEY.access_key,
        aws_secret_access_key=bedrock_stub.KEY.secret_key,
        aws_session_token=bedrock_stub.KEY.token,
        config=Config(retries={"total_max_attempts": 1}),
    )

    def request(prompt: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"text": prompt}]}]
        return {"modelId": MODEL, "messages": messages}

    whole = client.converse(**request("hello"))
    assert stub.asked()[0]["path"] == "/model/amazon.nova-lite-v1%3A0/converse"
    assert whole["output"]["message"]["content"] == [{"text": "Hello!"}]
    stream = list(client.converse_stream(**request("hello"))["stream"])
    assert [next(iter(event)) for event in stream] == [
        "messageStart",
        *["contentBlockDelta"] * 3,
        "messageStop",
        "metadata",
    ]
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.converse(**request("throttle"))
    with pytest.raises(EventStreamError, match="throttlingException"):
        list(client.converse_stream(**request("throttle late"))["stream"])


def test_a_wrong_signature_is_refused_by_the_stub(stub: Stub) -> None:
    url = f"{stub.url}/model/{MODEL}/converse"
    assert httpx2.post(url, json={"messages": []}).status_code == 403


@pytest.mark.parametrize("path", ["/answers", STREAM])
def test_throttling_is_429_with_retry_after(server: Server, path: str) -> None:
    answer = ask(server, "throttle", path)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "arn:" not in answer.text, "AWS's message is for the log"
    assert "arn:" in reported(server, "refused")["reason"]


def test_an_error_after_the_first_chunk_is_the_last_event(server: Server) -> None:
    for prompt, status in (("throttle late", 429), ("damage", 502), ("break", 502)):
        first, last = events(ask(server, prompt, STREAM).text)
        assert first == TEXTS[0], prompt
        assert (last[0], last[1]["status"]) == ("error", status), prompt
    assert ask(server, "deny").status_code == 502
    levels = {line["code"]: line["level"] for line in server.lines() if "code" in line}
    assert levels["AccessDeniedException"] == "ERROR", "a person must change something"
    assert levels["ThrottlingException"] == "WARNING"


def test_a_model_that_is_not_configured_is_refused(server: Server, stub: Stub) -> None:
    for path in ("/answers", STREAM):
        assert ask(server, "hello", path, model="amazon.nova-pro-v1:0").status_code == 422
    assert stub.asked() == []


def test_each_chunk_is_sent_before_the_next_one_arrives(server: Server, stub: Stub) -> None:
    """And in a long silence there is a comment, for the load balancer's idle timeout."""
    begin = time.monotonic()
    with streaming(server, "think") as lines:
        first = [next(lines), next(lines)]
        [asked] = stub.asked()
        assert not asked["ended"], "the first piece comes with the last"
        rest = list(lines)
    assert ": ping" in rest, "no comment in a silence of 17 seconds"
    assert events("\n".join([*first, *rest])) == [*TEXTS, END]
    assert time.monotonic() - begin > 15


@pytest.mark.parametrize(
    ("prompt", "path"),
    [("go on", STREAM), ("flood", STREAM), ("wait", STREAM), ("wait", "/answers")],
)
def test_a_client_that_leaves_closes_the_connection_to_bedrock(
    server: Server, stub: Stub, prompt: str, path: str
) -> None:
    """While pieces come, while it reads none of 120 MB of them, before the first one, and while the
    whole answer is written."""
    with asking(server, prompt, path) as connection:
        server.wait_for(stub.asked)
        if prompt in ("go on", "flood"):
            server.wait_for(lambda: b"Hel" in connection.recv(4096))
        assert not stub.asked()[0]["ended"], "the service holds what its client does not read"
    server.wait_for(lambda: stub.asked()[0]["left"])
    if prompt == "flood":
        assert reported(server, "cut off")["characters"] < 4000 * 30_000
    elif prompt == "go on":
        assert reported(server, "cut off")["characters"] == len("Hel")
    else:
        assert reported(server, "request")["status"] == 499
    assert ask(server, "hello").status_code == 200


@contextmanager
def asking(server: Server, prompt: str, path: str) -> Iterator[socket.socket]:
    """The connection of a client that has asked. At the end it leaves."""
    body = json.dumps({"prompt": prompt})
    head = f"POST {path} HTTP/1.1\r\nHost: service\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port()), PATIENCE) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
        yield connection


def test_the_status_is_503_without_bedrock_and_502_without_credentials(
    service: RecipeService,
) -> None:
    with running_stub() as gone:
        pass
    with running_stub() as task:
        environment = task.environment() | {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": gone.url}
        with service.serving(**environment) as server:
            for path in ("/answers", STREAM):
                answer = ask(server, "hello", path)
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert server.get("/health").status_code == 200
    with service.serving(**gone.environment()) as server:
        assert ask(server, "hello").status_code == 502
        assert reported(server, "refused")["code"] == "NoCredentials"
        assert server.get("/health").status_code == 200


def test_the_setting_and_the_task_definition_cannot_differ(
    service: RecipeService, tmp_path: Path
) -> None:
    """By the test that the page creates."""
    copy = service.copy(tmp_path / "service")
    settings = copy.path / "infra" / "settings.toml"
    settings.write_text(settings.read_text().replace(MODEL, "amazon.nova-pro-v1:0"))
    python = service.path / ".venv" / "bin" / "python"
    done = copy.run(str(python), "-m", "pytest", "tests/test_bedrock_models.py")
    assert done.returncode == 1, done.stdout
    assert "BEDROCK_MODELS of task-definition.json" in done.stdout
