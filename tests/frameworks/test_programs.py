"""Programs without requests: 20 errors of all their threads or processes, 20 counted, each its client's."""

from __future__ import annotations

import signal
import subprocess

import pytest
from support.example_programs import EXAMPLES, ExamplesDaemon, commands
from support.running import until


@pytest.mark.parametrize(
    ("program", "service", "processes"),
    [
        ("dict_config.py", "invoicing", 4),
        ("file_config.py", "orders", 1),
        ("cron_job.py", "nightly", 1),
        ("structlog_app.py", "deliveries", 1),
    ],
)
def test_plain_programs(tocsin: ExamplesDaemon, program: str, service: str, processes: int) -> None:
    (command,) = commands(EXAMPLES / program)
    tocsin.run(*command)
    assert tocsin.counts(service, {"acme": 20}), tocsin.clients(service)
    assert list(tocsin.logged_by(service).values()) == [20 // processes] * processes


def test_a_child_of_multiprocessing_says_goodbye(alone: ExamplesDaemon) -> None:
    alone.run("python", "dict_config.py")
    assert until(lambda: alone.ended("invoicing"))


def test_what_structlog_binds_is_kept(tocsin: ExamplesDaemon) -> None:
    tocsin.run("python", "structlog_app.py")
    assert until(lambda: tocsin.events("deliveries"))
    assert {"van", "parcel"} <= (tocsin.events("deliveries")[0].context or {}).keys()


def test_celery_with_recycled_processes(tocsin: ExamplesDaemon) -> None:
    (command, _) = commands(EXAMPLES / "celery_app.py")
    recycling = ("--concurrency", "4", "--max-tasks-per-child", "5")
    with tocsin.serving(*command, *recycling, end=signal.SIGKILL) as worker:
        assert worker.says("ready"), worker.said()
        tasks = "[task.delay('acme', n) for task in (invoice, reminder) for n in range(10)]"
        tocsin.run("python", "-c", f"from celery_app import invoice, reminder; {tasks}")
        assert until(lambda: tocsin.clients("invoices") == {"acme": 20}), worker.said()
        assert sum(tocsin.logged_by("invoices").values()) == 20
        assert len(tocsin.logged_by("invoices")) >= 4
        recycled = {pid for pid, events in tocsin.logged_by("invoices").items() if events == 5}
        assert recycled
        assert until(lambda: recycled <= tocsin.ended("invoices"))
    assert {event.logger for event in tocsin.events("invoices")} == {"celery.app.trace", "celery_app"}


def test_apscheduler(tocsin: ExamplesDaemon) -> None:
    (command,) = commands(EXAMPLES / "apscheduler_jobs.py")
    with tocsin.serving(*command, end=signal.SIGINT) as scheduler:
        assert until(lambda: tocsin.clients("tanks") == {"acme": 20}), scheduler.said()
    assert {event.logger for event in tocsin.events("tanks")} == {"apscheduler.executors.default"}


def test_two_kernels_run_a_notebook(tocsin: ExamplesDaemon) -> None:
    (command,) = commands(EXAMPLES / "notebook.ipynb")
    running = [
        subprocess.Popen([*command, "--output", f"done-{n}"], cwd=tocsin.examples, env=tocsin.environ)
        for n in range(2)
    ]
    assert [process.wait(90) for process in running] == [0, 0]
    assert tocsin.counts("analysis", {"acme": 20}), tocsin.clients("analysis")
    assert list(tocsin.logged_by("analysis").values()) == [10, 10]
