"""The four ends of a watch, on a real daemon and real applications, a day shortened to seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import Daemon, short_place, until

from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import ErrorLog, History, Mail, Ticket, Watch

DAY = 2.0
CONFIGURATION = """\
[daemon]
listen = ["{endpoint}"]
state_dir = "{place}/state"
[database]
url = "{url}"
[tickets]
window = "60s"
[watch]
duration = "{day}s"
every = "0.2s"
unseen_after = "{unseen}s"
[mail]
admin = ["ops@tocsin.example"]
[report]
every = "1h"
"""


class App:
    """A process of the service `name`."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self.name = name
        program = Path(__file__).parents[1] / "support" / "logging_app.py"
        self._process = subprocess.Popen(
            [sys.executable, str(program), name],
            env=daemon.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def told(self, word: str) -> None:
        """Tells it something and waits until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def end(self) -> None:
        """It ends in order."""
        self._process.communicate(timeout=60)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


class Scene:
    """The daemon, the applications, and what the database says of their tickets."""

    def __init__(self, place: Path, url: str) -> None:
        self.daemon = Daemon(place)
        text = CONFIGURATION.format(
            endpoint=self.daemon.endpoint, place=place, url=url, day=DAY, unseen=DAY + 1
        )
        (place / "tocsin.toml").write_text(text)
        self.daemon.up()
        self.store: Store = open_store(url, migrate=False)
        self.apps: dict[str, App] = {}

    def start(self, *names: str) -> None:
        self.apps |= {name: App(self.daemon, name) for name in names}

    def ticket(self, name: str) -> Ticket | None:
        with self.store.reading():
            return Ticket.select().join(ErrorLog).where(ErrorLog.service == name).first()

    def status(self, name: str) -> str:
        found = self.ticket(name)
        return "none" if found is None else str(found.status)

    def history(self, name: str) -> list[str]:
        with self.store.reading():
            query = History.select().join(Ticket).join(ErrorLog).where(ErrorLog.service == name)
            return [row.action for row in query.order_by(History.id)]

    def error(self, name: str) -> ErrorLog:
        with self.store.reading():
            return ErrorLog.get(ErrorLog.service == name)

    def quiet_since(self, name: str) -> float:
        with self.store.reading():
            return float(Watch.get(Watch.error == self.error(name)).quiet_since)

    def close(self) -> None:
        for app in self.apps.values():
            app.kill()
        self.store.close()
        self.daemon.close()


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with short_place() as place:
        if request.param == "postgres":
            url = request.getfixturevalue("postgres_url")
        else:
            url = f"sqlite:///{place}/tocsin.db"
        scene = Scene(place, url)
        try:
            yield scene
        finally:
            scene.close()


def test_the_four_ends_of_a_watch(scene: Scene):
    scene.start("quiet", "back", "gone", "late")
    for name in ("back", "late", "gone", "quiet"):
        scene.apps[name].told("on")
    assert until(lambda: all(scene.status(name) == "open" for name in scene.apps))
    for name in ("gone", "quiet"):
        scene.apps[name].told("off")
    scene.apps["gone"].end()

    # Quiet, and seen: it closes by itself, with its evidence.
    assert until(lambda: scene.status("quiet") == "closed")
    ticket = scene.ticket("quiet")
    assert ticket is not None
    assert ticket.metadata["auto_closed"] is True
    assert ticket.metadata["watch"]["seen_seconds"] >= 0.9 * DAY
    assert ticket.closed_at - scene.error("quiet").last_seen >= DAY

    # It came back during its watch, as long as it liked; then it is quiet and closes; then it reopens.
    assert scene.status("back") == "open"
    assert "reappeared" in scene.history("back")
    scene.apps["back"].told("off")

    # Not seen: it stays open, and the admin is told once.
    assert until(lambda: "inconclusive" in scene.history("gone"))
    assert until(lambda: scene.status("back") == "closed")
    scene.apps["back"].told("one")
    assert until(lambda: scene.status("back") == "open")
    assert scene.history("back")[-2:] == ["reopened", "status_changed"]
    assert scene.status("gone") == "open"
    assert scene.history("gone").count("inconclusive") == 1
    with scene.store.reading():
        told = Mail.select().where((Mail.kind == "inconclusive") & (Mail.ticket == scene.ticket("gone")))
        assert told.count() == 1

    _daemon_down(scene)


def _daemon_down(scene: Scene) -> None:
    """The daemon is down for longer than a watch; an error that came meanwhile is told late."""
    late = scene.apps["late"]
    assert scene.status("late") == "open"
    scene.daemon.kill()
    late.told("off")
    before = scene.error("late").occurrences
    late.told("one")
    logged_at = time.time()
    assert until(lambda: time.time() > logged_at + 1.2 * DAY)
    back_at = time.time()
    scene.daemon.up()
    assert until(lambda: scene.error("late").occurrences > before)
    assert scene.status("late") == "open"
    assert until(lambda: abs(scene.quiet_since("late") - logged_at) < 1)
    assert until(lambda: scene.status("late") == "closed")
    ticket = scene.ticket("late")
    assert ticket is not None
    assert ticket.closed_at - back_at >= 0.9 * DAY
    assert ticket.metadata["watch"]["quiet_since"] == pytest.approx(logged_at, abs=1)
