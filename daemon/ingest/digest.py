"""Messages of handlers become rows: one transaction for all that came together, then the answers.

Owns exactly-once: what lies below a session's watermark is skipped, what would leave a gap is refused, and
the watermark moves in the transaction that counts. Knows no sockets and no SMTP.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from msgspec import Raw, structs
from peewee import IntegrityError, InterfaceError, OperationalError

from tocsin.daemon.config import Config
from tocsin.daemon.grouping.signatures import Signatures
from tocsin.daemon.grouping.speakers import speakers_of
from tocsin.daemon.ingest import broken_off, outcome
from tocsin.daemon.ingest.batch_records import BatchRecords
from tocsin.daemon.ingest.clocks import Clocks
from tocsin.daemon.ingest.counters import Counters
from tocsin.daemon.ingest.function_runs import ReportedRuns, WatchedFunctions
from tocsin.daemon.ingest.new_errors import FullLocations
from tocsin.daemon.ingest.session_life import SessionLife
from tocsin.daemon.ingest.versions import Versions
from tocsin.daemon.ingest.watched_loggers import WatchedLoggers
from tocsin.daemon.store import errors, sessions
from tocsin.daemon.store.alive_intervals import AliveIntervals
from tocsin.daemon.store.database import Store, StoreError
from tocsin.daemon.store.models import Session
from tocsin.handler.failpoints import reach
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Event
from tocsin.handler.protocol.wire import (
    Ack,
    Batch,
    FromDaemon,
    FromHandler,
    Goodbye,
    Hello,
    Refusal,
    Watched,
    Welcome,
)

UNHEARD = 60.0
"""Seconds without a word of a session after which the rest of what it broke off is not waited for any more."""
TRIES = 5
"""Of a transaction that met another daemon's, or a server that restarts."""
PAUSE = 0.05
"""Seconds before the second try; each later one waits twice as long."""

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
        self._memory = _Memory(
            Signatures(speakers_of(config.grouping.rule)),
            AliveIntervals(store),
            set(),
            WatchedFunctions(store),
            WatchedLoggers(),
            Clocks(),
        )
        self._swept_at = 0.0
        self._versions = Versions()

    def handle(self, received: Sequence[Received], now: float) -> list[FromDaemon | None]:
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
            transaction = _Transaction(self._store, self._config, received, self._identity, self._memory, now)
            answers = [transaction.handle(one) for one in received]
            if now - self._swept_at > UNHEARD:
                self._swept_at = now
                transaction.give_up_unheard()
            transaction.write()
            answers = [transaction.with_watched(answer) for answer in answers]
            reach("before_commit")
        reach("after_commit")
        self._memory.loggers.note_told(answers)
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


class _Memory(NamedTuple):
    """What is remembered from one transaction to the next; none of it has to be right."""

    signatures: Signatures
    intervals: AliveIntervals
    full: FullLocations
    functions: WatchedFunctions
    loggers: WatchedLoggers
    clocks: Clocks


class _Transaction:
    """What came together: each message goes to whom it concerns; `write` writes the sums and the sessions."""

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
        self._memory = memory
        self._now = now
        ids = {_session_of(one.message) for one in received}
        self._sessions = sessions.by_id(store, ids)
        self._counters = Counters(memory.signatures, config)
        self._life = SessionLife(self._sessions, identity, self._counters.so_far, memory.clocks, now)
        self._runs = ReportedRuns(store, memory.functions, now)

    def handle(self, one: Received) -> FromDaemon | None:
        message = one.message
        if isinstance(message, Hello):
            return self._life.hello(message, one.peer_key)
        session = self._life.speaker(message.session, one.peer_key)
        if isinstance(session, Refusal):
            return session
        if session.live:
            self._runs.note(session, message.observed)
        if isinstance(message, Batch):
            return self._batch(session, message)
        self._life.heard(session, message)
        self._give_up_waiting(session, ends=isinstance(message, Goodbye))
        if isinstance(message, Goodbye):
            self._life.parted(session, message)
        return Ack(session.id, session.watermark)

    def with_watched(self, answer: FromDaemon | None) -> FromDaemon | None:
        """The answer with what the session is to keep an eye on, where it does not know of exactly that."""
        if not isinstance(answer, Welcome | Ack):
            return answer
        session, new = self._sessions[answer.session], isinstance(answer, Welcome)
        if not (new or self._runs.has_observed(session)):
            return answer
        functions = self._runs.asked(session, whole=new)
        loggers = self._memory.loggers.of(session, self._now)
        known = not new and self._memory.loggers.are_known_to(session.id, loggers)
        if (functions is None and known) or not session.live:
            return answer
        if functions is None:
            functions = self._memory.functions.of(session, self._now)
        return structs.replace(answer, watched=Watched(loggers, functions))

    def give_up_unheard(self) -> None:
        """Makes events of tracebacks that the silent sessions broke off: their processes may be gone for good."""
        for session in sessions.broken_off(self._now - UNHEARD):
            known = self._sessions.setdefault(session.id, session)
            self._give_up_waiting(known, ends=True)

    def write(self) -> None:
        """Writes everything that came together."""
        sums = self._counters.sums()
        outcome.write(
            self._store, self._config, sums, self._sessions, self._memory.full, self._runs, self._now
        )
        self._counters.note_parts()
        signs: dict[str, list[list[float]]] = {one: [[self._now]] for one in self._life.seen_alive}
        for total in sums.values():
            for (_, session_id), hits in total.hits.items():
                self._sessions[session_id].events += hits.count
                signs.setdefault(session_id, []).append([*hits.moments, *(at for at, _ in hits.many)])
        sessions.save(self._store, self._sessions.values())
        self._memory.intervals.extend([(self._sessions[one], signs[one]) for one in sorted(signs)])

    def _batch(self, session: Session, batch: Batch) -> FromDaemon:
        if batch.start > session.watermark:
            return Refusal(
                session.id, "gap", f"{batch.start} is above the watermark", watermark=session.watermark
            )
        self._life.measure(session, batch)
        locations = self._memory.signatures.tell(session.id, batch.places)
        frames = [(at, raw) for at, raw in batch.frames if at >= session.watermark]
        whole = broken_off.joined(session, frames, batch.definitions, locations)
        records = BatchRecords(session, whole.locations, self._counters, self._now)
        for raw in batch.definitions:
            records.define(raw)
        for at, raw in whole.records:
            records.add(at, raw)
        session.watermark = max(session.watermark, batch.end)
        session.backlog = max(batch.backlog, 0)
        self._life.note_alive(session, batch)
        return Ack(session.id, session.watermark)

    def _give_up_waiting(self, session: Session, *, ends: bool) -> None:
        """Makes events of tracebacks whose rest does not come."""
        unfinished = broken_off.given_up(session, self._now, ends=ends)
        if not unfinished.records:
            return
        self._memory.signatures.tell(session.id, ())
        records = BatchRecords(session, unfinished.locations, self._counters, self._now)
        for at, raw in unfinished.records:
            records.add(at, raw)
