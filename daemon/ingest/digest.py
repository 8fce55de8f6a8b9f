"""Messages of handlers become rows: one transaction for all that came together, then the answers.

Owns exactly-once: what lies below a session's watermark is skipped, what would leave a gap is refused, and
the watermark moves in the transaction that counts. Knows no sockets and no SMTP.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog
from msgspec import Raw
from peewee import IntegrityError, InterfaceError, OperationalError

from tocsin.daemon.config import Config
from tocsin.daemon.grouping.sign import Signature, part_of
from tocsin.daemon.grouping.signatures import Signatures
from tocsin.daemon.grouping.speakers import speakers_of, value_of
from tocsin.daemon.ingest import outcome, printed_lines
from tocsin.daemon.ingest.known_clients import NAME_LIMIT, KnownClients
from tocsin.daemon.ingest.new_errors import FullLocations
from tocsin.daemon.ingest.session_life import SessionLife, moment_by_our_clock
from tocsin.daemon.ingest.tally import Occurrences, Sampled, Sum
from tocsin.daemon.ingest.versions import Versions
from tocsin.daemon.store import errors, sessions, signatures
from tocsin.daemon.store.alive_intervals import AliveIntervals
from tocsin.daemon.store.database import Store, StoreError
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import Session
from tocsin.handler.failpoints import reach
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import (
    AggregatedEvents,
    CodeLocation,
    DuplicateReference,
    Event,
    Lost,
)
from tocsin.handler.protocol.outline import EventOutline, outline, outline_event
from tocsin.handler.protocol.wire import (
    Ack,
    Batch,
    FromDaemon,
    FromHandler,
    Goodbye,
    Hello,
    Refusal,
)

UNHEARD = 60.0
"""Seconds without a word of a session after which the rest of what it broke off is not waited for any more."""
TRIES = 5
"""Of a transaction that met another daemon's, or a server that restarts."""
PAUSE = 0.05
"""Seconds before the second try; each later one waits twice as long."""

CodeLocations = Mapping[tuple[str, int], CodeLocation]

log = structlog.get_logger()


class Received(NamedTuple):
    """A message and who sent it: `peer_key` is the connection's CURVE public key, '' without CURVE."""

    peer_key: str
    message: FromHandler


class Digest:
    """The one writer of what handlers say. Used by one thread."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._identity = store.identity
        self._memory = _Memory(Signatures(speakers_of(config.grouping.rule)), AliveIntervals(store), set())
        self._swept_at = 0.0
        self._versions = Versions()

    def take(self, received: Sequence[Received], now: float) -> list[FromDaemon | None]:
        """Digests what came together and returns an answer for each message, None where none is due.

        Raises StoreError when the database cannot be written now: nothing was taken, the handlers send again.
        """
        try:
            return self._persistently(received, now)
        except StoreError:
            raise
        except Exception as error:  # one poison record must not hold back the others
            log.warning("batch_split", reason=repr(error)[:500])
            return [self._carefully(one, now) for one in received]

    def _persistently(self, received: Sequence[Received], now: float) -> list[FromDaemon | None]:
        """One transaction, tried again where Postgres breaks it: a deadlock, another daemon, a restart.

        A commit whose outcome is unknown is safe to repeat: the watermark tells what it has done.
        """
        tries = TRIES if self._store.postgres else 1
        for attempt in range(1, tries + 1):
            try:
                return self._together(received, now)
            except (OperationalError, InterfaceError) as error:
                if attempt == tries:
                    text = f"the database cannot be written: {error}"
                    raise StoreError(text, permanent=False) from error
                time.sleep(PAUSE * 2 ** (attempt - 1))
            except IntegrityError:
                if attempt == tries:
                    raise
        raise AssertionError("unreachable")

    def _together(self, received: Sequence[Received], now: float) -> list[FromDaemon | None]:
        with self._store.transaction():
            self._memory.signatures.both = self._versions.both(now)
            work = _Work(self._store, self._config, received, self._identity, self._memory, now)
            answers = [work.take(one) for one in received]
            if now - self._swept_at > UNHEARD:
                self._swept_at = now
                work.give_up_unheard()
            work.settle()
            reach("before_commit")
        reach("after_commit")
        return answers

    def _carefully(self, one: Received, now: float) -> FromDaemon | None:
        """One message alone; of a batch, one record after the other, and what still fails is quarantined."""
        if not isinstance(one.message, Batch):
            try:
                return self._persistently([one], now)[0]
            except StoreError:
                raise
            except Exception as error:
                return Refusal(_session_of(one.message), "malformed", repr(error)[:200], permanent=True)
        answer: FromDaemon | None = None
        for part in _singly(one.message):
            try:
                answer = self._persistently([Received(one.peer_key, part)], now)[0]
            except StoreError:
                raise
            except Exception as error:
                log.error("record_quarantined", session=part.session, reason=repr(error)[:500])
                answer = self._quarantined(part, repr(error), now)
            if isinstance(answer, Refusal):
                break
        return answer

    def _quarantined(self, part: Batch, reason: str, now: float) -> FromDaemon:
        with self._store.transaction():
            for at, body in part.frames:
                errors.quarantine(part.session, at, reason, bytes(body), now)
            watermark = sessions.move_watermark(part.session, part.end)
        return Ack(part.session, watermark)


def _session_of(message: FromHandler) -> str:
    return message.header.session if isinstance(message, Hello) else message.session


def _singly(batch: Batch) -> list[Batch]:
    """The batch as batches of one record each, covering the same range; each explains its repeats' keys."""
    bounds = [batch.start, *(at for at, _ in batch.frames[1:]), batch.end]
    definitions = [*batch.definitions, *(raw for _, raw in batch.frames if _is_event(raw))]
    return [
        Batch(batch.session, bounds[i], bounds[i + 1], [frame], definitions, batch.places, batch.sent_at)
        for i, frame in enumerate(batch.frames)
    ] or [batch]


