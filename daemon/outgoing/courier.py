"""The courier: the one thread that takes mails out of the outbox and brings them to the mail server.

Decides neither what is mailed nor what a mail says. One bad mail never keeps the next one waiting; a
server that is away keeps them all waiting, and is asked again only now and then.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import structlog

from tocsin.daemon.config import Config
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.smtp import Connection, SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.runtime.liveness import Beat
from tocsin.daemon.store import outbox, tickets
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Mail
from tocsin.handler.failpoints import reach

LOOK_EVERY = 0.5
"""Seconds between two looks at an outbox that had nothing to send."""
IDLE_LIMIT = 20.0
"""Seconds a connection is kept open for the next mail."""
FIRST_PAUSE = 60.0
LAST_PAUSE = 300.0
"""How long a broken server is left alone; it is no mail's fault, so this does not grow to hours."""


class Courier:
    """Sends the outbox. `context`: certificates to trust in the mail server's place of the system's."""

    def __init__(
        self, store: Store, config: Config, log: Any = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.store = store
        self.config = config
        self.log = log or structlog.get_logger()
        self.templates = Templates(config.mail.templates)
        self._context = context
        self._connection: Connection | None = None
        self._used_at = 0.0
        self._paused_until = 0.0
        self._pause = 0.0

    def run(self, stop: threading.Event, now: Callable[[], float], beat: Beat = lambda: None) -> None:
        """Sends until `stop` is set, calling `beat` at every turn.

        What fails is logged and tried again: the thread never dies of it.
        """
        self._guarded(self.recover)
        try:
            while not stop.is_set():
                beat()
                if not self._guarded(lambda: self.step(now())):
                    self._close_idle(now())
                    stop.wait(LOOK_EVERY)
        finally:
            self.close()
            self.store.disconnect()

    def step(self, now: float) -> bool:
        """Leases, composes and sends one mail; returns whether there may be more to do at once.

        A bad mail is marked and never raises; what the database raises passes through.
        """
        # Bounded both ways: a wall clock put back must not make the pause longer.
        if self.config.smtp is None or 0 < self._paused_until - now <= LAST_PAUSE:
            return False
        with self.store.transaction():
            rows = outbox.take(now, self.config.mail.per_hour, postgres=self.store.postgres)
            if not rows:
                return False
            row = rows[0] if len(rows) == 1 else self._fold(rows, now)
            root = outbox.thread_root(row)
        sender = self.config.smtp.sender
        try:
            address = mail.mail_address(parseaddr(sender)[1])
        except mail.MailError as error:
            fault = SendError(str(error), phase="sender", remedy="Set SMTP_FROM to the sender's address")
            return self._failed(row, fault, now)
        try:
            message = mail.compose(row, sender=sender, root=root, now=now, templates=self.templates)
        except mail.MailError as error:
            self._give_up(row, str(error), now)
            return True
        return self._send(row, message, address, now)

    def recover(self) -> bool:
        """Frees what a killed daemon had leased; not on Postgres, where another daemon may hold it."""
        if self.store.postgres:
            return False
        with self.store.transaction():
            return outbox.unlease() > 0

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:  # a database that is away, say: the next look may succeed
            self.log.error("courier_failed", error=f"{type(error).__name__}: {error}")
            self.close()
            self.store.disconnect()
            return False

    def _fold(self, rows: list[Mail], now: float) -> Mail:
        """One digest of mails that are too many for the hour."""
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
        except mail.MailError as error:
            self.log.error("mail_not_written", mail=row.id, kind=row.kind, reason=str(error))
            return {
                "kind": row.kind,
                "subject": row.kind,
                "ticket_id": row.ticket_id,
                "created_at": row.created_at,
            }

    def _send(self, row: Mail, message: EmailMessage, sender: str, now: float) -> bool:
        try:
            connection = self._connected(now)
            reach("before_mail_handover")
            connection.send(message, sender, mail.mail_address(row.recipient))
            reach("after_mail_handover")
        except SendError as error:
            return self._failed(row, error, now)
        self._used_at = now
        self._pause = 0.0
        with self.store.transaction():
            outbox.mark_sent(row.id, now)
            tickets.record_mails("email_sent", _notified(row), now)
        self.log.info("mail_sent", mail=row.id, kind=row.kind, ticket=row.ticket_id, recipient=row.recipient)
        return True

    def _failed(self, row: Mail, error: SendError, now: float) -> bool:
        self.close()
        self._again(row, _reason(error), error.permanent, now, uncertain=error.uncertain)
        self.log.warning(
            "mail_not_sent", mail=row.id, kind=row.kind, ticket=row.ticket_id, recipient=row.recipient,
            reason=str(error), remedy=error.remedy, permanent=error.permanent,
        )  # fmt: skip
        if not error.server:
            return True
        self._pause = min(LAST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._paused_until = now + self._pause
        return False

    def _give_up(self, row: Mail, reason: str, now: float) -> None:
        self._again(row, reason, True, now)
        self.log.error("mail_not_written", mail=row.id, kind=row.kind, ticket=row.ticket_id, reason=reason)

    def _again(self, row: Mail, reason: str, permanent: bool, now: float, *, uncertain: bool = False) -> None:
        """Notes a failure; a mail that is given up shows in its ticket's history."""
        with self.store.transaction():
            if outbox.mark_retry(row.id, reason, permanent, now, uncertain=uncertain):
                failed = ((ticket, {**facts, "reason": reason}) for ticket, facts in _notified(row))
                tickets.record_mails("email_failed", failed, now)

    def _connected(self, now: float) -> Connection:
        """The open connection when it still answers, else a new one. Raises SendError."""
        assert self.config.smtp is not None
        if self._connection is not None:
            try:
                self._connection.reset()
            except SendError:
                self.close()
        if self._connection is None:
            self._connection = Connection(self.config.smtp, self.config.mail.oauth2_file, self._context)
        self._used_at = now
        return self._connection

    def _close_idle(self, now: float) -> None:
        if self._connection is not None and not 0 <= now - self._used_at < IDLE_LIMIT:
            self.close()


def _reason(error: SendError) -> str:
    return f"{error}. {error.remedy}" if error.remedy else str(error)


def _notified(row: Mail) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tickets a mail speaks of, each with what its history says of the mail."""
    facts = {"kind": row.kind, "audience": row.audience, "recipient": row.recipient, "digest": False}
    if row.ticket_id is not None:
        yield row.ticket_id, facts
    for item in row.facts.get("mails", ()) if row.kind == "digest" else ():
        if isinstance(item.get("ticket_id"), int):
            yield item["ticket_id"], {**facts, "kind": str(item.get("kind")), "digest": True}
