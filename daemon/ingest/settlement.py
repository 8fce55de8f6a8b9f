"""What a transaction's events mean for errors and tickets: new errors, counters, samples, life-cycle steps.

Runs inside the digest's transaction. Takes sums, knows nothing of messages or positions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tocsin.daemon.config import Config
from tocsin.daemon.ingest.tally import SAMPLES_AT_ONCE, Occurrences, Sampled, Sum, merged_moments, thin
from tocsin.daemon.store import errors, sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.bodies import encode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog, Session, Ticket, Watch, moment
from tocsin.daemon.tickets import lifecycle
from tocsin.daemon.tickets.lifecycle import RECENT, Action, EventType, State, TicketEvent, reached
from tocsin.daemon.tickets.mute import heard
from tocsin.daemon.tickets.recurrence import old_code, same_after_correction
from tocsin.daemon.tickets.steps import DUPLICATE, Tickets
from tocsin.handler.capture.code_locations import wanted
from tocsin.handler.protocol.event import Event, Raised

ERRORS_PER_PLACE = 100
"""Errors of one coarse signature, at most: what is over goes to the place's overflow error."""
ERRORS_PER_SERVICE = 10_000
"""Errors of one service and environment, at most: what is over goes to the service's overflow error."""
SAMPLE_EVERY = 10.0
"""Seconds between two samples of an error that has its full number."""
LATE_AFTER = 300.0
"""Seconds after which an occurrence is said to have arrived late."""
OVERFLOW = "overflow:"
FULL_REMEMBERED = 10_000
"""Full places remembered between transactions, at most: they do not become emptier."""

Full = set[tuple[str, str, str]]
"""(service, environment, place) of which no new error is made any more; '' as place: the whole service."""

_UPDATE = (
    "UPDATE error_logs SET occurrences = ?, first_seen = ?, last_seen = ?, message = ?, line = ?, "
    "recent = ?, release = ?, samples = ?, sampled_at = ? WHERE id = ?"
)


