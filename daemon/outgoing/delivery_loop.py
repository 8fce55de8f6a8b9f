"""A thread that takes what must be sent out of the outbox, one after the other, and has it brought on its way.

Knows neither mail servers nor chats: its subclasses do. One bad message never keeps the next one waiting; a
server that is away keeps all of its messages waiting, and is asked again only now and then.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.rendering import MailError
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.runtime.liveness import Beat
from tocsin.daemon.store import outbox, tickets
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Mail

LOOK_EVERY = 0.5
"""Seconds between two looks at an outbox that had nothing to send."""
FIRST_PAUSE = 60.0
LAST_PAUSE = 300.0
"""How long a broken server is left alone; it is no message's fault, so this does not grow to hours."""


class DeliveryLoop(ABC):
    """Sends the outbox's mails, or the messages of the channel of that name."""

    noun = "mail"
    """What its log lines call a message: `mail_sent`."""

    def __init__(
        self, store: Store, templates: Templates, per_hour: int, log: Any = None, channel: str | None = None
    ) -> None:
        self.store = store
        self.templates = templates
        self.per_hour = per_hour
        self.channel = channel
        self.log = log or structlog.get_logger()
        self._paused_until = 0.0
        self._pause = 0.0

    def ready(self) -> bool:
        """Whether there is a server to send to."""
        return True

    @abstractmethod
    def deliver(self, row: Mail, root: Mail | None, now: float) -> None:
        """Composes a message and hands it over; `root` is its conversation's first one.

        Raises MailError when it cannot be written, SendError when it was not taken.
        """

    @abstractmethod
    def idle(self, now: float) -> None:
        """There was nothing to send."""

    @abstractmethod
    def close(self) -> None:
        """Ends the connection, if there is one."""

    def run(self, stop: threading.Event, now: Callable[[], float], beat: Beat = lambda: None) -> None:
        """Sends until `stop` is set, calling `beat` at every turn.

        What fails is logged and tried again: the thread never dies of it.
        """
        self._guarded(self.recover)
        try:
            while not stop.is_set():
                beat()
                if not self._guarded(lambda: self.step(now())):
                    self.idle(now())
                    stop.wait(LOOK_EVERY)
        finally:
            self.close()
            self.store.disconnect()

    def step(self, now: float) -> bool:
        """Leases, composes and sends one message; returns whether there may be more to do at once.

        A bad one is marked and never raises; what the database raises passes through.
        """
        # Bounded both ways: a wall clock put back must not make the pause longer.
        if not self.ready() or 0 < self._paused_until - now <= LAST_PAUSE:
            return False
        with self.store.transaction():
            rows = outbox.lease(now, self.per_hour, postgres=self.store.postgres, channel=self.channel)
            if not rows:
                return False
            row = rows[0] if len(rows) == 1 else self._fold(rows, now)
            root = outbox.thread_root(row)
        try:
            self.deliver(row, root, now)
        except MailError as error:
            self._give_up(row, error.text, now)
            return True
        except SendError as error:
            return self._failed(row, error, now)
        self._pause = 0.0
        with self.store.transaction():
            outbox.mark_sent(row.id, now)
            tickets.record_mails(f"{self._action}_sent", _notified(row), now)
        self._log("info", "sent", row, recipient=row.recipient)
        return True

    def recover(self) -> bool:
        """Frees what a killed daemon had leased; not on Postgres, where another daemon may hold it."""
        if self.store.postgres:
            return False
        with self.store.transaction():
            return outbox.unlease(self.channel) > 0

    @property
    def _action(self) -> str:
        """How a ticket's history names it."""
        return "email" if self.channel is None else "channel"

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:  # a database that is away, say: the next look may succeed
            self.log.error("courier_failed", error=f"{type(error).__name__}: {error}")
            self.close()
            self.store.disconnect()
            return False

    def _fold(self, rows: list[Mail], now: float) -> Mail:
        """One digest of messages that are too many for the hour."""
        items: list[dict[str, Any]] = []
        total = 0
        for row in rows:
            if row.kind == "digest":
                items += row.facts.get("mails", [])
                total += int(row.facts.get("total", 0))
                continue
            total += 1
            if len(items) < mail.DIGEST_LIMIT:
                items.append(self._item(row))
        self.log.info("mails_folded", recipient=rows[0].recipient, mails=total)
        return outbox.fold(rows, items[: mail.DIGEST_LIMIT], total, now)

    def _item(self, row: Mail) -> dict[str, Any]:
        try:
            return mail.digest_item(row, self.templates)
        except MailError as error:
            self._log("error", "not_written", row, reason=str(error))
            return {
                "kind": row.kind,
                "subject": row.kind,
                "ticket_id": row.ticket_id,
                "created_at": row.created_at,
            }

    def _failed(self, row: Mail, error: SendError, now: float) -> bool:
        self.close()
        self._again(
            row, Reason.joined(error.text, error.remedy), error.permanent, now, uncertain=error.uncertain
        )
        self._log(
            "warning", "not_sent", row, recipient=row.recipient, reason=str(error), remedy=error.remedy,
            permanent=error.permanent,
        )  # fmt: skip
        if not error.server:
            return True
        self._pause = min(LAST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._paused_until = now + self._pause
        return False

    def _give_up(self, row: Mail, reason: Reason, now: float) -> None:
        self._again(row, reason, True, now)
        self._log("error", "not_written", row, reason=reason)

    def _again(
        self, row: Mail, reason: Reason, permanent: bool, now: float, *, uncertain: bool = False
    ) -> None:
        """Notes a failure; a message that is given up shows in its ticket's history."""
        with self.store.transaction():
            if outbox.mark_retry(row.id, reason, permanent, now, uncertain=uncertain):
                failed = (
                    (ticket, {**facts, "reason": reason, "reason_parts": reason.stored})
                    for ticket, facts in _notified(row)
                )
                tickets.record_mails(f"{self._action}_failed", failed, now)

    def _log(self, level: str, what: str, row: Mail, **more: Any) -> None:
        getattr(self.log, level)(
            f"{self.noun}_{what}", mail=row.id, kind=row.kind, ticket=row.ticket_id, **more
        )


def _notified(row: Mail) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tickets a message speaks of, each with what its history says of it."""
    facts = {"kind": row.kind, "audience": row.audience, "recipient": row.recipient, "digest": False}
    if row.ticket_id is not None:
        yield row.ticket_id, facts
    for item in row.facts.get("mails", ()) if row.kind == "digest" else ():
        if isinstance(item.get("ticket_id"), int):
            yield item["ticket_id"], {**facts, "kind": str(item.get("kind")), "digest": True}
