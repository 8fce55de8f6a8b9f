"""What systemd is told, and when its watchdog goes hungry. Real sockets, a real daemon, real threads."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.daemon_process import DaemonProcess
from support.waiting import short_place, until

from tocsin.daemon.runtime.liveness import ThreadLiveness
from tocsin.daemon.runtime.notify import notify, watchdog_interval
from tocsin.daemon.runtime.watchdog import Watchdog


class Systemd:
    """The other side of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)

    def hears(self, word: str) -> bool:
        def listen() -> bool:
            with contextlib.suppress(TimeoutError):
                self.heard += self._socket.recv(4096).decode().splitlines()
            return word in self.heard

        return until(listen)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with short_place() as place:
        systemd = Systemd(place / "notify")
        yield systemd
        systemd.close()


def test_words_reach_the_socket_that_systemd_named(systemd: Systemd) -> None:
    assert notify("READY=1", "STATUS=up", environ={"NOTIFY_SOCKET": str(systemd.path)})
    assert systemd.hears("READY=1")
    assert "STATUS=up" in systemd.heard


@pytest.mark.parametrize("address", ["", "nonsense", "/no/such/socket"])
def test_without_systemd_nothing_is_said_and_nothing_breaks(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})


def test_the_watchdogs_interval_is_for_the_named_process_only() -> None:
    assert watchdog_interval(7, {"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}) == 10.0
    assert watchdog_interval(8, {"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}) is None
    assert watchdog_interval(7, {}) is None


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_watchdog_is_fed_while_every_loop_comes_round() -> None:
    time = Time()
    pulses = ThreadLiveness(time)
    beats = [pulses.beat(name) for name in ("intake", "courier")]
    watchdog = Watchdog(pulses, 10.0)
    for _ in range(20):
        time.now += 5.0
        for beat in beats:
            beat()
        assert watchdog.feed()


def test_one_silent_loop_is_enough_to_starve_it_and_is_named_once_with_its_stack() -> None:
    time = Time()
    pulses = ThreadLiveness(time)
    intake, release = pulses.beat("intake"), threading.Event()
    pulses.beat("courier")
    stuck = threading.Thread(target=release.wait, name="courier")
    stuck.start()
    watchdog = Watchdog(pulses, 10.0)
    time.now = 11.0
    intake()
    with capture_logs() as log:
        assert not watchdog.feed()
        assert not watchdog.feed()
    release.set()
    stuck.join()
    assert [entry["threads"] for entry in log] == [["courier"]]
    assert "in wait" in log[0]["where"]["courier"]


def test_a_loop_that_comes_round_again_is_fed_again() -> None:
    time = Time()
    pulses = ThreadLiveness(time)
    beat = pulses.beat("intake")
    watchdog = Watchdog(pulses, 10.0)
    time.now = 11.0
    assert not watchdog.feed()
    beat()
    assert watchdog.feed()


def test_the_daemon_tells_systemd_that_it_is_ready_well_reloaded_and_stopping(systemd: Systemd) -> None:
    place = systemd.path.parent
    daemon = DaemonProcess(place, f'[daemon]\nlisten = ["ipc://{place}/s"]\nstate_dir = "{place}/state"\n')
    with contextlib.closing(daemon.start(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="2000000")):
        process = daemon.process
        assert process is not None
        for word, number in (("READY=1", 0), ("WATCHDOG=1", signal.SIGHUP), ("RELOADING=1", signal.SIGTERM)):
            assert systemd.hears(word), systemd.heard
            process.send_signal(number)
        assert systemd.hears("STOPPING=1")
        assert process.wait(30) == 0