class Settlement:
    """One transaction's consequences."""

    def __init__(self, store: Store, config: Config, full: Full, now: float) -> None:
        self._store = store
        self._config = config
        self._tickets = Tickets(config)
        self._now = now
        self._numbers: dict[tuple[str, str, str], int] = {}
        """Errors of a (service, environment, place), or of all its places."""
        self._full = full
        self._corrected_locations: set[tuple[str, str, str]] | None = None
        self._corrected: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
        self._overflows: dict[Key, ErrorLog] = {}
        self._opened: Counter[str] | None = None
        """Automatic tickets of the last hour by place, '' for all."""
        self._folded: set[int] = set()
        """Errors known to have an open ticket that stands for those over the caps."""
        self._restarts: dict[int, float] = {}
        """Watches that only begin anew."""

    def write(self, sums: Mapping[Key, Sum], known: Mapping[str, Session]) -> None:
        """Writes what the sums say. `known`: the sessions they came from."""
        found = errors.by_key(self._store, sums)
        totals: dict[int, tuple[ErrorLog, list[Sum]]] = {}
        for key in sorted(sums):
            total = sums[key]
            error = found.get(key) or self._new(key, total)
            totals.setdefault(error.id, (error, []))[1].append(total)
        for error, parts in totals.values():
            for part in parts:
                _grow(error, part, known[part.session_id])
        self._sample(totals.values())
        statuses, watched = rows.open_by_client(totals), rows.watched_since(totals)
        rest = [
            (error, parts)
            for error, parts in totals.values()
            if not self._goes_on(error, parts, statuses.get(error.id, {}), watched.get(error.id))
        ]
        ids = [error.id for error, _ in rest]
        tickets, watches = rows.of_errors(ids), rows.watches(ids)
        for error, parts in rest:
            if error.id in tickets:
                self._ticketed(error, parts, tickets[error.id], watches.get(error.id), known)
            else:
                self._unticketed(error, parts)
        rows.restart_watches(self._store, self._restarts)
        self._save(totals.values())

    def _save(self, totals: Collection[tuple[ErrorLog, list[Sum]]]) -> None:
        self._store.run_many(
            _UPDATE,
            [
                (error.occurrences, moment(error.first_seen), moment(error.last_seen), error.message,
                 error.line, json.dumps(error.recent), error.release, error.samples,
                 moment(error.sampled_at), error.id)
                for error, _ in totals
            ],
        )  # fmt: skip
        counts: dict[tuple[int, str, int], int] = {}
        for error, parts in totals:
            for part in parts:
                for (client, _), hit in part.hits.items():
                    for hour, count in hit.hours().items():
                        slot = (error.id, client, hour)
                        counts[slot] = counts.get(slot, 0) + count
        errors.add_counts(self._store, [(*slot, count) for slot, count in counts.items()])

    # New errors

    def _new(self, key: Key, total: Sum) -> ErrorLog:
        """The error of a signature not seen before: a corrected one that came back changed, or a new one."""
        path, line, module, function = total.signature.where
        coarse = total.signature.coarse
        place = total.places.get((path, line))
        if place is not None and place.statement:
            for error_id, new_code in self._corrections(key, coarse):
                if same_after_correction(place.statement, new_code):
                    error = ErrorLog.get_by_id(error_id)
                    errors.point(key, error)
                    return error
        if self._is_full(key, coarse, ERRORS_PER_PLACE):
            return self._overflow(key, coarse, path, line, module, function)
        if self._is_full(key, "", ERRORS_PER_SERVICE):
            return self._overflow(key, "", "", 0, "", "")
        for place_or_all in (coarse, ""):
            spot = (key.service, key.environment, place_or_all)
            self._numbers[spot] = self._numbers.get(spot, 0) + 1
        return errors.create(
            self._store,
            key,
            coarse=coarse,
            source=path,
            line=line,
            module=module,
            function=function,
            title=total.signature.title,
            message=_message(total.event),
            level=total.event.level,
            components=total.signature.components,
            first_seen=total.first_at,
            last_seen=total.last_at,
        )

    def _corrections(self, key: Key, coarse: str) -> list[tuple[int, str]]:
        place = (key.service, key.environment, coarse)
        if self._corrected_locations is None:
            self._corrected_locations = errors.corrected_locations()
        if place not in self._corrected_locations:
            return []
        if place not in self._corrected:
            self._corrected[place] = errors.corrected_at_location(*place)
        return self._corrected[place]

    def _is_full(self, key: Key, coarse: str, cap: int) -> bool:
        """Whether the place, or ('') the service, has as many errors as it may."""
        place = (key.service, key.environment, coarse)
        if place in self._full:
            return True
        if (key.service, key.environment, "") not in self._numbers:
            self._count(key.service, key.environment)
        if self._numbers.get(place, 0) < cap:
            return False
        if len(self._full) >= FULL_REMEMBERED:
            self._full.clear()
        self._full.add(place)
        return True

    def _count(self, service: str, environment: str) -> None:
        """Learns how many errors each place of the service has: one query for all of the transaction."""
        found = errors.count_by_location(service, environment)
        self._numbers |= {(service, environment, coarse): number for coarse, number in found.items()}
        self._numbers[service, environment, ""] = sum(found.values())

    def _overflow(self, key: Key, coarse: str, path: str, line: int, module: str, function: str) -> ErrorLog:
        """The one error for what is over a cap: of a place, or ('' as coarse) of the whole service."""
        own = Key(key.service, key.environment, OVERFLOW + coarse)
        if own in self._overflows:
            return self._overflows[own]
        found = errors.by_key(self._store, [own])
        if own not in found:
            found[own] = self._new_overflow(own, coarse, path, line, module, function)
        self._overflows[own] = found[own]
        return found[own]

    def _new_overflow(
        self, own: Key, coarse: str, path: str, line: int, module: str, function: str
    ) -> ErrorLog:
        spot = f"{module}.{function}" if coarse else f"the service {own.service}"
        return errors.create(
            self._store,
            own,
            coarse=own.signature,
            source=path,
            line=line,
            module=module,
            function=function,
            title=f"More errors of many kinds in {spot}",
            message=f"Too many different errors in {spot}: those over the limit are counted here together.",
            first_seen=self._now,
            last_seen=self._now,
        )

    # Samples

    def _sample(self, totals: Collection[tuple[ErrorLog, list[Sum]]]) -> None:
        keep = self._config.retention.samples
        added: list[tuple[object, ...]] = []
        full: list[ErrorLog] = []
        for error, parts in totals:
            samples = _few([sample for part in parts for sample in part.samples])
            if error.samples >= keep:
                newest = max(samples, key=lambda sample: sample.at, default=None)
                due = newest is not None and newest.at - (error.sampled_at or 0.0) >= SAMPLE_EVERY
                samples = [newest] if due and newest else []
            if samples:
                added += (_sample_row(error, sample) for sample in samples)
                error.samples += len(samples)
                error.sampled_at = max(error.sampled_at or 0.0, *(sample.at for sample in samples))
            if error.samples > keep:
                full.append(error)
        errors.add_samples(self._store, added)
        dropped: list[int] = []
        for kept in errors.sample_moments([error.id for error in full]).values():
            dropped += (kept[index][1] for index in thin([moment for moment, _ in kept], keep))
        errors.drop_samples(dropped)
        for error in full:
            error.samples = keep

    # Tickets

    def _unticketed(self, error: ErrorLog, parts: Sequence[Sum]) -> None:
        moments = heard(error, [moment for part in parts for moment in part.moments()])
        if not moments:
            return
        if error.resolved:
            moments = [(at, client) for at, client in moments if at > (error.resolved_at or 0.0)]
            if not moments:
                return
            error.resolved = False
            error.save(only=[ErrorLog.resolved])
        count, window = self._config.threshold(error.service)
        recent = merged_moments(error.recent, moments)
        error.recent = recent[-max(count, RECENT) :]
        last = _last_of_window([at for at, _ in recent], count, window)
        if last is None:
            return
        clients = {client for at, client in recent if at >= last - window}
        if not self._room(error):
            self._fold(error)
            error.recent = _enough(recent, count, last - window)
            return
        for index, client in enumerate(sorted(clients)):
            self._open(error, client, tell_admin=index == 0)
            self._note_opened(error.coarse)
        error.recent = []

    def _open(self, error: ErrorLog, client: str, *, tell_admin: bool) -> None:
        self._tickets.open(error, client or None, self._now, tell_admin=tell_admin)

    def _muted(self, error: ErrorLog, parts: Sequence[Sum]) -> bool:
        if error.muted_until is None and error.muted_rate is None:
            return False
        return not heard(error, [moment for part in parts for moment in part.moments()])

    def _room(self, error: ErrorLog) -> bool:
        """Whether the caps on new tickets leave room for one more error's."""
        caps = self._config.tickets
        return self._lately("") < caps.new_per_hour and self._lately(error.coarse) < caps.new_per_place

    def _lately(self, coarse: str) -> int:
        """Automatic tickets of the last hour for a place, or ('') in all."""
        if self._opened is None:
            self._opened = Counter(rows.opened_since(self._now - 3600))
            self._opened[""] = sum(self._opened.values())
        return self._opened[coarse]

    def _note_opened(self, coarse: str) -> None:
        if self._opened is not None:
            self._opened.update((coarse, ""))

    def _fold(self, error: ErrorLog) -> None:
        """One ticket stands for all that are over the caps: of the place, else of the service."""
        key = Key(error.service, error.environment, error.signature)
        place_full = self._lately(error.coarse) >= self._config.tickets.new_per_place
        coarse = error.coarse if place_full and not error.coarse.startswith(OVERFLOW) else ""
        fold = self._overflow(key, coarse, error.source, error.line, error.module, error.function)
        if fold.id in self._folded:
            return
        self._folded.add(fold.id)
        if not any(ticket.status != State.CLOSED for ticket in rows.of_errors([fold.id]).get(fold.id, [])):
            self._tickets.open(fold, None, self._now, description=f"first folded error: {error.id}")

    def _goes_on(
        self,
        error: ErrorLog,
        parts: Sequence[Sum],
        statuses: Mapping[str, str],
        watched: tuple[float, float | None] | None,
    ) -> bool:
        """Whether every client hit has its open ticket and all that follows is that the watch begins anew.

        So it is for an error that keeps happening, in all but a few transactions of an hour. `statuses`: of
        its open tickets, by client; `watched`: since when it is quiet, and when it was last told of.
        """
        if watched is None or not all(client in statuses for part in parts for client, _ in part.hits):
            return False
        quiet_since, told_at = watched
        last_at = max(part.last_at for part in parts)
        if last_at <= quiet_since:
            return True
        fact = TicketEvent(EventType.REAPPEARED, last_at, told_at=told_at)
        if any(lifecycle.step(State(one), fact).actions != (Action.WATCH,) for one in statuses.values()):
            return False
        self._restarts[error.id] = last_at
        return True

    def _ticketed(
        self,
        error: ErrorLog,
        parts: Sequence[Sum],
        tickets: Sequence[Ticket],
        watch: Watch | None,
        known: Mapping[str, Session],
    ) -> None:
        """The error has tickets: restarts the watch, reopens those of the clients hit, opens new clients'."""
        tickets = [ticket for ticket in tickets if ticket.resolution != DUPLICATE]
        active = [ticket for ticket in tickets if ticket.status != State.CLOSED]
        last_at = max(part.last_at for part in parts)
        if self._muted(error, parts):
            if active:
                self._restarts[error.id] = last_at
            return
        if active and watch is not None and last_at > watch.quiet_since:
            fact = TicketEvent(EventType.REAPPEARED, last_at, told_at=watch.reappeared_at)
            late = self._now - last_at > LATE_AFTER
            self._tickets.take(error, active, fact, self._now, details=_seen(last_at, late))
        latest = {ticket.client_id or "": ticket for ticket in tickets}
        latest |= {ticket.client_id or "": ticket for ticket in active}
        quiet = min((_quiet_since(ticket) for ticket in tickets), default=0.0)
        for part in parts:
            for (client, session_id), hit in part.hits.items():
                ticket = latest.get(client)
                if ticket is None:
                    if not active and hit.last_at > quiet and self._old_code(error, known[session_id]):
                        self._came_back(error, tickets[-1], hit, known[session_id])
                    elif active or hit.last_at > quiet:
                        self._open(error, client, tell_admin=not active)
                        latest[client] = rows.of_errors([error.id])[error.id][-1]
                        active = [*active, latest[client]]
                elif ticket.status == State.CLOSED and hit.last_at > _quiet_since(ticket):
                    self._came_back(error, ticket, hit, known[session_id])

    def _came_back(self, error: ErrorLog, ticket: Ticket, hit: Occurrences, session: Session) -> None:
        late = hit.last_at < (ticket.closed_at or 0.0)
        details = _seen(hit.last_at, late)
        if self._old_code(error, session):
            fact = TicketEvent(EventType.OLD_CODE, hit.last_at)
            text = (
                f"session {session.id[:8]} (pid {session.pid} on {session.host}) began before the correction"
            )
            if not rows.recorded_since(ticket, EventType.OLD_CODE, self._now - 3600):
                details = {**details, "session": session.id}
                self._tickets.take(error, [ticket], fact, self._now, description=text, details=details)
            return
        text = "came back late: it happened before the ticket was closed" if late else "came back"
        fact = TicketEvent(EventType.REAPPEARED, hit.last_at)
        self._tickets.take(error, [ticket], fact, self._now, description=text, details=details)

    def _old_code(self, error: ErrorLog, session: Session) -> bool:
        """Whether a process older than the correction logged it, while a newer one runs."""
        corrections = rows.corrections(error.id)
        if not corrections:
            return False
        applied_at = max(correction.applied_at for correction in corrections)
        newer = sessions.any_began_since(error.service, error.environment, applied_at)
        return old_code(session.started_at, applied_at, newer_process=newer)


