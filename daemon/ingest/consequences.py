"""What new occurrences mean for tickets: opened, restarted, reopened, or folded into one where caps are reached.

It decides which ticket takes a step; `lifecycle` says what the step is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.daemon.config import Config
from tocsin.daemon.ingest.corrected import Corrected
from tocsin.daemon.ingest.new_errors import OVERFLOW, NewErrors
from tocsin.daemon.ingest.tally import Occurrences, Sum, merged_moments
from tocsin.daemon.ingest.ticket_caps import TicketCaps
from tocsin.daemon.store import errors
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Session, Ticket, Watch
from tocsin.daemon.tickets import lifecycle, mute
from tocsin.daemon.tickets.lifecycle import RECENT, Action, EventType, State, TicketEvent, reached
from tocsin.daemon.tickets.steps import DUPLICATE, NewTicket, Tickets
from tocsin.handler.protocol.event import TEST_LOGGER

LATE_AFTER = 300.0
"""Seconds after which an occurrence is said to have arrived late."""


class Consequences:
    """One transaction's consequences for tickets."""

    def __init__(
        self, store: Store, config: Config, new: NewErrors, known: Mapping[str, Session], now: float
    ) -> None:
        self._store = store
        self._config = config
        self._new = new
        self._known = known
        """The sessions that the occurrences came from, by id."""
        self._now = now
        self._tickets = Tickets(config)
        self._caps = TicketCaps(config.tickets, now)
        self._folded: set[int] = set()
        """Overflow errors known to have an open ticket that stands for those over the caps."""
        self._restarts: dict[int, float] = {}
        """Watches that are only restarted, all with one statement."""
        self._corrected = Corrected(known)

    def write(self, totals: Mapping[int, tuple[ErrorLog, Sequence[Sum]]]) -> None:
        """Writes what follows for the tickets of these errors; sets the errors' `recent`, saved by the caller."""
        statuses, watched = rows.open_by_client(totals), rows.watched_since(totals)
        rest = [
            (error, parts)
            for error, parts in totals.values()
            if not self._restarts_only(error, parts, statuses.get(error.id, {}), watched.get(error.id))
        ]
        ids = [error.id for error, _ in rest]
        tickets, watches = rows.of_errors(ids), rows.watches(ids)
        for error, parts in rest:
            if all(part.event.logger == TEST_LOGGER for part in parts):
                errors.resolve(error, self._now)
            elif error.id in tickets:
                self._with_tickets(error, parts, tickets[error.id], watches.get(error.id))
            else:
                self._without_ticket(error, parts)
        rows.restart_watches(self._store, self._restarts)

    def _restarts_only(
        self,
        error: ErrorLog,
        parts: Sequence[Sum],
        statuses: Mapping[str, str],
        watched: tuple[float, float | None] | None,
    ) -> bool:
        """Whether every client hit has its open ticket and all that follows is that the watch restarts.

        So it is for an error that keeps happening, in all but a few transactions of an hour. `statuses`: of
        its open tickets, by client; `watched`: since when it is quiet, and when it was last reported.
        """
        if watched is None or not all(client in statuses for part in parts for client, _ in part.hits):
            return False
        quiet_since, reported_at = watched
        if any(status != State.OPEN for status in statuses.values()) and self._corrected.any_before(
            error, parts
        ):
            return False
        last_at = max(part.last_at for part in parts)
        if last_at <= quiet_since:
            return True
        event = TicketEvent(EventType.REAPPEARED, last_at, reported_at)
        if any(lifecycle.step(State(one), event).actions != (Action.WATCH,) for one in statuses.values()):
            return False
        self._restarts[error.id] = last_at
        return True

    # Errors without a ticket

    def _without_ticket(self, error: ErrorLog, parts: Sequence[Sum]) -> None:
        moments = _heard(error, parts)
        if error.resolved:
            moments = [(at, client) for at, client in moments if at > (error.resolved_at or 0.0)]
        if not moments:
            return
        errors.unresolve(error)
        count, window = self._config.threshold(error.service)
        recent = merged_moments(error.recent, moments)
        error.recent = recent[-max(count, RECENT) :]
        last = _last_of_window([at for at, _ in recent], count, window)
        if last is None:
            return
        if not self._caps.allow(error.coarse):
            self._fold(error)
            error.recent = _enough(recent, count, last - window)
            return
        clients = {client for at, client in recent if at >= last - window}
        for index, client in enumerate(sorted(clients)):
            self._open(error, client, notify_admin=index == 0)
            self._caps.note_opened(error.coarse)
        error.recent = []

    def _open(self, error: ErrorLog, client: str, *, notify_admin: bool) -> Ticket:
        new = NewTicket(error, client or None)
        if strangers := [] if client else errors.unknown_clients(error.id):
            new = NewTicket(error, details={"unknown_clients": strangers})
        return self._tickets.open(new, self._now, notify_admin=notify_admin)

    def _fold(self, error: ErrorLog) -> None:
        """One ticket stands for all that are over the caps: of the code location, else of the service."""
        own_location = self._caps.location_is_full(error.coarse) and not error.coarse.startswith(OVERFLOW)
        fold = self._new.overflow_for(error, whole_service=not own_location)
        if fold.id in self._folded:
            return
        self._folded.add(fold.id)
        if not any(ticket.status != State.CLOSED for ticket in rows.of_errors([fold.id]).get(fold.id, [])):
            ticket = NewTicket(fold, folded=error.id)
            self._tickets.open(ticket, self._now)

    # Errors with tickets

    def _with_tickets(
        self, error: ErrorLog, parts: Sequence[Sum], tickets: Sequence[Ticket], watch: Watch | None
    ) -> None:
        """Restarts the watch, reopens the tickets of the clients hit, opens those of new clients."""
        tickets = [ticket for ticket in tickets if ticket.resolution != DUPLICATE]
        active = [ticket for ticket in tickets if ticket.status != State.CLOSED]
        last_at = max(part.last_at for part in parts)
        if mute.may_be_muted(error) and not _heard(error, parts):
            if active:
                self._restarts[error.id] = last_at
            return
        if active and watch is not None and last_at > watch.quiet_since:
            newest = self._corrected.last_with(error, parts)
            if newest is not None and newest > watch.quiet_since:
                self._goes_on(error, active, newest, watch.reappeared_at)
            elif self._corrected.waits(error):
                self._restarts[error.id] = last_at
        latest = {ticket.client_id or "": ticket for ticket in [*tickets, *active]}
        quiet = min((_quiet_since(ticket) for ticket in tickets), default=0.0)
        for part in parts:
            for (client, session_id), hit in part.hits.items():
                ticket, session = latest.get(client), self._known[session_id]
                if not active and self._corrected.waits(error):
                    continue
                if ticket is None:
                    if not active and hit.last_at > quiet and self._corrected.is_old_code(error, session):
                        self._runs_old_code(error, tickets[-1], hit, session)
                    elif active or hit.last_at > quiet:
                        latest[client] = self._open(error, client, notify_admin=not active)
                        active = [*active, latest[client]]
                elif ticket.status == State.CLOSED and hit.last_at > _quiet_since(ticket):
                    self._came_back(error, ticket, hit, session)

    def _goes_on(
        self, error: ErrorLog, active: Sequence[Ticket], last_at: float, reported_at: float | None
    ) -> None:
        event = TicketEvent(EventType.REAPPEARED, last_at, reported_at)
        late = self._now - last_at > LATE_AFTER
        happened = {"at": last_at, "late": late}
        details = _reappeared(last_at, late)
        self._tickets.apply(error, active, event, self._now, happened=happened, details=details)

    def _came_back(self, error: ErrorLog, ticket: Ticket, hit: Occurrences, session: Session) -> None:
        if self._corrected.is_old_code(error, session):
            self._runs_old_code(error, ticket, hit, session)
            return
        late = _late(ticket, hit)
        happened = {"at": hit.last_at, "late": late}
        event = TicketEvent(EventType.REAPPEARED, hit.last_at)
        details = _reappeared(hit.last_at, late)
        self._tickets.apply(error, [ticket], event, self._now, happened=happened, details=details)

    def _runs_old_code(self, error: ErrorLog, ticket: Ticket, hit: Occurrences, session: Session) -> None:
        """Says once an hour that a process still runs the code from before the correction."""
        if rows.recorded_since(ticket, EventType.OLD_CODE, self._now - 3600):
            return
        happened = {"session": session.id, "pid": session.pid, "host": session.host}
        event = TicketEvent(EventType.OLD_CODE, hit.last_at)
        details = {**_reappeared(hit.last_at, _late(ticket, hit)), "session": session.id}
        self._tickets.apply(error, [ticket], event, self._now, happened=happened, details=details)


