"""A session of this process as it stands open: its files, its memory, its shipper; opened and let go as one."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import sys
import uuid

from tocsin.handler import paths, process, program
from tocsin.handler.capture.values import clean
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header
from tocsin.handler.settings import Settings
from tocsin.handler.shipping.adoption import places_of
from tocsin.handler.shipping.connection import is_key
from tocsin.handler.shipping.shipper import Shipper, Work
from tocsin.handler.spool.files import Spool, Unusable
from tocsin.handler.spool.losses import Losses, Tally
from tocsin.handler.spool.memory import Memory
from tocsin.handler.spool.quota import Quota
from tocsin.handler.spool.recent_events import RecentEvents

BEGAN = process.wall()
"""When this program's code began to be loaded; a forked child runs its parent's code."""
_PYTHON = platform.python_version()


class Session:
    """What a destination writes to. It belongs to the process that opened it."""

    __slots__ = ("losses", "memory", "pid", "quota", "recent", "restart_at", "retry_at", "shipper", "spool")

    def __init__(
        self, settings: Settings, header: Header, spool: Spool | None, alive: process.Flag, failed: Tally
    ) -> None:
        self.pid = os.getpid()
        spare = header if spool is None else describe(settings)
        self.spool = spool
        self.losses = Losses(spool, failed)
        self.memory = Memory(spare, places_of(spare, live=True), self.losses.unwritable)
        directory = spool.directory if spool is not None else settings.spool
        self.quota = Quota(directory, settings.spool_limit, self.losses.expect_drops)
        work = Work(settings, header, spool, self.memory, self.quota, self.losses)
        self.shipper = Shipper(work, alive, settings.heartbeat / 2)
        self.recent = RecentEvents()
        self.retry_at = 0.0
        """Until when a file that could not be written is left alone."""
        self.restart_at = 0.0
        """Until when a thread that could not be started is not tried again."""

    @property
    def mine(self) -> bool:
        """This process has opened it, and it has not ended."""
        return self.pid == os.getpid() and not self.shipper.ended

    def await_acknowledged(self, seconds: float, unanswered: float) -> bool:
        """Waits until all so far is acknowledged: at most `seconds`, or `unanswered` when no daemon answers."""
        if not self.mine:
            return True
        shipper = self.shipper
        if not shipper.running:
            return False
        ticket = shipper.ask()
        begun = process.monotonic()

        def over() -> bool:
            silent = process.monotonic() - begun >= unanswered and not shipper.work.talk.answering
            return silent or not shipper.running or shipper.settled(ticket)

        process.wait(seconds, over)
        return shipper.settled(ticket)

    def detach(self) -> None:
        """In a forked child: lets go of what is the parent's, without a trace in its files."""
        with contextlib.suppress(Exception):
            self.shipper.detach()
        if self.spool is not None:
            with contextlib.suppress(Exception):
                self.spool.detach()


def describe(settings: Settings) -> Header:
    """The header of a new session of this process."""
    me = process.identity()
    runs = program.running(settings.scrub, settings.key)
    return Header(
        version=wire.VERSION,
        session=uuid.uuid4().hex,
        segment=0,
        service=clean(settings.service),
        release=settings.release and clean(settings.release),
        environment=settings.environment and clean(settings.environment),
        host=clean(socket.gethostname()),
        pid=me.pid,
        python=_PYTHON,
        started_at=BEGAN,
        written_at=process.wall(),
        interval=settings.heartbeat,
        endpoints=tuple(map(clean, settings.endpoints)),
        server_key=settings.server_key and clean(settings.server_key),
        # A secret key itself is neither written to disk nor sent; who adopts the file has one of its own.
        key_file=None if settings.key is None or is_key(settings.key) else clean(settings.key),
        in_app=tuple(map(clean, settings.in_app)),
        not_in_app=tuple(map(clean, settings.not_in_app)),
        # At the very end of a program the interpreter has taken sys.path away.
        sys_path=tuple(clean(entry) for entry in sys.path or () if isinstance(entry, str))[:100],
        scrub=tuple(map(clean, settings.scrub)),
        machine=me.machine,
        boot=me.boot,
        namespace=me.namespace,
        born=me.born,
        program=runs.name,
        role=runs.role,
        arguments=runs.arguments,
    )


def open_spool(settings: Settings, header: Header) -> Spool | str:
    """The files of a new session, or why there are none.

    A user without a home of its own has another directory for the default one.
    """
    directories = [settings.spool]
    if not settings.spool_given:
        directories.append(str(paths.homeless_directory() / "spool"))
    reason = ""
    for directory in directories:
        try:
            return Spool(directory, header, sync=settings.durability == "fsync")
        except Unusable as error:
            reason = reason or str(error)
        except OSError as error:
            reason = reason or f"{directory}: {error.strerror}"
    return reason
