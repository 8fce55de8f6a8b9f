"""What an admin is shown beside counts: clocks that differ, and messages that were no handler's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.peer import peer
from support.running import Daemon, short_place, until
from support.world import SETTINGS, World

from tocsin.daemon import queries
from tocsin.daemon.config_file import find
from tocsin.daemon.store import sessions
from tocsin.daemon.store.database import Store
from tocsin.reports.writer import ReportWriter


def shown(world: World, place: Path, language: str) -> str:
    """The monitoring page."""
    world.configure({**SETTINGS, "report": {"dir": str(place), "language": language}})
    ReportWriter(world.store, world.config).write(world.now)
    return (place / "admin" / "index.html").read_text()


@pytest.mark.parametrize(
    ("language", "told", "beside"),
    [
        ("en", "The clock of web1 is +300 s off", "clock +300 s"),
        ("fr", "horloge de web1 est décalée de +300 s", "horloge +300 s"),
    ],
)
def test_a_clock_that_is_off_is_shown_with_its_remedy(
    world: World, tmp_path: Path, language: str, told: str, beside: str
) -> None:
    app = world.app(clock=300.0)
    app.fail(3)
    status = queries.status(world.store, world.config, world.now)
    assert [one.clock_offset for one in status.sessions] == [-300.0]
    assert json.loads(queries.to_json(status))["sessions"][0]["clock_offset"] == -300.0
    page = shown(world, tmp_path, language)
    assert told in page.replace("&#39;", "'")
    assert beside in page


def test_a_clock_that_is_right_is_not_spoken_of(world: World, tmp_path: Path) -> None:
    world.app(clock=0.4).fail(3)
    assert queries.status(world.store, world.config, world.now).sessions[0].clock_offset == 0.0
    assert "clock " not in shown(world, tmp_path, "en")


def test_messages_that_are_no_handlers_are_counted_across_daemons() -> None:
    with short_place() as place:
        daemon = Daemon(place)
        with (place / "tocsin.toml").open("a") as file:
            file.write('[watch]\nevery = "1s"\n')
        for total in (2, 4):
            daemon.up()
            with peer(daemon.endpoint) as stranger:
                assert stranger.accepted(30)
                stranger.socket.send(b"GET / HTTP/1.1")
                stranger.socket.send(b"")
                assert until(lambda total=total: status(daemon)["dropped"] == total)  # type: ignore[misc]
            daemon.kill()
        daemon.close()


def status(daemon: Daemon) -> Any:
    command = [sys.executable, "-m", "tocsin.daemon", "--config", str(daemon.place / "tocsin.toml")]
    done = subprocess.run([*command, "status", "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def test_what_was_dropped_is_shown_on_the_page_and_not_as_a_task(store: Store, tmp_path: Path) -> None:
    world = World(store)
    with store.transaction():
        sessions.add_dropped(store, 1)
        sessions.add_dropped(store, 2)
    assert queries.status(store, world.config, world.now).dropped == 3
    page = shown(world, tmp_path, "fr")
    assert "3 messages rejetés" in page


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_who_stands_in_anothers_directory_finds_the_systems_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.chdir(private)
    os.seteuid(65534)
    try:
        found = find(None, {})
    finally:
        os.seteuid(0)
    assert found.path in (None, Path("/etc/tocsin/tocsin.toml"))
