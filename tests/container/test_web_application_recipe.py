"""A service of docs/recipes/web-application.md in its image, as its task definition runs it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.container.containers import Container, built, serving
from tests.recipes.service import Recipes

pytestmark = pytest.mark.container

# The header that the load balancer adds once the service has a certificate.
THROUGH_HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def web_container(recipes: Recipes) -> Iterator[Container]:
    service = recipes.service("web-application", "example")
    with (
        built(service.path) as image,
        serving(image, service.path, secrets=service.environment()) as container,
    ):
        yield container


def send_form(container: Container, text: str, headers: dict[str, str]) -> Any:
    """Status and headers of the answer."""
    return container.ask(f"""
import http.client, json
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
headers = {{"Content-Type": "application/x-www-form-urlencoded", **{headers!r}}}
connection.request("POST", "/estimate", "text={text}", headers)
answer = connection.getresponse()
headers = {{name.lower(): value for name, value in answer.headers.items()}}
print(json.dumps([answer.status, headers]))
""")


def test_the_image_has_the_templates_and_the_static_files(web_container: Container) -> None:
    status, _, page = web_container.get("/")
    assert status == 200
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(paths) == 3, "an icon, a style and a script"
    for path in paths:
        status, headers, content = web_container.get(path)
        assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert content


def test_a_session_of_https_comes_back(web_container: Container) -> None:
    status, headers = send_form(web_container, "one+two", THROUGH_HTTPS)
    assert (status, headers["location"]) == (303, "/")
    cookie, *flags = headers["set-cookie"].split("; ")
    assert cookie.startswith("__Host-session=")
    assert {"secure", "httponly"} <= set(flags)
    _, headers, page = web_container.get("/", Cookie=cookie, **THROUGH_HTTPS)
    assert "2 words: 1 min" in page
    assert "strict-transport-security" in headers


def test_an_error_is_a_page_for_browsers(web_container: Container) -> None:
    status, headers, page = web_container.get("/missing", Accept="text/html")
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not Found</h1>" in page
    assert headers["content-security-policy"].startswith("default-src 'none'")
