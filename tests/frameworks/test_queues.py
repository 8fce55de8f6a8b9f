"""Workers of queues with a real Redis: 20 errors of all their processes, 20 counted, also of one that was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest
from support.example_programs import EXAMPLES, ExamplesDaemon, commands
from support.running import until


@pytest.fixture
def queues(alone: ExamplesDaemon) -> ExamplesDaemon:
    """With a Redis for the programs, on a socket of its own."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no Redis on this machine: apt-get install redis-server")
    socket = alone.place / "redis"
    alone.more["REDIS_URL"] = f"unix://{socket}"
    command = [server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", alone.place]
    process = subprocess.Popen(command, stdout=alone.log, stderr=alone.log)
    try:
        assert until(socket.exists)
        yield alone
    finally:
        process.kill()
        process.wait(10)


def test_rq_with_a_worker_killed(queues: ExamplesDaemon) -> None:
    (pool, _) = commands(EXAMPLES / "rq_settings.py")
    add = "from redis import Redis; from rq import Queue; import os, sys\n"
    add += "queue = Queue(connection=Redis.from_url(os.environ['REDIS_URL']))\n"
    add += "for parcel in range(20): queue.enqueue('rq_jobs.pack', 'acme', parcel)"
    with queues.serving(*pool[:-1], "4") as workers:
        assert workers.says("*** Listening on", 4), workers.said()
        queues.run("python", "-c", add)
        assert workers.says("KeyError", 20), workers.said()
        os.kill(workers.children()[0], signal.SIGKILL)
        assert queues.counts("packing", {"acme": 20}), queues.clients("packing")
    assert {event.logger for event in queues.events("packing")} == {"rq.worker"}
    assert list(queues.logged_by("packing").values()) == [1] * 20


def test_dramatiq_with_a_worker_killed(queues: ExamplesDaemon) -> None:
    (command, _) = commands(EXAMPLES / "dramatiq_tasks.py")
    with queues.serving(command[0], "--processes", "4", *command[3:]) as workers:
        assert workers.says("Worker process is ready for action", 4), workers.said()
        queues.run(
            "python", "-c", "from dramatiq_tasks import weigh\nfor n in range(20): weigh.send('acme', n)"
        )
        assert workers.says("KeyError", 20), workers.said()
        # All processes end with one that was killed.
        os.kill(workers.children()[-1], signal.SIGKILL)
    assert queues.counts("scales", {"acme": 20}), queues.clients("scales")
    assert {event.logger for event in queues.events("scales")} == {"dramatiq.worker.WorkerThread"}
