"""The running daemon: opens, builds, connects the parts, runs them until a signal, stops in order."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import structlog

from tocsin.daemon import config_channels, config_file
from tocsin.daemon.config import Config
from tocsin.daemon.ingest.digest import Digest
from tocsin.daemon.ingest.digest_thread import DigestThread
from tocsin.daemon.ingest.exchange import Exchange
from tocsin.daemon.ingest.intake import Intake, IntakeError
from tocsin.daemon.ingest.zap import Gate, gate_for
from tocsin.daemon.operations import folding, prometheus, weekly
from tocsin.daemon.operations.folding import Folding
from tocsin.daemon.operations.retention import Retention
from tocsin.daemon.operations.weekly import WeeklyReport
from tocsin.daemon.outgoing import alarm
from tocsin.daemon.outgoing.channel_courier import ChannelCourier
from tocsin.daemon.outgoing.courier import Courier
from tocsin.daemon.outgoing.delivery_loop import DeliveryLoop
from tocsin.daemon.runtime import clock, leader, process
from tocsin.daemon.runtime.clock import Job
from tocsin.daemon.runtime.console_process import ConsoleProcess, command, is_installed
from tocsin.daemon.runtime.liveness import Beat, ThreadLiveness
from tocsin.daemon.runtime.notify import notify, watchdog_interval
from tocsin.daemon.runtime.watchdog import Watchdog
from tocsin.daemon.settings import Channel
from tocsin.daemon.store import sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import BACKUPS, Store, StoreError, claim, open_store, upgrade
from tocsin.daemon.store.models import Run
from tocsin.daemon.tickets import reminders
from tocsin.daemon.tickets.reminders import Reminders
from tocsin.daemon.tickets.watch import LAST_CHECK, WatchSweep
from tocsin.reports.writer import ReportWriter

TICK = 5.0
"""Seconds between two notes that the daemon is up, at most; never fewer notes than rounds."""
DAY = 86400.0
STOP_WITHIN = 10.0
"""Seconds the threads get to end after the signal, together."""
DUTIES = ("courier", "clock-round", "clock-report", "clock-reminders", "clock-weekly", "clock-folding",
          "clock-retention")  # fmt: skip
"""Names of the loops that only the leading daemon runs, beside one for each channel."""
PAGES_WITHIN = 1.0
"""Seconds of writing pages in one go; the rest waits for the next, so that ingest keeps the processor."""

log = structlog.get_logger()


class _Ingest:
    """From the socket to the database: two threads, and what stands between them."""

    def __init__(self, config: Config, store: Store, gate: Gate | None) -> None:
        """Raises IntakeError."""
        self.intake = Intake(config.daemon.listen, config.daemon.socket_group, gate)
        self._exchange = Exchange()
        self._digest = DigestThread(self._exchange, Digest(store, config).handle, clock.now)

    def loops(self, stop: threading.Event, beat: Callable[[str], Beat]) -> list[threading.Thread]:
        """The two threads, not started."""
        served, digest = (stop, self._exchange, beat("intake")), (stop, beat("digest"))
        return [
            threading.Thread(target=self.intake.serve, args=served, name="intake"),
            threading.Thread(target=self._digest.serve, args=digest, name="digest"),
        ]

    def check(self) -> None:
        """Raises IntakeError where one of the threads has ended before it was asked to."""
        if self.intake.failure is not None:
            raise self.intake.failure
        if self._digest.failure:
            raise IntakeError(self._digest.failure)

    def close(self) -> None:
        self.intake.close()
        self._exchange.close()


class _Life:
    """The row that says the daemon is up, and what it has dropped meanwhile."""

    def __init__(self, store: Store, intake: Intake, now: float) -> None:
        self._store = store
        self._intake = intake
        self._dropped = 0
        with store.transaction():
            self._run: Run = sessions.begin_run(socket.gethostname(), os.getpid(), now)

    def tick(self, now: float) -> None:
        with self._store.transaction():
            self._run = sessions.continue_run(self._run, now)
            if new := self._intake.malformed - self._dropped:
                sessions.add_dropped(self._store, new)
        self._dropped += new

    def end(self, now: float) -> None:
        with self._store.transaction():
            sessions.end_run(self._run, now)


def run(config: Config, up: Callable[[Store], None], *, console: bool = True) -> None:
    """Runs the daemon until SIGTERM or SIGINT. `up` is called once when it listens; `console`: with one beside it.

    Raises ConfigError, StoreError or IntakeError when it cannot start; IntakeError when it has become deaf.
    """
    gate = gate_for(config.daemon)
    for channel in config.channel:
        config_channels.target(channel)
    process.prepare()
    _make_state_dir(config)
    store = open_store(config.database.url, migrate=False, made=False)
    lock = claim(store, config.state_dir)
    try:
        upgrade(store, config.state_dir / BACKUPS, clock.now())
        ingest = _Ingest(config, store, gate)
        _serve(config, store, ingest, up, console and bool(config.console.listen) and is_installed())
    finally:
        store.close()
        os.close(lock)


def _serve(config: Config, store: Store, ingest: _Ingest, up: Callable[[Store], None], console: bool) -> None:
    try:
        _introduce(store, config)
        life = _Life(store, ingest.intake, clock.now())
        stop = threading.Event()
        signals = _Signals()
        threads = _start(store, config, ingest, life, stop)
        if console:
            beside = ConsoleProcess(command(config.file))
            threads.append(threading.Thread(target=beside.serve, args=(stop,), name="console"))
            threads[-1].start()
        log.info("daemon_up", listen=config.daemon.listen, database=store.identity, pid=os.getpid())
        noted = _note_configuration(config)
        _remember_whom_to_tell(config)
        up(store)
        notify("READY=1", "STATUS=listening on " + " ".join(config.daemon.listen))
        signals.wait(stop, partial(_reload, ingest.intake))
        notify("STOPPING=1")
        _join(threads)
        life.end(clock.now())
        if noted is not None:
            os.close(noted)
        log.info("daemon_down")
        ingest.check()
    finally:
        ingest.close()


def _make_state_dir(config: Config) -> None:
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"daemon.state_dir = {str(config.state_dir)!r}: {error.strerror}; name one that can be made",
            permanent=True,
        ) from None


def _note_configuration(config: Config) -> int | None:
    """So that the user's commands find this daemon from whatever directory; held while it runs."""
    try:
        return config_file.note(config.file, config.daemon.state_dir)
    except OSError as error:
        log.warning("configuration_not_noted", reason=str(error))
        return None


