"""Queries on who logged an error: kinds of processes, loggers, releases. Called inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from peewee import fn

from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Watch
from tocsin.daemon.store.source_models import ErrorSource
from tocsin.daemon.store.table import among, moment

Source = tuple[int, str, str, str, str, str, float, float]
"""Error id, program, role, arguments, logger, release, first and last moment."""


def note(store: Store, found: Iterable[Source]) -> None:
    """Adds to who logged these errors."""
    store.run_many(
        "INSERT INTO error_sources (error_id, program, role, arguments, logger, release, first_at, last_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (error_id, program, role, arguments, logger, release) DO UPDATE SET "
        "first_at = CASE WHEN excluded.first_at < error_sources.first_at THEN excluded.first_at "
        "ELSE error_sources.first_at END, "
        "last_at = CASE WHEN excluded.last_at > error_sources.last_at THEN excluded.last_at "
        "ELSE error_sources.last_at END",
        [(*key, moment(first), moment(last)) for *key, first, last in sorted(found)],
    )


def of_errors(error_ids: Collection[int], since: float) -> dict[int, list[ErrorSource]]:
    """Per error who logged it since then."""
    found: dict[int, list[ErrorSource]] = {}
    query = ErrorSource.select().where(among(ErrorSource.error, error_ids) & (ErrorSource.last_at >= since))
    for source in query.order_by(ErrorSource.last_at.desc(), ErrorSource.program, ErrorSource.role):
        found.setdefault(source.error_id, []).append(source)
    return found


def releases(error_id: int) -> list[tuple[str, float, float]]:
    """(release, first moment, last moment) of the releases that an error was seen in, oldest first."""
    first, last = fn.MIN(ErrorSource.first_at), fn.MAX(ErrorSource.last_at)
    query = (
        ErrorSource.select(ErrorSource.release, first, last)
        .where((ErrorSource.error == error_id) & (ErrorSource.release != ""))
        .group_by(ErrorSource.release)
    )
    python = ErrorSource.first_at.python_value
    rows = [(release, python(began), python(ended)) for release, began, ended in query.tuples()]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def watched_loggers(service: str, environment: str, most: int) -> list[tuple[str, int]]:
    """(name, level) of the loggers that logged what is being watched, the newest watches first."""
    query = (
        ErrorSource.select(ErrorSource.logger, ErrorLog.level)
        .join(ErrorLog)
        .join(Watch, on=(Watch.error == ErrorLog.id))
        .where(
            (ErrorLog.service == service) & (ErrorLog.environment == environment) & (ErrorSource.logger != "")
        )
        .group_by(ErrorSource.logger, ErrorLog.level)
        .order_by(fn.MAX(Watch.quiet_since).desc(), ErrorSource.logger, ErrorLog.level)
        .limit(most)
    )
    return [(str(logger), int(level)) for logger, level in query.tuples()]


def move(store: Store, error_id: int, into_id: int) -> None:
    """Who logged the one has logged the other."""
    own = ErrorSource.error == error_id
    rows = ErrorSource.select(
        ErrorSource.program, ErrorSource.role, ErrorSource.arguments, ErrorSource.logger, ErrorSource.release,
        ErrorSource.first_at, ErrorSource.last_at,
    ).where(own)  # fmt: skip
    note(store, [(into_id, *row) for row in rows.tuples()])
    ErrorSource.delete().where(own).execute()


def drop_before(before: float) -> int:
    """Deletes who logged an error before then and not since; returns how many rows."""
    return int(ErrorSource.delete().where(ErrorSource.last_at < before).execute())
