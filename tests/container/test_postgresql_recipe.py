"""The service of docs/recipes/rest-api-postgresql.md in its container, as a task runs it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.container.containers import Container, built, serving, starting, succeed
from tests.recipes.database import Database, created, migration
from tests.recipes.service import Recipes, RecipeService
from tests.support.postgresql import running

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def stored_books(recipes: Recipes) -> RecipeService:
    return recipes.service("rest-api-postgresql", "example")


@pytest.fixture(scope="module")
def books_image(stored_books: RecipeService) -> Iterator[str]:
    with built(stored_books.path) as image:
        yield image


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running() as server, created(server) as made:
        yield made


def post(container: Container, path: str, document: Any) -> int:
    """The status of the answer."""
    status = container.ask(f"""
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
body, headers = {json.dumps(document)!r}, {{"content-type": "application/json"}}
connection.request("POST", {path!r}, body, headers)
print(connection.getresponse().status)
""")
    return int(status)


def test_it_is_healthy_without_a_database(stored_books: RecipeService, books_image: str) -> None:
    secrets = stored_books.environment()
    with serving(books_image, stored_books.path, secrets=secrets) as container:
        assert container.get("/books")[0] == 503
        assert container.healthy()
        assert container.stop() == 0


def test_a_task_with_another_command_migrates_the_database(
    stored_books: RecipeService, books_image: str, database: Database
) -> None:
    """The container has no network: the socket of the server is a file in it."""
    server = database.server
    socket = [f"--volume={server.folder}:/database:ro"]
    url = f"postgresql://service@/service?host=/database&port={server.port}"
    secrets = {"DATABASE_URL": url}
    folder = stored_books.path
    with starting(books_image, folder, *migration(), secrets=secrets, options=socket) as container:
        assert succeed("wait", container.id) == "0"
        assert container.logged(r"Running upgrade  -> \w+, Create books")
    with serving(books_image, folder, secrets=secrets, options=socket) as container:
        book = {"isbn": "9780131103627", "title": "The C Programming Language"}
        assert [post(container, "/books", book) for _ in range(2)] == [201, 409]
