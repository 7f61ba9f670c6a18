"""app/main.py as it is made: what a client can and cannot make it answer."""

from pathlib import Path
from typing import Any

import app.main
from fastapi import FastAPI
from fastapi.testclient import TestClient

OPENAPI_URL = 'openapi_url="/openapi.json"'


def public_pages(service: FastAPI) -> list[int]:
    client = TestClient(service)
    return [client.get(path).status_code for path in ("/openapi.json", "/docs", "/redoc")]


def test_no_answer_sends_the_client_to_the_host_of_its_host_header() -> None:
    client = TestClient(app.main.app, base_url="http://attacker.example", follow_redirects=False)
    for path in ("/reading-time/", "/health/", "/docs/", "//health", "/missing/"):
        for method in ("GET", "POST"):
            answer = client.request(method, path)
            assert "location" not in answer.headers, f"{method} {path}: {answer.headers}"
            assert "attacker.example" not in answer.text


def test_one_argument_turns_the_documentation_off() -> None:
    assert public_pages(app.main.app) == [200, 200, 200]
    source = Path(app.main.__file__).read_text()
    assert OPENAPI_URL in source, "README.md names this argument of app/main.py"
    edited: dict[str, Any] = {"__name__": "app.main"}
    exec(source.replace(OPENAPI_URL, "openapi_url=None"), edited)
    assert public_pages(edited["app"]) == [404, 404, 404]