def _heard(error: ErrorLog, parts: Sequence[Sum]) -> Sequence[tuple[float, str]]:
    """The occurrences that no mute hides, as (moment, client); a mute by rate counts them."""
    moments = [moment for part in parts for moment in part.moments()]
    heard = mute.heard(error, moments)
    mute.count_towards_rate(error, moments)
    return heard


def _last_of_window(moments: Sequence[float], count: int, window: float) -> float | None:
    """The end of the newest window that holds `count` of the moments, None when there is none."""
    for end in range(len(moments), count - 1, -1):
        if reached(moments[end - count : end], count, window):
            return moments[end - 1]
    return None


def _enough(recent: Sequence[tuple[float, str]], count: int, since: float) -> list[tuple[float, str]]:
    """Of an error that waits until the caps allow a ticket: what reaches its threshold, and whom it hit."""
    newest = recent[-count:]
    latest = {client: (at, client) for at, client in recent if at >= since}
    named = {client for _, client in newest}
    others = sorted(one for client, one in latest.items() if client not in named)
    return [*others[-RECENT:], *newest]


def _quiet_since(ticket: Ticket) -> float:
    """Until when a closed ticket's occurrences were known; what happened later is a reappearance."""
    known = (ticket.metadata or {}).get("watch", {}).get("quiet_since")
    return float(known if known is not None else ticket.closed_at or 0.0)


def _late(ticket: Ticket, hit: Occurrences) -> bool:
    return hit.last_at < (ticket.closed_at or 0.0)


def _reappeared(at: float, late: bool) -> dict[str, object]:
    return {"reappeared_at": at, "late": late}
