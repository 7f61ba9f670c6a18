"""The database of docs/recipes/rest-api-postgresql.md, as the page creates it."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.recipes.service import FOLDER
from tests.support.postgresql import Postgres


@dataclass(frozen=True)
class Database:
    server: Postgres
    url: str  # over TCP and TLS, as the user of the app

    def sql(self, text: str) -> str:
        """Run statements as the superuser, and return what the last one selects."""
        return self.server.sql(text, "service")

    @contextmanager
    def holding(self, statement: str) -> Iterator[None]:
        """Keep the locks that a statement takes."""
        with ThreadPoolExecutor(1) as other:
            other.submit(self.sql, f"BEGIN; {statement}; SELECT pg_sleep(600)")
            sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            while not self.sql(f"SELECT 1 {sleeping}"):
                time.sleep(0.05)
            try:
                yield
            finally:
                self.sql(f"SELECT pg_terminate_backend(pid) {sleeping}")

    def connections(self) -> list[str]:
        """Of each connection of the app, "t" if it is encrypted, and else "f"."""
        return self.sql(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename='service'"
        ).split()


def page() -> str:
    return (FOLDER / "rest-api-postgresql.md").read_text(encoding="utf-8")


def migration() -> list[str]:
    """The command that the page runs in a task."""
    [command] = re.findall(r"^command='(.*)'$", page(), re.MULTILINE)
    return [str(word) for word in json.loads(command)]


@contextmanager
def created(server: Postgres) -> Iterator[Database]:
    """With the user that the page creates; dropped at the end."""
    create_user, *_ = re.findall(r"^```sql\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)
    server.sql("CREATE DATABASE service")
    server.sql(create_user, "service")
    url = server.url("service", "service", "localhost")
    try:
        yield Database(server, f"{url}?sslrootcert={server.folder}/ca.pem")
    finally:
        server.sql("DROP DATABASE service WITH (FORCE)")
        server.sql("DROP ROLE service")
