"""Services of docs/recipes in containers, as their task definitions say."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.container.containers import Container, built, serving, starting, succeed
from tests.recipes import database
from tests.recipes.service import PAGES, Recipes, RecipeService
from tests.support.postgresql import Postgres, running

pytestmark = pytest.mark.container

POSTGRESQL = "rest-api-postgresql"
WITH_AN_IMAGE = [name for name in (POSTGRESQL, "bedrock", "web-application") if name in PAGES]


@pytest.fixture(scope="module")
def images() -> Iterator["Images"]:
    with ExitStack() as kept:
        yield Images(kept)


class Images:
    """The image of each service, built once."""

    def __init__(self, kept: ExitStack) -> None:
        self.kept = kept
        self.built: dict[str, str] = {}

    def of(self, service: RecipeService) -> str:
        folder = str(service.path)
        if folder not in self.built:
            self.built[folder] = self.kept.enter_context(built(service.path))
        return self.built[folder]


@pytest.mark.parametrize("name", WITH_AN_IMAGE)
def test_it_is_healthy_without_what_it_depends_on(
    recipes: Recipes, images: Images, name: str
) -> None:
    service = recipes.service(name, "example")
    with serving(images.of(service), service.path, secrets=service.environment()) as container:
        assert container.get("/health")[0] == 200
        assert container.stop() == 0


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


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.mark.skipif(POSTGRESQL not in PAGES, reason="the recipe is not written")
def test_a_task_with_another_command_migrates_the_database(
    recipes: Recipes, images: Images, postgres: Postgres
) -> None:
    """The container has no network: the socket of the server is a file in it."""
    service = recipes.service(POSTGRESQL, "example")
    image = images.of(service)
    socket = f"--volume={postgres.folder}:/database:ro"
    with database.created(postgres):
        url = f"postgresql://service@/service?host=/database&port={postgres.port}"
        secrets = {"DATABASE_URL": url}
        command = database.migration()
        with starting(
            image, service.path, *command, secrets=secrets, options=[socket]
        ) as container:
            assert succeed("wait", container.id) == "0"
            assert container.logged(r"Running upgrade  -> \w+, Create books")
        with serving(image, service.path, secrets=secrets, options=[socket]) as container:
            book = {"isbn": "9780131103627", "title": "The C Programming Language"}
            assert [post(container, "/books", book) for _ in range(2)] == [201, 409]