def _remember_whom_to_tell(config: Config) -> None:
    """For the mail that says that this daemon has failed."""
    try:
        alarm.remember(config)
    except OSError as error:
        log.warning("alarm_not_prepared", reason=str(error))


def _introduce(store: Store, config: Config) -> None:
    """The clients of the configuration become rows, so that tickets and pages can name them."""
    with store.transaction():
        for client in config.client:
            rows.remember_client(client.id, client.name, client.email, client.language, client.timezone)


def _start(
    store: Store, config: Config, ingest: _Ingest, life: _Life, stop: threading.Event
) -> list[threading.Thread]:
    """What every daemon does; what only one may do is begun by whoever leads."""
    pulses = ThreadLiveness()
    beat = pulses.beat
    loops = [
        *ingest.loops(stop, beat),
        threading.Thread(
            target=leader.serve,
            args=(
                leader.Leader(store), stop, partial(_lead, store, config, pulses),
                partial(pulses.forget, _duties(config)), beat("leader"), STOP_WITHIN / 2,
            ),
            name="leader",
        ),
    ]  # fmt: skip
    for loop in loops:
        loop.start()
    jobs = [
        Job("tick", min(TICK, config.watch.every), life.tick),
        Job("prometheus", prometheus.EVERY, prometheus.Prometheus(store, config).write),
    ]
    started = [*loops, *(clock.start(job, stop, beat(f"clock-{job.name}")) for job in jobs)]
    if interval := watchdog_interval(os.getpid()):
        started.append(clock.start(Job("watchdog", interval / 4, Watchdog(pulses, interval).feed), stop))
    return started


def _lead(
    store: Store, config: Config, pulses: ThreadLiveness, over: threading.Event
) -> list[threading.Thread]:
    """The duties of the one daemon that leads, until the term is over."""
    last = rows.fact(LAST_CHECK)
    first = clock.remaining(config.watch.every, float(last) if last else None, clock.now())
    couriers: dict[str, DeliveryLoop] = {"courier": Courier(store, config)}
    for channel in config.channel:
        couriers[_channel_duty(channel)] = ChannelCourier(store, config, channel)
    jobs = [
        Job("round", config.watch.every, WatchSweep(store, config).run, first),
        Job("report", config.report.every, partial(ReportWriter(store, config).write, budget=PAGES_WITHIN)),
        Job("reminders", reminders.EVERY, Reminders(store, config).run, reminders.EVERY / 10),
        Job("weekly", weekly.EVERY, WeeklyReport(store, config).run),
        Job("folding", folding.EVERY, Folding(store).run),
        Job("retention", DAY, Retention(store, config.retention).run, DAY / 24),
    ]
    posts = [
        threading.Thread(target=one.run, args=(over, clock.now, pulses.beat(name)), name=name, daemon=True)
        for name, one in couriers.items()
    ]
    for post in posts:
        post.start()
    return [*posts, *(clock.start(job, over, pulses.beat(f"clock-{job.name}")) for job in jobs)]


def _channel_duty(channel: Channel) -> str:
    return f"channel-{channel.name}"


def _duties(config: Config) -> list[str]:
    return [*DUTIES, *map(_channel_duty, config.channel)]


def _join(threads: list[threading.Thread]) -> None:
    """Waits for the threads to end. One that hangs is left to the process's end: what counts is committed."""
    deadline = time.monotonic() + STOP_WITHIN
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _reload(intake: Intake) -> None:
    """SIGHUP: what can change without a restart, the clients' keys, is read again."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    intake.reload()
    log.info("reloaded")
    notify("READY=1")


class _Signals:
    """What was asked of the process. Set up before anybody is told that it is up; handlers only set flags."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._asked: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked.append(number)
        self._woken.set()

    def wait(self, stop: threading.Event, reload: Callable[[], None]) -> None:
        """Blocks until a signal asks to stop; SIGHUP asks to reload."""
        while not stop.is_set():
            # A thread that breaks sets `stop` too.
            self._woken.wait(1.0)
            self._woken.clear()
            while self._asked:
                if self._asked.pop(0) == signal.SIGHUP:
                    reload()
                else:
                    stop.set()