def _grow(error: ErrorLog, part: Sum, session: Session) -> None:
    if part.last_at >= error.last_seen:
        error.message = _message(part.event)
        error.release = session.release
        error.line = part.signature.where.line
    error.occurrences += part.count
    error.first_seen = min(error.first_seen, part.first_at)
    error.last_seen = max(error.last_seen, part.last_at)


def _last_of_window(moments: Sequence[float], count: int, window: float) -> float | None:
    """The end of the newest window that holds `count` of the moments, None when there is none."""
    for end in range(len(moments), count - 1, -1):
        if reached(moments[end - count : end], count, window):
            return moments[end - 1]
    return None


def _enough(recent: Sequence[tuple[float, str]], count: int, since: float) -> list[tuple[float, str]]:
    """Of an error that waits for room among the tickets: what reaches its threshold, and whom it hit."""
    newest = recent[-count:]
    latest = {client: (at, client) for at, client in recent if at >= since}
    told = {client for _, client in newest}
    others = sorted(one for client, one in latest.items() if client not in told)
    return [*others[-RECENT:], *newest]


def _quiet_since(ticket: Ticket) -> float:
    """Until when a closed ticket's occurrences were known; what happened later is a reappearance."""
    known = (ticket.metadata or {}).get("watch", {}).get("quiet_since")
    return float(known if known is not None else ticket.closed_at or 0.0)


def _seen(at: float, late: bool) -> dict[str, object]:
    return {"reappeared_at": at, "late": late}


def _message(event: Event) -> str:
    """The newest logged text, with the exception's own text after it."""
    text = event.exception.text if event.exception else ""
    return (
        event.message if not text or text in event.message else f"{event.message}: {_said(event.exception)}"
    )


def _said(raised: Raised | None) -> str:
    return f"{raised.type.rpartition('.')[2]}: {raised.text}" if raised else ""


def _few(samples: list[Sampled]) -> list[Sampled]:
    """The first ones and the newest, where many events of one transaction became one error's."""
    if len(samples) <= SAMPLES_AT_ONCE:
        return samples
    samples = sorted(samples, key=lambda sample: sample.at)
    return [*samples[: SAMPLES_AT_ONCE - 1], samples[-1]]


def _sample_row(error: ErrorLog, sample: Sampled) -> tuple[object, ...]:
    spots = dict.fromkeys((path, line) for path, line, _ in wanted(sample.event))
    places = [sample.places[spot] for spot in spots if spot in sample.places]
    body = encode_body(sample.body, places)
    return error.id, sample.session_id, sample.position, moment(sample.at), sample.client, body
