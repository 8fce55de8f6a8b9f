"""Which full events are stored with their error."""

from __future__ import annotations

import pytest
from msgspec import Raw
from support.world import World, an_exception

from tocsin.daemon.grouping.sign import NamedLocation, Signature
from tocsin.daemon.ingest import sampling
from tocsin.daemon.ingest.sampling import SAMPLE_EVERY
from tocsin.daemon.ingest.tally import Sampled, Sum
from tocsin.daemon.store.models import ErrorLog, Sample
from tocsin.handler.protocol import wire

LIMIT = 10


@pytest.fixture
def error(world: World) -> ErrorLog:
    """An error of which no sample is stored."""
    world.app().fail(1)
    with world.store.transaction():
        Sample.delete().execute()
        ErrorLog.update(samples=0, sampled_at=None).execute()
    return world.errors()[0]


def with_samples(world: World, *moments: float) -> Sum:
    """What one transaction brought: full events of these moments."""
    event = an_exception(world.now)
    signature = Signature(
        "1:fine", "1:coarse", [], "title", NamedLocation("orders.py", 88, "shop.orders", "price")
    )
    total = Sum(signature, event, {}, "session")
    body = Raw(wire.encode_record(event))
    for position, at in enumerate(moments):
        if total.should_sample(at):
            total.add_sample(Sampled(event, signature, body, {}, "session", position, at, ""))
    return total


def sample(world: World, error: ErrorLog, *parts: Sum) -> list[float]:
    """Samples; returns how long after the world's now those that are stored happened."""
    with world.store.transaction():
        sampling.sample(world.store, [(error, parts)], LIMIT)
        stored = Sample.select(Sample.occurred_at).order_by(Sample.occurred_at).tuples()
        return [round(at - world.now, 3) for (at,) in stored]


def test_of_many_events_at_once_the_first_ones_and_the_newest_are_stored(world: World, error: ErrorLog):
    assert sample(world, error, with_samples(world, *(world.now + n for n in range(9)))) == [0, 1, 2, 8]


def test_of_several_signatures_that_mean_one_error_no_more_are_stored_than_of_one(
    world: World, error: ErrorLog
):
    parts = [with_samples(world, *(world.now + start + n for n in range(4))) for start in (0, 10)]
    assert sample(world, error, *parts) == [0, 1, 2, 13]


def test_an_error_that_has_its_number_gets_one_only_after_a_while(world: World, error: ErrorLog):
    error.samples, error.sampled_at = LIMIT, world.now
    assert sample(world, error, with_samples(world, world.now + SAMPLE_EVERY - 1)) == []
    assert sample(world, error, with_samples(world, world.now + SAMPLE_EVERY)) == [SAMPLE_EVERY]


def test_what_is_over_the_limit_is_thinned_out_and_the_error_says_how_many_it_has(
    world: World, error: ErrorLog
):
    for start in range(0, 400, 40):
        stored = sample(world, error, with_samples(world, *(world.now + start + 10 * n for n in range(4))))
    assert len(stored) == error.samples == LIMIT
    assert (stored[0], stored[-1]) == (0, 390)
    assert error.sampled_at == world.now + 390
