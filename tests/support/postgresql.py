"""A PostgreSQL of the tests, from Debian's package, on 127.0.0.1."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import trustme

from tests.support.programs import require

BINARIES = "/usr/lib/postgresql/*/bin"  # Debian keeps most programs there, and not on PATH
SUPERUSER = "postgres"
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 40
ssl = on
"""


@dataclass(frozen=True)
class Postgres:
    """A server that speaks TLS for the name localhost, with a certificate of its own authority."""

    folder: Path  # its data, its socket, and the certificate of the authority: ca.pem
    programs: Path
    port: int

    def url(self, database: str, user: str = SUPERUSER, host: str = "127.0.0.1") -> str:
        return f"postgresql://{user}@{host}:{self.port}/{database}"

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run statements as the superuser, and return what the last one selects."""
        return self.run(
            *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet"),
            *("--set", "ON_ERROR_STOP=1", "--host", str(self.folder), "--port", str(self.port)),
            *("--username", SUPERUSER, "--dbname", database, "--command", text),
        ).strip()

    def create(self, database: str) -> str:
        """A new database; its URL."""
        self.sql(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def restart(self) -> None:
        """Cut all connections, as a failover does."""
        self.control("restart", "--mode", "immediate")

    def control(self, *words: str) -> None:
        log = self.folder / "log"
        self.run("pg_ctl", "--pgdata", str(self.folder / "data"), "--log", str(log), "-w", *words)

    def run(self, program: str, *words: str) -> str:
        """Not as root, which the server refuses."""
        user = SUPERUSER if os.getuid() == 0 else None
        done = subprocess.run(
            [self.programs / program, *words],
            cwd=self.folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}\n{done.stdout}"
        return done.stdout


def find_programs() -> Path:
    newest = sorted(Path("/").glob(BINARIES.removeprefix("/")), key=lambda path: len(str(path)))
    path = os.pathsep.join([*map(str, newest[-1:]), os.environ["PATH"]])
    return Path(require("initdb", "postgresql", path)).resolve().parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a server with no data; stop and remove it at the end."""
    programs = find_programs()
    folder = Path(mkdtemp(prefix="postgres-"))  # short, as the path of a socket must be
    folder.chmod(0o755)
    server = Postgres(folder, programs, free_port())
    write_certificates(folder)
    if os.getuid() == 0:
        owner = pwd.getpwnam(SUPERUSER)
        for path in folder, *folder.iterdir():
            os.chown(path, owner.pw_uid, owner.pw_gid)
    data = str(folder / "data")
    try:
        server.run("initdb", "--no-sync", "--auth", "trust", "--username", SUPERUSER, data)
        options = [
            f"unix_socket_directories = '{folder}'",
            f"port = {server.port}",
            f"ssl_cert_file = '{folder}/server.pem'",
            f"ssl_key_file = '{folder}/server.key'",
        ]
        with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write(SETTINGS + "\n".join(options) + "\n")
        server.control("start")
        try:
            yield server
        finally:
            server.control("stop", "--mode", "immediate")
    finally:
        shutil.rmtree(folder)


def write_certificates(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.key").chmod(0o600)
