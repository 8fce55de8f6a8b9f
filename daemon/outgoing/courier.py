"""The courier: the one thread that takes mails out of the outbox and brings them to the mail server.

Decides neither what is mailed nor what a mail says.
"""

from __future__ import annotations

import ssl
from email.utils import parseaddr
from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.outgoing.delivery_loop import DeliveryLoop
from tocsin.daemon.outgoing.message import compose, envelope_address
from tocsin.daemon.outgoing.rendering import MailError
from tocsin.daemon.outgoing.smtp import Connection, SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Mail
from tocsin.handler.failpoints import reach

IDLE_LIMIT = 20.0
"""Seconds a connection is kept open for the next mail."""


class Courier(DeliveryLoop):
    """Sends the mails. `context`: certificates to trust in the mail server's place of the system's."""

    def __init__(
        self, store: Store, config: Config, log: Any = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(
            store, Templates(config.mail.templates, config.organisation), config.mail.per_hour, log
        )
        self.config = config
        self._context = context
        self._connection: Connection | None = None
        self._used_at = 0.0

    def ready(self) -> bool:
        return self.config.smtp is not None

    def deliver(self, row: Mail, root: Mail | None, now: float) -> None:
        assert self.config.smtp is not None
        sender = self.config.smtp.sender
        try:
            address = envelope_address(parseaddr(sender)[1])
        except MailError as error:
            remedy = Reason("Set SMTP_FROM to the sender's address")
            raise SendError(error.text, phase="sender", remedy=remedy) from error
        message = compose(row, sender=sender, root=root, now=now, templates=self.templates)
        connection = self._connected(now)
        reach("before_mail_handover")
        connection.send(message, address, envelope_address(row.recipient))
        reach("after_mail_handover")
        self._used_at = now

    def idle(self, now: float) -> None:
        if self._connection is not None and not 0 <= now - self._used_at < IDLE_LIMIT:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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
