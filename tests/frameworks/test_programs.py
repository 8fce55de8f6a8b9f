"""Programs without requests: 20 errors of all their threads or processes, 20 counted, each its client's."""

from __future__ import annotations

import signal
import subprocess

import nbformat
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


POOL = """
import logging, multiprocessing, os, signal, sys, time
from tocsin.handler import TocsinHandler

logging.basicConfig(handlers=[TocsinHandler(service="pooled " + sys.argv[1], client="acme")])


def work(number):
    logging.error("item %d", number)
    if number == 19:
        open("killed " + sys.argv[1], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(4, maxtasksperchild=2) as pool:
        pool.map(work, range(19), chunksize=1)
        pool.apply_async(work, [19])
        while not os.path.exists("killed " + sys.argv[1]):
            time.sleep(0.01)  # Polls
"""


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_a_pool_that_renews_its_processes_with_one_killed(tocsin: ExamplesDaemon, start: str) -> None:
    (tocsin.examples / "pooled.py").write_text(POOL)
    tocsin.run("python", "pooled.py", start)
    assert tocsin.counts(f"pooled {start}", {"acme": 20}), tocsin.clients(f"pooled {start}")
    assert len(tocsin.logged_by(f"pooled {start}")) >= 10
    assert max(tocsin.logged_by(f"pooled {start}").values()) <= 2


RESTARTED = """
import logging, os, sys
from tocsin.handler import TocsinHandler

logging.basicConfig(handlers=[TocsinHandler(service="restarted", client="acme")])
turn = int(sys.argv[1])
for number in range(5):
    logging.error("turn %d, error %d", turn, number)
if turn < 3:
    os.execv(sys.executable, [sys.executable, sys.argv[0], str(turn + 1)])
"""


def test_a_program_that_executes_itself_again(tocsin: ExamplesDaemon) -> None:
    (tocsin.examples / "restarted.py").write_text(RESTARTED)
    tocsin.run("python", "restarted.py", "0")
    assert tocsin.counts("restarted", {"acme": 20}), tocsin.clients("restarted")
    assert list(tocsin.logged_by("restarted").values()) == [20]


CELLS = (
    "import logging, os, signal\nfrom concurrent.futures import ProcessPoolExecutor\n"
    "from tocsin.handler import TocsinHandler\n"
    'logging.basicConfig(handlers=[TocsinHandler(service="pool of a kernel", client="acme")])',
    'def measure(number):\n    logging.error("tank %d", number)\n    return os.getpid()',
    "with ProcessPoolExecutor(4) as pool:\n    print(len(set(pool.map(measure, range(19)))))",
    "def die():\n    measure(19)\n    os.kill(os.getpid(), signal.SIGKILL)",
    "with ProcessPoolExecutor(1) as pool:\n    print(pool.submit(die).exception())",
)
"""Of a notebook."""


def test_a_pool_of_processes_under_jupyter_with_one_killed(tocsin: ExamplesDaemon) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbformat.write(notebook, tocsin.examples / "pool.ipynb")
    tocsin.run("jupyter", "execute", "pool.ipynb")
    assert tocsin.counts("pool of a kernel", {"acme": 20}), tocsin.clients("pool of a kernel")
    assert 1 < len(tocsin.logged_by("pool of a kernel")) <= 5
