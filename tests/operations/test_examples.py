"""The examples for plain logging, as processes: 20 errors, 20 counted, right client and service."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.running import Daemon, short_place, until

EXAMPLES = Path(__file__).parents[2] / "examples" / "frameworks"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with short_place() as place:
        daemon = Daemon(place).up()
        yield daemon
        daemon.close()


def counted(daemon: Daemon, service: str) -> list[tuple[str, int]]:
    """Per client the occurrences of the service."""
    with closing(sqlite3.connect(daemon.place / "state" / "tocsin.db", timeout=30)) as database:
        return database.execute(
            "SELECT client_id, sum(count) FROM error_counts JOIN error_logs ON error_logs.id = error_id "
            "WHERE service = ? GROUP BY client_id",
            (service,),
        ).fetchall()


@pytest.mark.parametrize(
    ("program", "service"),
    [("dict_config.py", "invoices"), ("file_config.py", "orders"), ("cron_job.py", "nightly")],
)
def test_all_20_errors_of_all_workers_are_counted_once(daemon: Daemon, program: str, service: str) -> None:
    subprocess.run([sys.executable, EXAMPLES / program], env=daemon.environ, check=True, timeout=60)
    assert until(lambda: counted(daemon, service) == [("acme", 20)]), counted(daemon, service)
