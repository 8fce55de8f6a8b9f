"""An error that people split is several from now on; merging the parts undoes it."""

from __future__ import annotations

import pytest
from support.world import World, an_error

from tocsin.daemon.store import signatures
from tocsin.daemon.tickets.manual import ManualError
from tocsin.daemon.tickets.merge import merge
from tocsin.daemon.tickets.split import split


def occurrences(world: World) -> list[int]:
    return [error.occurrences for error in world.errors()]


def say(world: World, *names: str) -> None:
    app = world.app()
    for name in names:
        app.log(
            an_error(f"import of {name} failed", at=world.now, template="import of %s failed", client=name)
        )


def splits(world: World) -> int:
    with world.store.reading():
        return len(signatures.splits())


class SplitContract:
    database = "sqlite"

    @pytest.mark.parametrize("by", ["client", r"text:^import of (\w+)"])
    def test_events_are_told_apart_from_then_on(self, world: World, by: str) -> None:
        say(world, "acme", "martin")
        split(world.store, 1, by, "ann", world.now)
        say(world, "acme", "martin", "martin")
        assert occurrences(world) == [3, 2]

    def test_the_first_part_keeps_the_tickets(self, world: World) -> None:
        say(world, "acme", "acme", "acme")
        split(world.store, 1, "client", "ann", world.now)
        say(world, "acme", "martin")
        assert [ticket.error_id for ticket in world.tickets()] == [1]

    def test_merging_the_last_part_undoes_it(self, world: World) -> None:
        say(world, "acme")
        split(world.store, 1, "client", "ann", world.now)
        say(world, "acme", "martin", "zoe")
        merge(world.store, world.config, 2, 1, "ann", world.now)
        assert splits(world) == 1
        merge(world.store, world.config, 3, 1, "ann", world.now)
        assert splits(world) == 0
        say(world, "somebody else")
        assert occurrences(world) == [5, 0, 0]


class TestSqlite(SplitContract):
    pass


class TestPostgres(SplitContract):
    database = "postgres"


@pytest.mark.parametrize("by", ["text:(", "colour", ""])
def test_what_cannot_tell_apart_is_refused(world: World, by: str) -> None:
    say(world, "acme")
    with pytest.raises(ManualError):
        split(world.store, 1, by, "ann", world.now)
