"""The behaviour of the endpoints: made once with app/main.py, then yours."""

import os

import pytest
from fastapi.testclient import TestClient

from app.limits import MAX_BODY_SIZE
from app.main import app

client = TestClient(app)


def test_health_returns_the_running_commit() -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "commit": os.environ.get("COMMIT", "unknown")}


@pytest.mark.parametrize(("words", "minutes"), [(1, 1), (220, 1), (221, 2)])
def test_reading_takes_whole_minutes(words: int, minutes: int) -> None:
    answer = client.post("/reading-time", json={"text": "word " * words})
    assert answer.status_code == 200
    assert answer.json() == {"words": words, "minutes": minutes}


@pytest.mark.parametrize("article", [{}, {"text": " "}, {"text": 1}, {"text": "a" * 100_001}])
def test_an_invalid_article_is_refused(article: dict[str, object]) -> None:
    assert client.post("/reading-time", json=article).status_code == 422


def test_a_body_that_is_too_large_is_refused() -> None:
    assert client.post("/reading-time", content=b" " * (MAX_BODY_SIZE + 1)).status_code == 413
