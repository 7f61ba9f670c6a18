"""app/main.py as rendered: its responses to clients, and its limits."""

import importlib
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.rendering import ROOT

MAIN = (ROOT / "template" / "app" / "main.py").read_text()
OPENAPI_URL = 'openapi_url="/openapi.json"'


@pytest.fixture(autouse=True)
def leave_logging_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logging configuration belongs to the process, so a change would affect other tests."""
    monkeypatch.setattr("app.logs.configure_logging", lambda: None)


def run(source: str) -> FastAPI:
    """The app that this source of app/main.py creates."""
    names: dict[str, Any] = {"__name__": "app.main"}
    exec(source, names)
    app = names["app"]
    assert isinstance(app, FastAPI)
    return app


def public_pages(app: FastAPI) -> list[int]:
    client = TestClient(app)
    return [client.get(path).status_code for path in ("/openapi.json", "/docs", "/redoc")]


def test_no_redirect_uses_the_host_header_of_the_client() -> None:
    client = TestClient(run(MAIN), base_url="http://attacker.example", follow_redirects=False)
    for path in ("/reading-time/", "/health/", "/docs/", "//health", "/missing/"):
        for method in ("GET", "POST"):
            answer = client.request(method, path)
            assert "location" not in answer.headers, f"{method} {path}: {answer.headers}"
            assert "attacker.example" not in answer.text


def test_a_refusal_does_not_repeat_the_input() -> None:
    answer = TestClient(run(MAIN)).post("/reading-time", json={"text": 1})
    assert answer.json()["detail"][0].keys() == {"type", "loc", "msg"}, (
        "app/main.py: exception_handlers={RequestValidationError: refuse}: the input may be large"
    )


def test_requests_are_limited_and_refusals_are_logged() -> None:
    found = [getattr(each.cls, "__name__", "") for each in run(MAIN).user_middleware]
    assert found == ["RequestLog", "Limits"], (
        f"app/main.py adds {found[::-1]}: without Limits a body may have any size; with "
        "RequestLog before it, what Limits refuses is in no log"
    )


def test_texts_have_a_maximum_length() -> None:
    answer = TestClient(run(MAIN)).post("/reading-time", json={"text": "a" * 100_001})
    assert answer.status_code == 422, "app/main.py: give each text a max_length"


def test_health_returns_the_commit_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMIT", "abc")
    answer = TestClient(run(MAIN)).get("/health")
    assert answer.json() == {"status": "ok", "commit": "abc"}, (
        'app/main.py: version=os.environ.get("COMMIT", …): a deploy waits for this commit'
    )


CHOSEN: dict[tuple[str, str], tuple[object, str]] = {
    ("app.limits", "MAX_BODY_SIZE"): (2 * 2**20, "bytes: 300 of them fit into the smallest task"),
    ("app.limits", "BODY_TIMEOUT"): (60, "seconds: a rollout cuts no body that keeps to it"),
    ("app.limits", "BODY_BUDGET"): (64 * 2**20, "bytes: an eighth of the smallest task"),
    ("app.limits", "SMALL_BODY"): (64 * 2**10, "bytes: such bodies get in when large ones do not"),
    ("app.limits", "MAX_ERRORS"): (100, "errors: a list can hold half a million"),
    ("app.request_log", "PIPE_BUF"): (4096, "bytes: Linux writes no more to a pipe at once"),
    ("app.request_log", "CLIENT"): (45, "characters of the longest IPv6 address"),
    ("app.request_log", "TRACE"): (200, "characters; README.md says so"),
    ("app.request_log", "PATH"): (1000, "characters; README.md says so"),
}


@pytest.mark.parametrize(("module", "name"), CHOSEN, ids=str)
def test_a_limit_has_the_chosen_value(module: str, name: str) -> None:
    found, (value, reason) = getattr(importlib.import_module(module), name), CHOSEN[module, name]
    assert found == value, (
        f"{module.replace('.', '/')}.py: {name} is {found} and was {value}: {reason}. If the "
        "change is meant, change CHOSEN in tests/service/test_app.py too"
    )


def test_records_of_the_level_info_are_written_by_every_logger() -> None:
    logging = importlib.import_module("app.logs").LOGGING
    assert logging["root"]["level"] == "INFO", "app/logs.py: the root level is INFO"
    assert logging["disable_existing_loggers"] is False, (
        "app/logs.py: loggers of modules that were imported before stay enabled"
    )


def test_one_argument_turns_the_documentation_off() -> None:
    assert public_pages(run(MAIN)) == [200, 200, 200]
    assert OPENAPI_URL in MAIN, "README.md names this argument of app/main.py"
    assert public_pages(run(MAIN.replace(OPENAPI_URL, "openapi_url=None"))) == [404, 404, 404]
