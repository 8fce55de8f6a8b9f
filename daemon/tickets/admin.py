"""Who is notified beside the client: the admins by mail, and the channels that want such an event."""

from __future__ import annotations

from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.store import outbox


def notify(
    config: Config, event: str, facts: dict[str, Any], now: float, ticket_id: int | None = None
) -> None:
    """Queues a mail to each admin and a message for each channel, in the caller's transaction.

    `event` is one of `settings.EVENTS`.
    """
    kind = "notice" if event == "detection" else event
    for address in config.mail.admin:
        outbox.queue(
            kind, audience="admin", recipient=address, language=config.mail.language, ticket_id=ticket_id,
            facts=facts, now=now,
        )  # fmt: skip
    for channel in config.channel:
        if event in channel.events:
            outbox.queue(
                kind, audience="admin", recipient=channel.name, ticket_id=ticket_id, facts=facts, now=now,
                language=channel.language or config.mail.language, channel=channel.name,
            )  # fmt: skip
