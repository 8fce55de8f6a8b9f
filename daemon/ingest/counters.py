"""Where the events of one transaction are counted: in which error's sum, for which client, in which session.

Asks the database only which errors people have split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tocsin.daemon.config import Config
from tocsin.daemon.grouping.sign import Signature, part_of
from tocsin.daemon.grouping.signatures import Signatures
from tocsin.daemon.grouping.speakers import value_of
from tocsin.daemon.ingest.known_clients import NAME_LIMIT, KnownClients
from tocsin.daemon.ingest.tally import Occurrences, Sum
from tocsin.daemon.store import signatures
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import Session
from tocsin.handler.protocol.event import CodeLocation
from tocsin.handler.protocol.outline import EventOutline

CodeLocations = Mapping[tuple[str, int], CodeLocation]


class Counter(NamedTuple):
    """Where like events are counted: those of one signature and client in one session."""

    total: Sum
    hits: Occurrences
    signature: Signature
    client: str
    """The client's id, or a name that is nobody's."""


class Counters:
    """One transaction's sums, by error. Its methods are called in the transaction."""

    def __init__(self, known: Signatures, config: Config) -> None:
        self._signatures = known
        self._clients = KnownClients(config)
        self._own_clients = {service.name: service.client or "" for service in config.service}
        self._splits = signatures.splits()
        self._parts: dict[str, tuple[Signature, Key]] = {}
        self._sums: dict[Key, Sum] = {}
        self._counters: dict[tuple[str, str | None, int], Counter] = {}
        """By session, client and the signature object, which they keep alive."""

    def of(self, session: Session, event: EventOutline, locations: CodeLocations) -> Counter:
        """Where the event's occurrences are counted."""
        signature = self._signatures.of(session.id, event, locations)
        if self._splits:
            signature = self._part(session, event, signature)
        like = (session.id, event.client, id(signature))
        counter = self._counters.get(like)
        if counter is None:
            total = self._sum(session, signature, event, locations)
            named = event.client or self._own_clients.get(session.service, "")
            client = self._clients.of(named)
            # A sample keeps a name that is nobody's, so that the admin learns which.
            counter = Counter(total, total.hit(client, session.id), signature, client or named[:NAME_LIMIT])
            self._counters[like] = counter
        return counter

    def so_far(self, session_id: str) -> int:
        """How many events of a session have been counted."""
        ours = [
            hits
            for total in self._sums.values()
            for (_, counted_for), hits in total.hits.items()
            if counted_for == session_id
        ]
        return sum(len(hits.moments) + sum(count for _, count in hits.many) for hits in ours)

    def sums(self) -> dict[Key, Sum]:
        """The sums of the errors that occurred."""
        return {key: total for key, total in self._sums.items() if total.count}

    def note_parts(self) -> None:
        """Writes down which signatures are parts of an error that people split."""
        for part, (_, origin) in self._parts.items():
            signatures.note_part(origin, part)

    def _part(self, session: Session, event: EventOutline, signature: Signature) -> Signature:
        """The event's signature where people split its error."""
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

    def _sum(
        self, session: Session, signature: Signature, event: EventOutline, locations: CodeLocations
    ) -> Sum:
        key = Key(session.service, session.environment, signature.fine, signature.older)
        total = self._sums.get(key)
        if total is None:
            total = self._sums[key] = Sum(signature, event, locations, session.id)
        return total
