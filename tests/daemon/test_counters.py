"""Where events are counted: like ones together, those of other clients and sessions apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import Raw
from support.world import World, an_error, an_exception

from tocsin.daemon.grouping.signatures import Signatures
from tocsin.daemon.grouping.speakers import speakers_of
from tocsin.daemon.ingest.batch_records import BatchRecords
from tocsin.daemon.ingest.counters import Counters
from tocsin.daemon.store.models import Loss, Quarantined, Session
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, DuplicateReference, Event, Lost, Record
from tocsin.handler.protocol.outline import EventOutline, outline_event


def read(event: Event) -> EventOutline:
    return outline_event(Raw(wire.encode_record(event)))


def session(world: World, counters: Counters) -> Session:
    """One that has begun, and has told no code locations yet."""
    begun: Session = Session.get_by_id(world.app(age=600.0).header.session)
    counters._signatures.tell(begun.id, ())
    return begun


@pytest.fixture
def opened(world: World) -> Iterator[World]:
    """In a transaction, with a client of its own for the service `till`."""
    clients = [{"id": "acme", "name": "Acme", "email": "a@acme.example"}]
    world.configure({"client": clients, "service": [{"name": "till", "client": "acme"}]})
    with world.store.transaction():
        yield world


@pytest.fixture
def counters(opened: World) -> Counters:
    return Counters(Signatures(speakers_of(opened.config.grouping.rule)), opened.config)


def test_like_events_of_one_session_are_counted_in_one_place(opened: World, counters: Counters) -> None:
    one = session(opened, counters)
    found = [counters.of(one, read(an_error(at=at)), {}) for at in (1.0, 2.0)]
    assert found[0].hits is found[1].hits


def test_the_same_error_of_two_clients_is_one_sum_with_two_counts(opened: World, counters: Counters) -> None:
    one = session(opened, counters)
    ours, theirs = (counters.of(one, read(an_error(at=1.0, client=name)), {}) for name in ("acme", None))
    assert ours.total is theirs.total
    assert ours.hits is not theirs.hits


def test_two_errors_have_two_sums(opened: World, counters: Counters) -> None:
    one = session(opened, counters)
    logged, raised = (counters.of(one, read(event), {}) for event in (an_error(at=1.0), an_exception(1.0)))
    assert logged.total is not raised.total


def test_a_service_of_one_client_counts_for_it_without_being_told(opened: World, counters: Counters) -> None:
    one = session(opened, counters)
    one.service = "till"
    counters.of(one, read(an_error(at=1.0)), {}).hits.add(1.0)
    [total] = counters.sums().values()
    assert list(total.hits) == [("acme", one.id)]


def test_a_name_that_is_nobodys_counts_for_no_client_and_stays_with_the_sample(
    opened: World, counters: Counters
) -> None:
    one = session(opened, counters)
    counter = counters.of(one, read(an_error(at=1.0, client="stranger")), {})
    assert counter.client == "stranger"
    assert list(counter.total.hits) == [("", one.id)]


def test_an_error_that_is_only_named_and_did_not_occur_has_no_sum(opened: World, counters: Counters) -> None:
    counters.of(session(opened, counters), read(an_error(at=1.0)), {})
    assert counters.sums() == {}


def test_what_a_session_has_had_counted_so_far_is_its_own(opened: World, counters: Counters) -> None:
    one, other = session(opened, counters), session(opened, counters)
    counters.of(one, read(an_error(at=1.0)), {}).hits.add(1.0)
    counters.of(other, read(an_error(at=1.0)), {}).hits.add(1.0, 10)
    assert (counters.so_far(one.id), counters.so_far(other.id)) == (1, 10)


def take(world: World, counters: Counters, *records: Record | bytes) -> Session:
    """A session whose batch holds these records."""
    one = session(world, counters)
    batch = BatchRecords(one, {}, counters, world.now)
    for position, record in enumerate(records):
        batch.add(position, Raw(record if isinstance(record, bytes) else wire.encode_record(record)))
    return one


def test_a_duplicate_reference_counts_as_the_event_with_its_key(opened: World, counters: Counters) -> None:
    take(opened, counters, an_error(at=opened.now, key=7), DuplicateReference(7, opened.now))
    assert [total.count for total in counters.sums().values()] == [2]


def test_aggregated_events_count_as_many_as_they_are_at_their_first_and_last_moment(
    opened: World, counters: Counters
) -> None:
    now = opened.now
    take(opened, counters, an_error(at=now, key=7), AggregatedEvents(7, 5, now - 60, now - 30))
    [total] = counters.sums().values()
    assert (total.count, total.first_at) == (6, now - 60)
    [hits] = total.hits.values()
    assert (sorted(hits.moments), hits.many) == ([now - 60, now], [(now - 30, 4)])


def test_a_definition_is_not_counted_itself(opened: World, counters: Counters) -> None:
    one = session(opened, counters)
    batch = BatchRecords(one, {}, counters, opened.now)
    batch.define(Raw(wire.encode_record(an_error(at=1.0, key=7))))
    batch.add(0, Raw(wire.encode_record(DuplicateReference(7, opened.now))))
    assert [total.count for total in counters.sums().values()] == [1]


def test_keys_of_one_batch_mean_nothing_in_the_next(opened: World, counters: Counters) -> None:
    take(opened, counters, an_error(at=opened.now, key=7))
    take(opened, counters, DuplicateReference(7, opened.now))
    assert [row.reason for row in Quarantined.select()] == ["names an unknown event"]


def test_what_cannot_be_read_is_quarantined_and_the_rest_is_counted(
    opened: World, counters: Counters
) -> None:
    one = take(opened, counters, b"\xc1", an_error(at=opened.now))
    assert [(row.session_id, row.position) for row in Quarantined.select()] == [(one.id, 0)]
    assert [total.count for total in counters.sums().values()] == [1]


def test_a_loss_is_added_to_its_session_by_reason(opened: World, counters: Counters) -> None:
    one = take(opened, counters, Lost("spool_full", 3), Lost("spool_full", 4))
    assert [(row.session_id, row.reason, row.count) for row in Loss.select()] == [(one.id, "spool_full", 7)]
