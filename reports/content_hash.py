"""What each page depends on, as cheaply as it can be asked: two equal looks mean an unchanged page.

Raw rows of narrow columns, no values built: 10,000 errors and 5,000 tickets take tens of milliseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from tocsin.daemon.store.database import Store
from tocsin.reports.pages import stamp

_ERRORS = """
SELECT id, occurrences, last_seen, resolved, muted_until, muted_rate, merged_into, title, release, assignee,
       link, service, environment
  FROM error_logs ORDER BY resolved, last_seen DESC, id DESC"""
_TICKETS = """
SELECT id, error_id, client_id, status, priority, category, resolution, closed_at, client_email, subject, assignee,
       CAST(metadata AS TEXT) FROM support_tickets ORDER BY created_at DESC, id DESC"""
_HISTORY = "SELECT ticket_id, COUNT(*), MAX(id) FROM support_ticket_history GROUP BY ticket_id"
_SAID = "SELECT error_id, COUNT(*), MAX(id) FROM error_history GROUP BY error_id"
_TRIES = """
SELECT error_id, COUNT(*), MAX(id), SUM(CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END)
  FROM agent_tries GROUP BY error_id"""
_REQUESTS = "SELECT error_id, asked_at FROM agent_requests"
_CORRECTIONS = """
SELECT id, error_id, test_status, CAST(test_results AS TEXT)
  FROM error_corrections ORDER BY applied_at DESC, id DESC"""
_WATCHES = """
SELECT error_id, quiet_since, checked_at, seen_seconds, waiting_for, inconclusive_at, ready_at FROM watches"""
_MAILS = (
    "SELECT ticket_id, state, COUNT(*), SUM(attempts) FROM outbox GROUP BY ticket_id, state ORDER BY state"
)
_DEPLOYMENTS = """
SELECT service, environment, COUNT(*), MAX(at), MIN(at) FROM deployments GROUP BY service, environment"""
_CLIENTS = "SELECT id, name, language, folder FROM clients ORDER BY id"


class ContentHashes(Struct, frozen=True):
    """One look at everything: by the number of the error (unresolved first) or ticket, newest first."""

    errors: dict[int, str]
    merged: frozenset[int]
    """Errors that live on in another one and are not listed."""
    tickets: dict[int, str]
    by_client: dict[str, dict[int, str]]
    """The same looks at tickets, by the client they belong to."""
    ticket_order: list[int]
    """As they are listed: those not closed first, the newest first."""
    tickets_open: int
    corrections: dict[int, str]
    """The newest first."""
    history: str
    clients: str


Seen = dict[int, tuple[tuple[Any, ...], str]]
"""By number: all that a look was made from, and the look."""


class ContentHasher:
    """Looks again and again: only what differs from the last time is put into words again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._errors: Seen = {}
        self._tickets: Seen = {}

    def content_hash(self) -> ContentHashes:
        """What every page depends on, now."""
        store = self._store
        with store.reading():
            history = {row[0]: row for row in _rows(store, _HISTORY)}
            said = {row[0]: row for row in _rows(store, _SAID)}
            tried = _by([*_rows(store, _TRIES), *_rows(store, _REQUESTS)], 0)
            corrections, watches = _rows(store, _CORRECTIONS), _by(_rows(store, _WATCHES), 0)
            mails = _by(_rows(store, _MAILS), 0)
            tickets = _rows(store, _TICKETS)
            errors = _rows(store, _ERRORS)
            deployed = {(row[0], row[1]): row for row in _rows(store, _DEPLOYMENTS)}
            clients = stamp(repr(_rows(store, _CLIENTS)))
        self._tickets = _again(
            self._tickets,
            ((row, history.get(row[0]), mails.get(row[0]), watches.get(row[1]), clients) for row in tickets),
        )
        seen = {number: content_hash for number, (_, content_hash) in self._tickets.items()}
        changes = _by(corrections, 1)
        of_error: dict[Any, list[str]] = defaultdict(list)
        by_client: dict[str, dict[int, str]] = defaultdict(dict)
        for row in tickets:
            of_error[row[1]].append(seen[row[0]])
            if row[2] is not None:
                by_client[row[2]][row[0]] = seen[row[0]]
        self._errors = _again(
            self._errors,
            (
                (
                    row,
                    of_error.get(row[0]),
                    changes.get(row[0]),
                    watches.get(row[0]),
                    said.get(row[0]),
                    tried.get(row[0]),
                    # A release is no news of what is resolved, of which there may be thousands.
                    None if row[3] else deployed.get((row[11], row[12])),
                    clients,
                )
                for row in errors
            ),
        )
        return ContentHashes(
            errors={number: content_hash for number, (_, content_hash) in self._errors.items()},
            merged=frozenset(row[0] for row in errors if row[6] is not None),
            tickets=seen,
            by_client=by_client,
            ticket_order=[row[0] for row in sorted(tickets, key=lambda row: bool(row[3] == "closed"))],
            tickets_open=sum(row[3] != "closed" for row in tickets),
            corrections={row[0]: _short(row) for row in corrections},
            history=_short(sorted(history.items())),
            clients=clients,
        )


def _again(last: Seen, parts: Iterable[tuple[Any, ...]]) -> Seen:
    """The looks of rows (each the first of its parts, its number first), by number, in their order."""
    found: Seen = {}
    for part in parts:
        number = part[0][0]
        kept = last.get(number)
        found[number] = kept if kept is not None and kept[0] == part else (part, _short(part))
    return found


def unchanged(store: Store) -> str:
    """A word that stays the same while nobody writes; SQLite only, '' where it cannot be asked cheaply."""
    if store.postgres:
        return ""
    with store.reading():
        versions = [_rows(store, sql)[0][0] for sql in ("PRAGMA data_version", "SELECT total_changes()")]
    return "-".join(map(str, versions))


def _rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    database: Any = store.database
    return list(database.execute_sql(sql).fetchall())


def _by(rows: list[tuple[Any, ...]], column: int) -> dict[Any, list[tuple[Any, ...]]]:
    found: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found


def _short(*parts: Any) -> str:
    return stamp(repr(parts))
