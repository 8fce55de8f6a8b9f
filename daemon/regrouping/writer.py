"""A plan carried out, in the caller's transaction, which has locked every error that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tocsin.daemon.ingest.error_text import error_text
from tocsin.daemon.ingest.new_errors import columns_of
from tocsin.daemon.regrouping.plan import Part, Plan, SampleKey
from tocsin.daemon.regrouping.samples import OLDER, Samples
from tocsin.daemon.store import errors, merging, regrouping, signatures
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog, Ticket
from tocsin.daemon.tickets.lifecycle import State
from tocsin.daemon.tickets.merge import join

SPLIT = "split"
"""Action of a ticket's history: the error was told apart."""


class PlanWriter:
    """Carries out one plan."""

    def __init__(self, store: Store, samples: Samples, by: str, now: float) -> None:
        self._store = store
        self._samples = samples
        self._by = by
        self._now = now
        self._joined: dict[int, int] = {}

    def write(self, made: Plan) -> dict[Key, int]:
        """Returns the ids of the new errors by their signature."""
        for error_id, older_id in made.joins:
            join(self._store, ErrorLog.get_by_id(error_id), ErrorLog.get_by_id(older_id), self._by, self._now)
            self._joined[error_id] = older_id
        for sample, error_id in made.points:
            self._point(sample, error_id)
        new: dict[Key, int] = {}
        parts: dict[int, set[int]] = {}
        for part in made.parts:
            into_id = self._move(part)
            if into_id is None:
                continue
            if part.error_id is None:
                new[part.key] = into_id
            for sample in part.samples:
                parts.setdefault(self._root(sample.error_id), set()).add(into_id)
        for error_id, part_ids in sorted(parts.items()):
            self._tell_apart(ErrorLog.get_by_id(error_id), sorted(part_ids))
        for waits in made.waiting:
            regrouping.note_alias(waits.error_id, waits.key)
        return new

    def _root(self, error_id: int) -> int:
        while error_id in self._joined:
            error_id = self._joined[error_id]
        return error_id

    def _point(self, sample: SampleKey, error_id: int) -> None:
        error = ErrorLog.get_by_id(self._root(error_id))
        errors.point(sample.key, error, counterpart=sample.older, split_of=sample.split_of)
        errors.set_location(error, sample.coarse)

    def _move(self, part: Part) -> int | None:
        """Gives the part's samples to its error, made where there is none; None when they are gone."""
        into = self._made(part) if part.error_id is None else ErrorLog.get_by_id(self._root(part.error_id))
        if into is None:
            return None
        sources = {self._root(sample.error_id) for sample in part.samples}
        resolved = all(ErrorLog.get_by_id(one).resolved for one in sources)
        ids = {sample.id for sample in part.samples}
        moved = [sample for sample in regrouping.samples_of(sources) if sample.id in ids]
        regrouping.move_samples(self._store, moved, into)
        if into.resolved and not resolved and max(one.at for one in moved) > (into.resolved_at or 0.0):
            errors.unresolve(into)
        return int(into.id)

    def _made(self, part: Part) -> ErrorLog | None:
        """A new error without occurrences, resolved and muted as the one that its samples come from."""
        newest = max(part.samples, key=lambda one: (one.at, one.id))
        signed = self._samples.signed(newest)
        if signed is None:
            return None
        source = ErrorLog.get_by_id(self._root(newest.error_id))
        error = errors.create(
            self._store,
            part.key,
            **columns_of(signed.signature, signed.event),
            first_seen=min(sample.at for sample in part.samples),
            last_seen=newest.at,
            release=source.release,
            resolved=source.resolved,
            resolved_at=source.resolved_at,
            muted_until=source.muted_until,
            muted_rate=source.muted_rate,
        )
        if newest.split_of:
            signatures.note_part(part.key._replace(signature=newest.split_of), part.key.signature)
        return error

    def _tell_apart(self, error: ErrorLog, part_ids: Collection[int]) -> None:
        """What follows for an error that has lost samples: its text, its older signatures, its tickets."""
        if self._samples.both:
            regrouping.unpoint_under(OLDER, [error.id])
        newest = self._samples.newest(error)
        if newest is not None:
            errors.set_text(error, error_text(newest.event), newest.signature.location.line)
        self._tell_tickets_apart(error, part_ids)

    def _tell_tickets_apart(self, error: ErrorLog, part_ids: Collection[int]) -> None:
        """A client's tickets go where all of its samples went; every open one says what happened."""
        tickets = rows.of_errors([error.id, *part_ids])
        mine = tickets.get(error.id, [])
        named = {ticket.client_id or "" for ticket in mine}
        clients = regrouping.clients_of_samples([error.id, *part_ids], named)
        watch = rows.watches([error.id]).get(error.id)
        stays = False
        for ticket in mine:
            into_id = _new_home(ticket, clients, error.id, part_ids)
            taken = into_id is not None and any(_clash(ticket, other) for other in tickets.get(into_id, []))
            open_ = ticket.status != State.CLOSED
            if into_id is None or taken:
                stays |= open_
                if open_:
                    facts = {"error": error.id, "parts": sorted(part_ids)}
                    rows.record(ticket, SPLIT, self._now, facts, self._by)
                continue
            into = ErrorLog.get_by_id(into_id)
            merging.move_ticket(ticket, into)
            rows.record(ticket, SPLIT, self._now, {"error": error.id, "into": into_id}, self._by)
            errors.set_recent(into, [])
            if open_:
                errors.unresolve(into)
                rows.restart_watch(into, watch.quiet_since if watch is not None else error.last_seen)
        if not stays:
            rows.end_watch(error)


def _new_home(
    ticket: Ticket, clients: Mapping[int, Collection[str]], error_id: int, part_ids: Collection[int]
) -> int | None:
    """The one part that has samples of the ticket's client, None where the error still has some."""
    client_id = ticket.client_id or ""
    found = [one for one in part_ids if client_id in clients.get(one, ())]
    return found[0] if len(found) == 1 and client_id not in clients.get(error_id, ()) else None


def _clash(ticket: Ticket, other: Ticket) -> bool:
    """Whether both are open, for the same client."""
    closed = State.CLOSED in (ticket.status, other.status)
    return not closed and (ticket.client_id or "") == (other.client_id or "")
