"""Which occurrences of a muted error are heard: a question that changes nothing, and the count beside it."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import World

from tocsin.daemon.store import muting
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets import mute
from tocsin.daemon.tickets.mute import parse_rate


def muted(**columns: Any) -> ErrorLog:
    return ErrorLog(**{"recent": [], **columns})


def every_minute(number: int, first: float = 0.0) -> list[tuple[float, str]]:
    return [(first + 60.0 * n, "acme") for n in range(number)]


def test_what_happened_up_to_the_end_of_a_mute_is_not_heard():
    error = muted(muted_until=100.0)
    assert mute.heard(error, [(99.0, ""), (100.0, ""), (101.0, "acme")]) == [(101.0, "acme")]


def test_up_to_the_rate_nothing_is_heard_and_beyond_it_everything_new_is():
    error = muted(muted_rate=3)
    assert mute.heard(error, every_minute(3)) == []
    assert mute.heard(error, every_minute(4)) == every_minute(4)


def test_a_rate_is_of_one_hour():
    error = muted(muted_rate=3)
    assert mute.heard(error, [*every_minute(3), (3601.0, "")]) == []


def test_asking_what_is_heard_changes_nothing():
    error = muted(muted_rate=3, recent=every_minute(2))
    mute.heard(error, every_minute(4, 120.0))
    assert (error.muted_rate, error.recent) == (3, every_minute(2))


def test_of_what_is_counted_towards_a_rate_as_much_is_remembered_as_can_exceed_it():
    error = muted(muted_rate=3)
    mute.count_towards_rate(error, [(7200.0 * n, "") for n in range(9)])
    assert error.recent == [(7200.0 * n, "") for n in range(5, 9)]


def test_an_exceeded_rate_ends_its_mute_in_the_database(world: World):
    world.app().fail(1)
    with world.store.transaction():
        ErrorLog.update(muted_rate=3).execute()
        mute.count_towards_rate(ErrorLog.get(), every_minute(4))
    assert world.errors()[0].muted_rate is None


@pytest.mark.parametrize("text", ["0/h", "10001/h", "10", "10/d", ""])
def test_what_is_no_rate_is_refused(text: str):
    with pytest.raises(ValueError, match="10/h"):
        parse_rate(text)


class MutedContract:
    """Holds on both databases."""

    @pytest.mark.parametrize(
        ("until", "rate"), [(None, None), (5.0, None), (15.0, None), (None, 3.0), (5.0, 3.0)]
    )
    def test_a_query_and_a_row_agree_on_what_is_muted(self, world: World, until: float, rate: float) -> None:
        world.app().fail(3)
        with world.store.transaction():
            ErrorLog.update(muted_until=until, muted_rate=rate).execute()
            found = ErrorLog.select().where(muting.muted(10.0)).count() == 1
            error = ErrorLog.get()
        assert (
            found
            is muting.is_muted(error.muted_until, error.muted_rate, 10.0)
            is ((until, rate) not in QUIET)
        )


QUIET = [(None, None), (5.0, None)]


class TestMutedOnSqlite(MutedContract):
    database = "sqlite"


class TestMutedOnPostgres(MutedContract):
    database = "postgres"
