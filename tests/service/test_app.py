"""app/main.py as it is made: what a client can and cannot make it answer."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from rendering import ROOT

MAIN = (ROOT / "template" / "app" / "main.py").read_text()
OPENAPI_URL = 'openapi_url="/openapi.json"'


@pytest.fixture(autouse=True)
def leave_logging_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the process, and so to the other tests too."""
    monkeypatch.setattr("app.logs.configure_logging", lambda: None)


def run(source: str) -> FastAPI:
    """The app that the source of an app/main.py makes."""
    names: dict[str, Any] = {"__name__": "app.main"}
    exec(source, names)
    app = names["app"]
    assert isinstance(app, FastAPI)
    return app


def public_pages(app: FastAPI) -> list[int]:
    client = TestClient(app)
    return [client.get(path).status_code for path in ("/openapi.json", "/docs", "/redoc")]


def test_no_answer_sends_the_client_to_the_host_of_its_host_header() -> None:
    client = TestClient(run(MAIN), base_url="http://attacker.example", follow_redirects=False)
    for path in ("/reading-time/", "/health/", "/docs/", "//health", "/missing/"):
        for method in ("GET", "POST"):
            answer = client.request(method, path)
            assert "location" not in answer.headers, f"{method} {path}: {answer.headers}"
            assert "attacker.example" not in answer.text


def test_one_argument_turns_the_documentation_off() -> None:
    assert public_pages(run(MAIN)) == [200, 200, 200]
    assert OPENAPI_URL in MAIN, "README.md names this argument of app/main.py"
    assert public_pages(run(MAIN.replace(OPENAPI_URL, "openapi_url=None"))) == [404, 404, 404]
