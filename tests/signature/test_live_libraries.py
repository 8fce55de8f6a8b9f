"""What real libraries log, through our capture and the daemon's digest, is grouped as it happened."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from support.world import World

from tocsin.handler.protocol.event import CodeLocation, Event

PROGRAMS = Path(__file__).parent / "libraries"

Errors = list[tuple[str, int]]
"""(title, occurrences) of each error."""


@pytest.fixture
def errors_of(world: World, tmp_path: Path) -> Callable[[str], Errors]:
    """Runs a program and has a daemon digest what it logged."""

    def run(program: str) -> Errors:
        records = tmp_path / "records"
        ours = [os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / f"{program}.py"), str(tmp_path / "work")],
            env={
                **os.environ,
                "TOCSIN_RECORDS": str(records),
                "PYTHONPATH": os.pathsep.join((str(PROGRAMS), *ours)),
            },
            cwd=tmp_path,
            capture_output=True,
            timeout=100,
        )
        assert records.exists(), done.stderr.decode()
        kind = tuple[Event, list[CodeLocation]]
        found = [
            msgspec.msgpack.decode(base64.b64decode(line), type=kind)
            for line in records.read_bytes().splitlines()
        ]
        world.now = max(event.occurred_at for event, _ in found)
        app = world.app()
        places = {(place.path, place.line): place for _, told in found for place in told}
        app.log(*(event for event, _ in found), places=places.values())
        app.goodbye()
        return sorted((error.title, error.occurrences) for error in world.errors())

    return run


def test_celery_s_errors_are_known_by_the_task_s_own_code_and_its_limits_by_the_task(
    errors_of: Callable[[str], Errors],
) -> None:
    found = errors_of("celery_tasks")
    # Of the record beside a limit's own Celery leaves out the task.
    assert found[:-1] == [
        ("FileNotFoundError: [Errno *] No such file or directory: *", 2),
        ("Hard time limit * exceeded for * (invoices.export)", 1),
        ("Hard time limit * exceeded for * (invoices.report)", 2),
        ("KeyError: *", 2),
        ("TimeLimitExceeded: TimeLimitExceeded(*,)", 3),
    ]
    assert found[-1][0].startswith("WorkerLostError: Worker exited prematurely: ")


def test_a_twisted_failure_is_one_error_in_whatever_form_it_is_logged(
    errors_of: Callable[[str], Errors],
) -> None:
    assert errors_of("twisted_failures") == [
        ("KeyError: *", 12),
        ("ValueError: invalid literal for int() with base * *", 6),
    ]


def test_django_s_answers_are_known_by_their_route_and_its_exceptions_by_the_view(
    errors_of: Callable[[str], Errors],
) -> None:
    assert [(title.partition(":")[0], times) for title, times in errors_of("django_pages")] == [
        ("ConnectionError", 2),
        ("KeyError", 2),
        ("NoReverseMatch", 2),
        ("Service Unavailable", 2),
        ("Service Unavailable", 2),
        ("TemplateSyntaxError", 2),
    ]


@pytest.mark.parametrize(("program", "times"), [("mako_pages", 4), ("jinja_pages", 2)])
def test_each_broken_line_of_a_template_is_one_error_in_whatever_directory(
    errors_of: Callable[[str], Errors], program: str, times: int
) -> None:
    assert [number for _, number in errors_of(program)] == [times, times]


def test_asyncio_s_errors_are_known_by_the_coroutine(errors_of: Callable[[str], Errors]) -> None:
    assert errors_of("asyncio_tasks") == [
        ("RuntimeWarning: coroutine * was never awaited (feed_stock)", 2),
        ("RuntimeWarning: coroutine * was never awaited (poll_bank)", 1),
        ("Task was destroyed but it is pending! (feed_stock)", 1),
        ("Task was destroyed but it is pending! (poll_bank)", 2),
        ("ValueError: too heavy", 2),
    ]


def test_what_paramiko_logs_line_by_line_is_one_error_beside_the_application_s_own(
    errors_of: Callable[[str], Errors],
) -> None:
    assert errors_of("paramiko_transport") == [
        ("SSHException: Error reading SSH protocol banner", 5),
        ("SSHException: Error reading SSH protocol banner", 5),
    ]


def test_rq_s_jobs_are_known_by_where_they_failed(errors_of: Callable[[str], Errors]) -> None:
    assert errors_of("rq_jobs") == [
        ("FileNotFoundError: [Errno *] No such file or directory: *", 1),
        ("KeyError: *", 3),
    ]
