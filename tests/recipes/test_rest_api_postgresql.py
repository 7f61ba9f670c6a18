"""The service of docs/recipes/rest-api-postgresql.md, with a real PostgreSQL over TLS."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from simulator.simulation import SimulatedAws
from tests.recipes.database import Database, created, migration, page
from tests.recipes.service import ANSWERS, Recipes, RecipeService
from tests.service.servers import PATIENCE, Server
from tests.support.checkout import SUBJECT, Checkout
from tests.support.postgresql import Postgres

NAME = "rest-api-postgresql"
BOOK = {"isbn": "9780131103627", "title": "The C Programming Language"}
PROBLEM = "application/problem+json"

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module", params=ANSWERS)
def each_service(recipes: Recipes, request: pytest.FixtureRequest) -> RecipeService:
    return recipes.service(NAME, request.param)


@pytest.fixture(scope="module")
def service(recipes: Recipes) -> RecipeService:
    return recipes.service(NAME, "example")


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    with created(postgres) as made:
        yield made


def run(
    service: RecipeService, url: str, *command: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command in the environment of the app."""
    environment = service.environment(DATABASE_URL=url)
    programs = service.path / ".venv" / "bin"
    return subprocess.run(
        [programs / command[0], *command[1:]],
        cwd=folder or service.path,
        env=environment | {"PATH": f"{programs}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def migrate(service: RecipeService, database: Database) -> None:
    done = run(service, database.url, *migration())
    assert done.returncode == 0, done.stdout + done.stderr
    assert {json.loads(line)["level"] for line in done.stdout.splitlines()} == {"INFO"}


def post(server: Server, book: dict[str, str]) -> httpx2.Response:
    url = f"http://127.0.0.1:{server.port()}/books"
    return httpx2.post(url, json=book, timeout=PATIENCE)


def test_books_are_stored_through_an_encrypted_connection(
    each_service: RecipeService, database: Database
) -> None:
    migrate(each_service, database)
    with each_service.serving(DATABASE_URL=database.url) as server:
        created = post(server, BOOK)
        assert created.status_code == 201
        found = server.get(created.headers["location"])
        assert found.json() == created.json()
        assert post(server, BOOK).headers["content-type"] == PROBLEM
        assert server.get("/books").json()["items"] == [found.json()]
        assert set(database.connections()) == {"t"}


FAILS_AT_THE_END = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too late'; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON books DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail();
"""


def test_created_is_returned_only_after_the_commit(
    service: RecipeService, database: Database
) -> None:
    migrate(service, database)
    database.sql(FAILS_AT_THE_END)
    with service.serving(DATABASE_URL=database.url) as server:
        assert post(server, BOOK).status_code == 500


def test_before_the_migration_it_is_healthy_and_books_are_a_problem(
    service: RecipeService, database: Database
) -> None:
    with service.serving(DATABASE_URL=database.url) as server:
        answer = server.get("/books")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert server.get("/health").status_code == 200
        assert 'relation \\"books\\" does not exist' in server.log.read_text()


def test_a_server_without_a_trusted_certificate_gets_no_password(
    service: RecipeService, database: Database
) -> None:
    """Without the certificates that the page downloads, the service does not connect."""
    with service.serving(DATABASE_URL=database.url.partition("?")[0]) as server:
        answer = server.get("/books")
        assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
        [line] = [line for line in server.lines() if line["level"] == "ERROR"]
        assert "rds-ca.pem" in line["exception"]
        assert database.connections() == []


def test_after_a_failover_requests_are_answered_again(
    service: RecipeService, database: Database
) -> None:
    migrate(service, database)
    with service.serving(DATABASE_URL=database.url) as server:
        assert server.get("/books").status_code == 200
        database.server.restart()
        assert server.get("/books").status_code == 200, "the cut connection was used again"


def test_a_worker_opens_no_more_connections_than_its_pool_has(
    each_service: RecipeService, database: Database
) -> None:
    """While a lock keeps every statement waiting, requests wait for a connection, and give up."""
    migrate(each_service, database)
    workers = int(each_service.environment()["WEB_CONCURRENCY"])
    url = f"{database.url}&options=-c%20statement_timeout%3D4s"
    counted = []
    with (
        each_service.serving(DATABASE_URL=url, DATABASE_POOL_SIZE="2") as server,
        database.holding("LOCK TABLE books"),
        ThreadPoolExecutor(15) as clients,
    ):
        answers = [clients.submit(server.get, "/books") for _ in range(15)]
        while not all(answer.done() for answer in answers):
            counted.append(len(database.connections()))
        assert {answer.result().status_code for answer in answers} == {503}
    assert 2 <= max(counted) <= 2 * workers


def test_a_migration_gives_up_while_another_one_runs(
    service: RecipeService, database: Database
) -> None:
    with database.holding("SELECT pg_advisory_lock(hashtext('migrations'))"):
        done = run(service, database.url, *migration())
    assert done.returncode != 0
    assert "lock timeout" in done.stdout + done.stderr
    assert database.sql("SELECT to_regclass('books')") == ""


def test_alembic_writes_the_next_migration_without_linter_findings(
    service: RecipeService, database: Database, tmp_path: Path
) -> None:
    migrate(service, database)
    changed = service.copy(tmp_path / "service").path
    models = changed / "app" / "models.py"
    models.write_text(models.read_text() + "    price: Mapped[int | None]\n")
    words = "--autogenerate", "--message", "Add a price"
    alembic = "alembic", "--config", "app/alembic.ini"
    for command in [*alembic, "revision", *words], migration(), [*alembic, "check"]:
        done = run(service, database.url, *command, folder=changed)
        assert done.returncode == 0, done.stdout + done.stderr
    [written] = (changed / "app" / "migrations" / "versions").glob("*_add_a_price.py")
    assert 'op.add_column("books", sa.Column("price"' in written.read_text()
    for command in ["ruff", "check"], ["ruff", "format", "--check"]:
        done = run(service, database.url, *command, folder=changed)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_migration_can_be_read_before_it_is_run(service: RecipeService) -> None:
    done = run(service, "postgresql://nowhere/x", *migration(), "--sql")
    assert "CREATE TABLE books" in done.stdout, done.stderr


def test_the_page_names_the_parameter_that_the_task_definition_names(
    service: RecipeService,
) -> None:
    [secret] = service.container()["secrets"]
    [put] = re.findall(r"^aws ssm put-parameter (.*) \\$", page(), re.MULTILINE)
    words = shlex.split(put)
    assert words[words.index("--name") + 1] == secret["valueFrom"]


def test_provisioning_lets_the_tasks_read_the_url(
    recipes: Recipes, aws: SimulatedAws, tmp_path: Path
) -> None:
    service = recipes.service(NAME, "example")
    checkout = Checkout(aws, service.copy(tmp_path / "ai-assistant").path)
    checkout.set("github.subject", SUBJECT)
    parameter: dict[str, Any] = {"Name": "/ai-assistant/database-url", "Type": "SecureString"}
    aws.client("ssm").put_parameter(**parameter, Value="postgresql://service@host/service")
    checkout.administer("provision").expect(0)
    checkout.release()
    checkout.run("deploy").expect(0)
