"""What a transaction's sums mean, step by step: errors, samples, consequences for tickets, counts.

Runs inside the digest's transaction. Takes sums, knows nothing of messages or positions.
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.daemon.config import Config
from tocsin.daemon.ingest import sampling, versions
from tocsin.daemon.ingest.consequences import Consequences
from tocsin.daemon.ingest.error_text import error_text
from tocsin.daemon.ingest.function_runs import ReportedRuns
from tocsin.daemon.ingest.new_errors import FullLocations, NewErrors
from tocsin.daemon.ingest.tally import Sum
from tocsin.daemon.store import errors, sources
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog, Session
from tocsin.daemon.store.sources import Source
from tocsin.daemon.tickets import kinds
from tocsin.handler.capture.values import clean

Totals = dict[int, tuple[ErrorLog, list[Sum]]]
"""By the error's id: the error, and what each of its signatures got."""


def write(
    store: Store,
    config: Config,
    sums: Mapping[Key, Sum],
    known: Mapping[str, Session],
    full: FullLocations,
    told: ReportedRuns,
    now: float,
) -> None:
    """Writes what the sums say. `known`: the sessions they came from; `told`: what those counted."""
    new = NewErrors(store, full, now)
    totals = _totals(versions.resolve(store, config, sums, now), sums, new)
    for error, parts in totals.values():
        for part in parts:
            _add(error, part, known[part.session_id])
    sampling.sample(store, totals.values(), config.retention.samples)
    sources.note(store, _sources(totals, known))
    told.write(totals, known)  # before the watches restart: what ran until now was before the new silence
    errors.add_counts(store, _hourly(totals))  # before the mails, which tell each client its own count
    Consequences(store, config, new, known, now).write(totals)
    errors.save_sums(store, [error for error, _ in totals.values()])


def _totals(found: Mapping[Key, ErrorLog], sums: Mapping[Key, Sum], new: NewErrors) -> Totals:
    """The error of each signature, known or new; several signatures may mean one."""
    totals: Totals = {}
    for key in sorted(sums):
        error = found.get(key) or new.error_of(key, sums[key])
        totals.setdefault(error.id, (error, []))[1].append(sums[key])
    return totals


def _add(error: ErrorLog, part: Sum, session: Session) -> None:
    if part.last_at >= error.last_seen:
        error.message = error_text(part.event)
        error.release = session.release
        error.line = part.signature.location.line
    error.occurrences += part.count
    error.first_seen = min(error.first_seen, part.first_at)
    error.last_seen = max(error.last_seen, part.last_at)


def _hourly(totals: Totals) -> list[tuple[int, str, int, int]]:
    """(error id, client id or '', hour, occurrences)."""
    counts: dict[tuple[int, str, int], int] = {}
    for error_id, (_, parts) in totals.items():
        for part in parts:
            for (client, _), hit in part.hits.items():
                for hour, count in hit.hours().items():
                    counts[error_id, client, hour] = counts.get((error_id, client, hour), 0) + count
    return [(*counted, count) for counted, count in counts.items()]


def _sources(totals: Totals, known: Mapping[str, Session]) -> list[Source]:
    """Who logged the errors: each kind of process, logger and release once."""
    found: dict[tuple[int, str, str, str, str, str], tuple[float, float]] = {}
    for error_id, (_, parts) in totals.items():
        for part in parts:
            for (_, session_id), hit in part.hits.items():
                session = known[session_id]
                arguments = kinds.masked(session.arguments)
                logger, release = clean(part.event.logger)[:200], session.release or ""
                key = (error_id, session.program, session.role, arguments, logger, release)
                first, last = found.get(key, (hit.first_at, hit.last_at))
                found[key] = min(first, hit.first_at), max(last, hit.last_at)
    return [(*key, first, last) for key, (first, last) in found.items()]
