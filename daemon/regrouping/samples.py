"""Stored samples signed under the present rules, and the plan that follows from them. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tocsin.daemon.config import Config
from tocsin.daemon.grouping.sign import VERSION, Signature, part_of, sign
from tocsin.daemon.grouping.speakers import speakers_of, value_of
from tocsin.daemon.ingest import new_errors, versions
from tocsin.daemon.ingest.new_errors import OVERFLOW
from tocsin.daemon.regrouping.plan import HasRoom, Plan, SampleKey, Stored, plan
from tocsin.daemon.store import errors, regrouping, signatures
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.bodies import decode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.regrouping import StoredSample
from tocsin.handler.protocol.event import Event

AT_ONCE = 400
"""Samples read in one transaction."""
OLDER = f"{VERSION - 1}:"
"""How signatures of the version before begin."""


class SignedSample(NamedTuple):
    """A sample's event with its signature; `split_of`: the signature that people split, '' where nobody did."""

    event: Event
    signature: Signature
    split_of: str


class Samples:
    """The samples of one database, each signed once."""

    def __init__(self, store: Store, config: Config, now: float) -> None:
        self._store = store
        self._speakers = speakers_of(config.grouping.rule)
        self._keys: dict[int, SampleKey | None] = {}
        """By the sample's id; None: it cannot be read."""
        with store.reading():
            self._splits = signatures.splits()
            self.both = versions.both_hold(now)
            """Whether the daemon signs events under the version before, too."""

    @property
    def number(self) -> int:
        return len(self._keys)

    @property
    def unreadable(self) -> int:
        return sum(key is None for key in self._keys.values())

    def plan(self, only: Collection[int] | None = None) -> Plan:
        """What is to be done about these errors, or about all."""
        with self._store.reading():
            named = {
                error_id: key
                for error_id, key in regrouping.sampled_errors(only).items()
                if not key.signature.startswith(OVERFLOW)
            }
            stored = regrouping.samples_of(named)
        self._sign([one for one in stored if one.id not in self._keys], named)
        samples = [
            key._replace(error_id=one.error_id)
            for one in stored
            if (key := self._keys.get(one.id)) is not None
        ]
        with self._store.reading():
            owners = errors.owners({one.key for one in samples})
            clients = rows.open_by_client({*named, *owners.values()})
            whole = regrouping.named_under(OLDER, clients) if self.both else set()
            return plan(samples, Stored(owners, clients, whole), _room(named.values()))

    def signed(self, sample: SampleKey) -> SignedSample | None:
        """A sample read again, None when it is gone or cannot be read."""
        for _, body in regrouping.bodies_of([sample.id]):
            return self._signed(body, sample.key)
        return None

    def newest(self, error: ErrorLog) -> SignedSample | None:
        """The newest sample that an error has now, None when it cannot be read."""
        stored = regrouping.samples_of([error.id])
        key = Key(error.service, error.environment, error.signature)
        for _, body in regrouping.bodies_of([one.id for one in stored[-1:]]):
            return self._signed(body, key)
        return None

    def _sign(self, samples: Sequence[StoredSample], named: Mapping[int, Key]) -> None:
        for start in range(0, len(samples), AT_ONCE):
            part = {one.id: one for one in samples[start : start + AT_ONCE]}
            with self._store.reading():
                bodies = dict(regrouping.bodies_of(part))
            for sample in part.values():
                self._keys[sample.id] = self._key(sample, bodies.get(sample.id, b""), named[sample.error_id])

    def _key(self, sample: StoredSample, body: bytes, of: Key) -> SampleKey | None:
        found = self._signed(body, of)
        if found is None:
            return None
        fine, coarse, older = found.signature.fine, found.signature.coarse, found.signature.older
        key = Key(of.service, of.environment, fine)
        return SampleKey(sample.id, sample.error_id, sample.at, key, coarse, found.split_of, older)

    def _signed(self, body: bytes, of: Key) -> SignedSample | None:
        """The signature that the digest gives such an event now."""
        found = decode_body(body)
        if found is None:
            return None
        event = found.event
        places = {(place.path, place.line): place for place in found.places}
        signature = sign(event, places, speakers=self._speakers, older=self.both)
        for fine in (signature.fine, signature.older):
            by = self._splits.get(Key(of.service, of.environment, fine))
            if by is not None:
                value = value_of(by, event, event.client or "")
                return SignedSample(event, part_of(signature, by, value), fine)
        return SignedSample(event, signature, "")


def _room(keys: Collection[Key]) -> HasRoom:
    """Whether a code location, and its service, may have more errors."""
    numbers: dict[tuple[str, str, str], int] = {}
    for service, environment in {(key.service, key.environment) for key in keys}:
        found = errors.count_by_location(service, environment)
        numbers |= {(service, environment, coarse): number for coarse, number in found.items()}
        numbers[service, environment, ""] = sum(found.values())

    def has_room(sample: SampleKey, here: int, in_service: int) -> bool:
        service, environment, _, _ = sample.key
        return (
            numbers.get((service, environment, sample.coarse), 0) + here < new_errors.ERRORS_PER_PLACE
            and numbers.get((service, environment, ""), 0) + in_service < new_errors.ERRORS_PER_SERVICE
        )

    return has_room
