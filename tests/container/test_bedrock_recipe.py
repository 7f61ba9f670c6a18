"""A service of docs/recipes/bedrock.md in its image, as its task definition runs it."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.containers import Container, built, serving
from tests.recipes import bedrock_stub
from tests.recipes.service import Recipes

pytestmark = pytest.mark.container

PORT = 9000
BEDROCK = f"http://127.0.0.1:{PORT}"
ENVIRONMENT = {
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": BEDROCK,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{BEDROCK}/credentials",
    "AWS_DEFAULT_REGION": bedrock_stub.REGION,
}


@pytest.fixture(scope="module")
def model_container(recipes: Recipes) -> Iterator[Container]:
    """The service, and beside it a stub of Bedrock that also gives its task credentials."""
    service = recipes.service("bedrock", "example")
    options = [f"--env={name}={value}" for name, value in ENVIRONMENT.items()]
    with (
        built(service.path) as image,
        serving(image, service.path, options=options) as container,
    ):
        source = Path(inspect.getfile(bedrock_stub)).read_text()
        stub = container.start(f"import sys\nsys.argv.append('{PORT}')\n{source}")
        with stub.process:
            try:
                assert stub.line() == str(PORT)
                yield container
            finally:
                stub.process.kill()


def post(container: Container, path: str, prompt: str) -> Any:
    """Status, headers and text of an answer."""
    return container.ask(f"""
import http.client, json
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
body = json.dumps({{"prompt": {prompt!r}}})
connection.request("POST", {path!r}, body, {{"Content-Type": "application/json"}})
answer = connection.getresponse()
headers = {{name.lower(): value for name, value in answer.headers.items()}}
print(json.dumps([answer.status, headers, answer.read().decode()]))
""")


def test_the_image_answers_with_the_credentials_of_its_task(model_container: Container) -> None:
    """On a read-only file system, and without a home folder."""
    status, _, text = post(model_container, "/answers", "hello")
    assert (status, json.loads(text)["text"]) == (200, "Hello!"), text
    [line] = [line for line in model_container.lines() if line["message"] == "answered"]
    assert (line["input_tokens"], line["output_tokens"]) == (12, 7)


def test_the_image_streams_and_refuses(model_container: Container) -> None:
    status, headers, text = post(model_container, "/answers/stream", "hello")
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert text.count("event: text\n") == 3
    assert text.count("event: end\n") == 1
    status, headers, _ = post(model_container, "/answers", "throttle")
    assert (status, int(headers["retry-after"]) > 0) == (429, True)
