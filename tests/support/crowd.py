"""Workers of one daemon, and whether each record whose call returned was counted once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from support.killed import KillAt
from support.running import Daemon, unbalanced, until
from tocsin.handler import TocsinHandler

WORKER = Path(__file__).parent.parent / "delivery" / "worker.py"


class Crowd:
    """Workers of one daemon, and what their journals say returned."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.started = 0
        self.living: list[subprocess.Popen[bytes]] = []

    def start(self, threads: int = 2, **environ: str) -> subprocess.Popen[bytes]:
        self.started += 1
        name = f"w{self.started}"
        journal = self.daemon.place / f"{name}.journal"
        command = [sys.executable, WORKER, journal, name, str(threads)]
        environ = {**self.daemon.environ, **environ}
        worker = subprocess.Popen(command, env=environ, stderr=self.daemon.log)
        self.living.append(worker)
        return worker

    def die_at(self, *points: str) -> None:
        """Starts a worker for each of the points and waits until all have died there."""
        kills = {point: KillAt(point, self.daemon.place / point) for point in points}
        workers = {point: self.start(**kill.environ) for point, kill in kills.items()}
        assert until(lambda: all(worker.poll() is not None for worker in workers.values())), workers
        for point, worker in workers.items():
            kills[point].check(worker.returncode)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait(30)
        self.living.remove(worker)

    def end(self) -> None:
        for worker in list(self.living):
            self.kill(worker)

    def returned(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for journal in self.daemon.place.glob("*.journal"):
            counted.update(journal.read_text().split("\n")[:-1])
        return counted

    def size(self) -> int:
        return sum(journal.stat().st_size for journal in self.daemon.place.glob("*.journal"))


def keeper(daemon: Daemon) -> TocsinHandler:
    """The next start of anything of that user: adopts what the dead have left."""
    return TocsinHandler(daemon.endpoint, "keeper", spool=daemon.spool, heartbeat=1.0)


def left(daemon: Daemon, handler: TocsinHandler) -> list[str]:
    """Files in the spool but the living one's own."""
    handler.destination.begin()
    session = handler.destination._session
    own = session.spool.header.session if session and session.spool else ""
    return [name for name in os.listdir(daemon.spool) if not name.startswith(own)]


def settle(crowd: Crowd, patience: float = 60.0) -> None:
    """All is shipped: what returned was counted once, nothing was lost, and no file is left.

    `patience`: seconds after which one more of the files that the dead have left must be gone.
    """
    daemon = crowd.daemon
    returned = crowd.returned()
    handler = keeper(daemon)
    try:
        while files := len(left(daemon, handler)):
            assert until(lambda files=files: len(left(daemon, handler)) < files, patience), files
    finally:
        handler.close()
        handler.destination.finish(5)
    assert returned
    assert unbalanced(returned, daemon.counted()) == {}
    assert (daemon.lost(), daemon.quarantined()) == ({}, 0)
    assert os.listdir(daemon.spool) == []
