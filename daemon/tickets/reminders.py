"""What waits for a person is called to mind, and what becomes much more frequent is told: each fact once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.store import reminders as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Mail
from tocsin.daemon.store.reminders import Fact, Waiting
from tocsin.daemon.tickets import addresses, admin, frequency
from tocsin.daemon.tickets.frequency import HOUR, Increase

EVERY = 600.0
"""Seconds between two looks."""
LISTED = 20
"""Entries a reminder names of each kind; it says how many more there are."""
WEEK = frequency.WEEK_HOURS * HOUR
KEPT = 400 * 86400.0
"""Seconds after which it is forgotten that something was said."""


class Reminders:
    """Looks at one database for what the admins should be reminded of."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    def run(self, now: float) -> int:
        """Queues what is to be said at `now`, and notes in the same transaction that it was; returns how much."""
        if not self._config.reminders.enabled:
            return 0
        with self._store.reading():
            news = bool(self._waiting(now)[0]) or bool(self._increases(now))
        if not news:
            return 0
        with self._store.transaction():
            facts, shown = self._waiting(now)
            if facts:
                rows.remember(dict.fromkeys(facts), now)
                admin.notify(self._config, "reminder", shown, now)
            increases = self._increases(now)
            for one, increase in increases:
                rows.remember({("more_frequent", str(one.ticket.error_id)): increase.recent}, now)
                facts_of_it = self._increase(one, increase)
                admin.notify(self._config, "more_frequent", facts_of_it, now, one.ticket.id)
            rows.drop_before(now - KEPT)
        return len(facts) + len(increases)

    def _waiting(self, now: float) -> tuple[list[Fact], dict[str, Any]]:
        """The facts that were not said yet, and what a reminder says of them."""
        settings = self._config.reminders
        tickets = _unsaid("untouched", rows.untouched(now - settings.untouched, now), _since)
        watches = _unsaid("inconclusive", rows.inconclusive(now - settings.inconclusive, now), _since)
        mails = _unsaid("held", rows.held(now - settings.held), lambda mail: str(mail.id))
        shown = {
            "tickets": [self._ticket(one) for one in list(tickets.values())[:LISTED]],
            "watches": [self._ticket(one) for one in list(watches.values())[:LISTED]],
            "held": [_mail(one) for one in list(mails.values())[:LISTED]],
            "tickets_total": len(tickets),
            "watches_total": len(watches),
            "held_total": len(mails),
            "created_at": now,
        }
        return [*tickets, *watches, *mails], shown

    def _increases(self, now: float) -> list[tuple[Waiting, Increase]]:
        """The open errors that became so much more frequent that it is to be said."""
        times = self._config.reminders.times
        hour = int(now // HOUR)
        busy = rows.busy_errors(hour - 1, frequency.LEAST)
        if not busy:
            return []
        said = {
            subject: rate for subject, (at, rate) in rows.said("more_frequent").items() if now - at < WEEK
        }
        counts = rows.hourly(busy, hour - 1 - frequency.WEEK_HOURS)
        found = []
        for one in rows.open_tickets(busy, now):
            assert one.error is not None
            increase = frequency.increase(counts[one.error.id], one.error.first_seen, now, times)
            if increase and frequency.is_news(increase, said.get(str(one.error.id)), times):
                found.append((one, increase))
        return found

    def _ticket(self, one: Waiting) -> dict[str, Any]:
        return {
            "ticket_id": one.ticket.id,
            "title": one.error.title if one.error else one.ticket.subject,
            "service": one.error.service if one.error else "",
            "client_id": one.ticket.client_id,
            "since": one.since,
            "ticket_url": addresses.ticket(self._config, one.ticket.id),
        }

    def _increase(self, one: Waiting, increase: Increase) -> dict[str, Any]:
        error = one.error
        assert error is not None
        return {
            "ticket_id": one.ticket.id, "error_id": error.id, "service": error.service,
            "environment": error.environment, "title": error.title, "message": error.message,
            "source": error.source, "line": error.line, "function": error.function,
            "occurrences": error.occurrences, "first_seen": error.first_seen, "last_seen": error.last_seen,
            "priority": one.ticket.priority, "created_at": one.ticket.created_at,
            "usual_rate": increase.usual, "recent_rate": increase.recent,
            "ticket_url": addresses.ticket(self._config, one.ticket.id),
        }  # fmt: skip


def _unsaid(kind: str, found: Sequence[Any], subject: Any) -> dict[Fact, Any]:
    said = rows.said(kind)
    named: Iterable[tuple[str, Any]] = ((subject(one), one) for one in found)
    return {(kind, name): one for name, one in named if name not in said}


def _since(one: Waiting) -> str:
    """A ticket that was touched and then left again is another fact."""
    return f"{one.ticket.id}:{one.since:.0f}"


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "mail_id": mail.id,
        "ticket_id": mail.facts.get("ticket_id"),
        "kind": mail.kind,
        "recipient": mail.recipient,
        "title": mail.facts.get("title"),
        "client_id": mail.facts.get("client_id"),
        "since": mail.created_at,
    }