def _is_event(raw: Raw) -> bool:
    try:
        return isinstance(wire.decode_record(raw), Event)
    except wire.WireError:
        return False


def _ends(record: AggregatedEvents) -> list[tuple[float, int]]:
    """(moment, how many) of collapsed occurrences: the first one's and the last one's moments are known."""
    if record.count > 1:
        return [(record.first_at, 1), (record.last_at, record.count - 1)]
    return [(record.last_at, max(record.count, 0))]


class _Memory(NamedTuple):
    """What is remembered from one transaction to the next; none of it has to be right."""

    signatures: Signatures
    stretches: AliveIntervals
    full: FullLocations


class _Known(NamedTuple):
    """What a key stands for in one batch: repeats of it are counted as this event is."""

    total: Sum
    hits: Occurrences
    signature: Signature
    client: str
    """The client's id, or a name that is nobody's."""


class _Work:
    """One transaction's work: sessions, sums per error, signs of life; written by `settle`."""

    def __init__(
        self,
        store: Store,
        config: Config,
        received: Sequence[Received],
        identity: str,
        memory: _Memory,
        now: float,
    ) -> None:
        self._store = store
        self._config = config
        self._signatures, self._stretches, self._full = memory
        self._now = now
        ids = {_session_of(one.message) for one in received}
        self._sessions = sessions.by_id(store, ids)
        self._life = SessionLife(self._sessions, identity, self._counted, now)
        self._sums: dict[Key, Sum] = {}
        self._splits = signatures.splits()
        self._parts: dict[str, tuple[Signature, Key]] = {}
        self._known_spots: dict[tuple[str, str | None, int], _Known] = {}
        """By session, client and the signature object, which they keep alive."""
        self._clients = KnownClients(config)
        self._own_clients = {service.name: service.client or "" for service in config.service}

    def take(self, one: Received) -> FromDaemon | None:
        message = one.message
        if isinstance(message, Hello):
            return self._life.hello(message, one.peer_key)
        session = self._life.speaker(message.session, one.peer_key)
        if isinstance(session, Refusal):
            return session
        if isinstance(message, Batch):
            return self._batch(session, message)
        self._life.heard(session, message)
        self._give_up_waiting(session, ends=isinstance(message, Goodbye))
        if isinstance(message, Goodbye):
            session.ended_at = self._now
        return Ack(session.id, session.watermark)

    def settle(self) -> None:
        """Writes everything that came together."""
        sums = {key: total for key, total in self._sums.items() if total.count}
        outcome.write(self._store, self._config, sums, self._sessions, self._full, self._now)
        for part, (_, origin) in self._parts.items():
            signatures.note_part(origin, part)
        signs: dict[str, list[list[float]]] = {one: [[self._now]] for one in self._life.seen_alive}
        for total in sums.values():
            for (_, session_id), hits in total.hits.items():
                self._sessions[session_id].events += hits.count
                signs.setdefault(session_id, []).append([*hits.moments, *(at for at, _ in hits.many)])
        sessions.save(self._store, self._sessions.values())
        self._stretches.extend([(self._sessions[one], signs[one]) for one in sorted(signs)])

    def _counted(self, session_id: str) -> int:
        """How many events of a session this transaction has counted so far."""
        ours = [
            hits
            for total in self._sums.values()
            for (_, one), hits in total.hits.items()
            if one == session_id
        ]
        return sum(len(hits.moments) + sum(count for _, count in hits.many) for hits in ours)

    def _batch(self, session: Session, batch: Batch) -> FromDaemon:
        if batch.start > session.watermark:
            return Refusal(
                session.id, "gap", f"{batch.start} is above the watermark", watermark=session.watermark
            )
        places = self._signatures.tell(session.id, batch.places)
        known: dict[int, _Known] = {}
        for raw in batch.definitions:
            self._define(session, raw, places, known)
        frames = [(at, raw) for at, raw in batch.frames if at >= session.watermark]
        for at, raw in self._joined(session, frames, batch.definitions):
            self._record(session, at, raw, places, known)
        session.watermark = max(session.watermark, batch.end)
        session.backlog = max(batch.backlog, 0)
        self._life.note_alive(session)
        return Ack(session.id, session.watermark)

    def _joined(
        self, session: Session, frames: list[tuple[int, Raw]], definitions: list[Raw]
    ) -> list[tuple[int, Raw]]:
        """The records with each traceback that was logged line by line as one event."""
        pending = printed_lines.decode(session.broken_off)
        if not pending and not printed_lines.concerns([*definitions, *(raw for _, raw in frames)]):
            return frames
        joined = printed_lines.join(frames, definitions, pending)
        session.events += joined.absorbed
        session.broken_off = printed_lines.encode(joined.pending)
        return joined.frames

    def _give_up_waiting(self, session: Session, *, ends: bool) -> None:
        """Makes events of tracebacks whose rest does not come."""
        waiting = []
        for run in printed_lines.decode(session.broken_off):
            happened = moment_by_our_clock(run.newest, session.clock_offset, self._now)
            if ends or self._now - happened > printed_lines.STALE:
                places = self._signatures.tell(session.id, ())
                self._record(session, *printed_lines.unfinished(run), places, {})
            else:
                waiting.append(run)
        session.broken_off = printed_lines.encode(tuple(waiting))

    def give_up_unheard(self) -> None:
        """Makes events of tracebacks that the silent sessions broke off: their processes may be gone for good."""
        for session in sessions.broken_off(self._now - UNHEARD):
            known = self._sessions.setdefault(session.id, session)
            self._give_up_waiting(known, ends=True)

    def _define(self, session: Session, raw: Raw, places: CodeLocations, known: dict[int, _Known]) -> None:
        try:
            event = outline_event(raw)
        except wire.WireError:
            return
        known[event.key] = self._known(session, event, places)

    def _record(
        self, session: Session, position: int, raw: Raw, places: CodeLocations, known: dict[int, _Known]
    ) -> None:
        try:
            record = outline(raw)
        except wire.WireError as error:
            errors.quarantine(session.id, position, str(error), bytes(raw), self._now)
            return
        if isinstance(record, EventOutline):
            found = self._known(session, record, places)
            if record.key:
                known[record.key] = found
            at = moment_by_our_clock(record.occurred_at, session.clock_offset, self._now)
            found.hits.moments.append(at)
            if found.total.wants(at):
                found.total.keep(
                    Sampled(record, found.signature, raw, places, session.id, position, at, found.client)
                )
        elif isinstance(record, DuplicateReference):
            definition = known.get(record.key)
            if definition is None:
                self._unknown(session, position, raw)
                return
            definition.hits.moments.append(
                moment_by_our_clock(record.occurred_at, session.clock_offset, self._now)
            )
        elif isinstance(record, AggregatedEvents):
            definition = known.get(record.key)
            if definition is None:
                self._unknown(session, position, raw)
                return
            for moment, count in _ends(record):
                definition.hits.add(moment_by_our_clock(moment, session.clock_offset, self._now), count)
        elif isinstance(record, Lost):
            sessions.add_loss(session.id, record.reason, max(record.count, 0))

    def _unknown(self, session: Session, position: int, raw: Raw) -> None:
        errors.quarantine(session.id, position, "names an unknown event", bytes(raw), self._now)

    def _known(self, session: Session, event: EventOutline, places: CodeLocations) -> _Known:
        """Where the event's occurrences are counted."""
        signature = self._part(session, event, self._signatures.of(session.id, event, places))
        spot = (session.id, event.client, id(signature))
        known = self._known_spots.get(spot)
        if known is None:
            total = self._sum(session, signature, event, places)
            named = event.client or self._own_clients.get(session.service, "")
            client = self._clients.of(named)
            # A sample keeps a name that is nobody's, so that the admin learns which.
            known = _Known(total, total.hit(client, session.id), signature, client or named[:NAME_LIMIT])
            self._known_spots[spot] = known
        return known

    def _part(self, session: Session, event: EventOutline, signature: Signature) -> Signature:
        """The event's signature where people split its error."""
        if not self._splits:
            return signature
        key = Key(session.service, session.environment, signature.fine, signature.older)
        origin = key.now if key.now in self._splits else key.before
        by = self._splits.get(origin)
        if by is None:
            return signature
        part = part_of(signature, by, value_of(by, event, event.client or ""))
        if part.fine not in self._parts:
            signatures.keep_first(origin, part.fine)
            self._parts[part.fine] = part, origin
        return self._parts[part.fine][0]

    def _sum(self, session: Session, signature: Signature, event: EventOutline, places: CodeLocations) -> Sum:
        key = Key(session.service, session.environment, signature.fine, signature.older)
        total = self._sums.get(key)
        if total is None:
            total = self._sums[key] = Sum(signature, event, places, session.id)
        return total
