"""Runs on their whole way: a real application counts what a real daemon has named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import Daemon, short_place, until

from tocsin.daemon.store import runs
from tocsin.daemon.store.database import Store, open_store

APPLICATION = Path(__file__).parents[1] / "support" / "logging_app.py"
CONFIGURATION = """\
[daemon]
listen = ["{endpoint}"]
state_dir = "{place}/state"
[database]
url = "{url}"
[tickets]
threshold = 1
"""


class Scene:
    """A daemon, and an application that sells tea all the time, and coffee, which it has not, when it is told to."""

    def __init__(self, place: Path) -> None:
        url = f"sqlite:///{place}/tocsin.db"
        self.daemon = Daemon(place)
        text = CONFIGURATION.format(endpoint=self.daemon.endpoint, place=place, url=url)
        (place / "tocsin.toml").write_text(text)
        self.daemon.up()
        self.store: Store = open_store(url, migrate=False)
        self.app = subprocess.Popen(
            [sys.executable, str(APPLICATION), "shop"],
            env=self.daemon.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, word: str) -> None:
        assert self.app.stdin is not None
        assert self.app.stdout is not None
        self.app.stdin.write(word + "\n")
        self.app.stdin.flush()
        assert self.app.stdout.readline() == "done\n"

    def counted(self) -> tuple[str, int, int, int]:
        """The function, its runs before the present silence and since, and the failures among the former."""
        with self.store.reading():
            named, counted = runs.functions([1]).get(1, []), runs.counted([1])
        for row in named[:1]:
            own = counted.get((1, row.caller), [])
            before, failed = sum(one.before for one in own), sum(one.failed for one in own)
            return f"{row.module}.{row.name}", before, sum(one.begun for one in own) - before, failed
        return "", 0, 0, 0

    def close(self) -> None:
        self.app.kill()
        self.app.communicate()
        self.store.close()
        self.daemon.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with short_place() as place:
        scene = Scene(place)
        try:
            yield scene
        finally:
            scene.close()


def test_an_applications_runs_are_counted_before_and_since_its_error(scene: Scene) -> None:
    scene.tell("one")
    assert until(lambda: scene.counted()[2] > 3), scene.counted()
    assert scene.counted()[0] == "__main__.sell"
    scene.tell("one")
    assert until(lambda: scene.counted()[3] == 1), scene.counted()
    _, before, since, _ = scene.counted()
    assert before > 3
    assert until(lambda: scene.counted()[2] > since), scene.counted()


def test_a_daemon_that_was_killed_counts_no_run_twice(scene: Scene) -> None:
    scene.tell("one")
    assert until(lambda: scene.counted()[2] > 3), scene.counted()
    scene.daemon.kill()
    sold = sum(scene.counted()[1:3])
    scene.daemon.up()
    assert until(lambda: sum(scene.counted()[1:3]) > sold), scene.counted()
    # It sells five times a second: were a total added again, it would show at once.
    assert sum(scene.counted()[1:3]) < 2 * sold + 50
