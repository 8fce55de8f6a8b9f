"""A database of version 1 goes on under version 2: numbers and tickets stay, none opens, reopens or closes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.world import HOUR, World, an_error, an_exception

from tocsin.daemon.grouping.sign import sign
from tocsin.daemon.ingest.versions import BOTH_FOR, SINCE
from tocsin.daemon.regrouping.regroup import regroup
from tocsin.daemon.store import errors, signatures
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog, History, KeyValue, Signature
from tocsin.daemon.store.regrouping import named_under
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.merge import merge
from tocsin.handler.protocol.event import Event, Frame, Raised

FAILED = (
    "up: b'Traceback (most recent call last):\\n  File \"/srv/a.py\", line 3, in {0}\\n    {0}()\\n{1}: x\\n'"
)
PRINTED = 'Traceback (most recent call last):\n  File "/srv/shop/jobs.py", line 3, in run\n    run()\n{}: x'


def one_kind(number: int, at: float) -> Event:
    """An error of its own under both versions."""
    return an_exception(at, function=f"price_{number}")


def hidden(name: str, at: float) -> Event:
    """Under version 1 every such event is one error with the type ''; under version 2 each its own."""
    return an_error(FAILED.format(name, f"{name.title()}Error"), at=at)


def named(type_: str, at: float) -> Event:
    """`KeyError` and `builtins.KeyError` are two errors under version 1 and one under version 2."""
    return an_error(PRINTED.format(type_), at=at)


def as_version_1(world: World, events: Sequence[tuple[Event, Event]]) -> None:
    """Makes the database one of version 1: what was logged as the first of each two is known as the second."""
    with world.store.transaction():
        KeyValue.delete().where(KeyValue.key == SINCE).execute()
        for logged, event in events:
            new, old = sign(logged, {}).fine, sign(event, {}, version=1)
            for table in (ErrorLog, Signature):
                table.update(signature=old.fine).where(table.signature == new).execute()
            ErrorLog.update(coarse=old.coarse).where(ErrorLog.signature == old.fine).execute()
    world.configure({"tickets": {"new_per_hour": 10_000}})


def gather(world: World, events: Sequence[Event]) -> None:
    """Makes the errors of these events one error of version 1, as it was before the upgrade."""
    with world.store.transaction():
        first, *others = [errors.owners([key_of(event)])[key_of(event)] for event in events]
    for other in others:
        merge(world.store, world.config, other, first, "ann", world.now)
    with world.store.transaction():
        KeyValue.delete().where(KeyValue.key == SINCE).execute()
        Signature.delete().execute()
        ErrorLog.delete().where(ErrorLog.id.in_(others)).execute()
        old = sign(events[0], {}, version=1).fine
        ErrorLog.update(signature=old).where(ErrorLog.id == first).execute()
        errors.point(Key("shop", "production", old), ErrorLog.get_by_id(first))
    world.configure({"tickets": {"new_per_hour": 10_000}})


def key_of(event: Event) -> Key:
    return Key("shop", "production", sign(event, {}).fine)


def tickets_of(world: World) -> list[tuple[int, str, int]]:
    return [(ticket.id, ticket.status, ticket.error_id) for ticket in world.tickets()]


def steps(world: World) -> list[str]:
    with world.store.reading():
        return sorted(row.action for row in History.select())


class VersionsContract:
    database = "sqlite"

    @pytest.fixture
    def settled(self, world: World) -> World:
        world.configure({"tickets": {"new_per_hour": 10_000}})
        return world

    @pytest.mark.timeout(240)
    def test_a_thousand_errors_with_tickets_go_on(self, settled: World) -> None:
        world, app = settled, settled.app()
        for number in range(1000):
            app.log(*(one_kind(number, world.now - ago) for ago in (20, 10, 0)))
        kinds = [one_kind(number, world.now) for number in range(1000)]
        as_version_1(world, list(zip(kinds, kinds, strict=True)))
        before, done, errors = tickets_of(world), steps(world), [error.id for error in world.errors()]
        assert len(before) == 1000
        world.now += 60
        app = world.app()
        for start in range(0, 1000, 100):
            app.log(*(one_kind(number, world.now) for number in range(start, start + 100) for _ in range(4)))
        world.live(HOUR, app)
        world.check()
        assert tickets_of(world) == before
        assert [error.id for error in world.errors()] == errors
        assert [step for step in steps(world) if step in ("opened", "reopened", "closed")] == [
            step for step in done if step in ("opened", "reopened", "closed")
        ]

    def test_what_becomes_several_stays_one_while_its_ticket_is_open(self, settled: World) -> None:
        world, app = settled, settled.app()
        app.log(*(hidden("convert", world.now) for _ in range(3)))
        as_version_1(world, [(hidden("convert", world.now), hidden("convert", world.now))])
        app = world.app()
        app.log(*(hidden(name, world.now) for name in ("convert", "bill", "upload") for _ in range(4)))
        assert len(world.tickets()) == len(world.errors()) == 1
        world.now += BOTH_FOR + 1
        app = world.app()
        app.log(*(hidden(name, world.now) for name in ("convert", "bill", "upload")))
        assert [error.occurrences for error in world.errors()] == [16, 1, 1]

    def test_what_becomes_one_keeps_both_tickets_until_one_closes(self, settled: World) -> None:
        world, app = settled, settled.app()
        one, other = named("KeyError", world.now), named("builtins.KeyError", world.now)
        app.log(one, one, one)
        app.log(*[one_kind(1, world.now)] * 3)
        as_version_1(world, [(one, one), (one_kind(1, world.now), other)])
        before = tickets_of(world)
        app = world.app()
        app.log(one)
        app.log(other)
        app.log(other, one)
        assert tickets_of(world) == before
        assert [error.occurrences for error in world.errors()] == [5, 5]
        Manual(world.store, world.config).resolve(2, "ann", world.now)
        done = steps(world)
        world.now += 60
        app.log(named("builtins.KeyError", world.now))
        assert [error.merged_into_id for error in world.errors()] == [None, 1]
        assert [status for _, status, _ in tickets_of(world)] == ["open", "closed"]
        assert "closed" not in steps(world)[len(done) :]

    def test_both_versions_are_computed_while_errors_that_became_one_have_tickets(
        self, settled: World
    ) -> None:
        world = settled
        one, other = named("KeyError", world.now), named("builtins.KeyError", world.now)
        world.app().log(one, one, one)
        world.app().log(*[one_kind(1, world.now)] * 3)
        as_version_1(world, [(one, one), (one_kind(1, world.now), other)])
        app = world.app()
        app.log(one)
        app.log(other)
        world.now += BOTH_FOR + HOUR
        app.log(named("builtins.KeyError", world.now))
        assert [error.occurrences for error in world.errors()] == [4, 5]

    def test_regrouping_leaves_whole_what_stays_one_while_its_ticket_is_open(self, settled: World) -> None:
        world = settled
        world.app().log(*(hidden(name, world.now) for name in ("convert", "bill", "bill", "bill")))
        one, other = (hidden(name, world.now) for name in ("convert", "bill"))
        gather(world, [one, other])
        regroup(world.store, world.config, "ann", world.now)
        assert [error.occurrences for error in world.errors()] == [4]

    def test_regrouping_tells_apart_what_has_no_ticket_for_good(self, settled: World) -> None:
        world = settled
        world.app().log(
            hidden("convert", world.now), hidden("bill", world.now - HOUR), hidden("bill", world.now)
        )
        one, other = (hidden(name, world.now) for name in ("convert", "bill"))
        gather(world, [one, other])
        regroup(world.store, world.config, "ann", world.now)
        assert [error.occurrences for error in world.errors()] == [2, 1]
        world.app().log(one, other)
        assert [error.occurrences for error in world.errors()] == [3, 2]

    def test_a_new_database_is_signed_under_one_version(self, settled: World) -> None:
        settled.app().log(one_kind(1, settled.now))
        assert not settled.digest._memory.signatures.both

    @pytest.mark.parametrize("version", ["1", "2", "10", "100"])
    def test_a_version_may_have_any_number_of_digits(self, world: World, version: str) -> None:
        world.app().fail(3)
        known = sign(one_kind(1, 0.0), {}).fine.partition(":")[2]
        with world.store.transaction():
            for number in ("1", "2", "10", "100"):
                Signature.create(service="shop", signature=f"{number}:{known}", error=1)
            Signature.delete().where(Signature.signature != f"{version}:{known}").execute()
            found = [
                one
                for one in ("1:", "2:", "10:", "100:")
                if signatures.has_version(one) and named_under(one, [1])
            ]
        assert found == [f"{version}:"]


class TestSqlite(VersionsContract):
    pass


class TestPostgres(VersionsContract):
    database = "postgres"


def test_a_signature_of_both_versions_names_the_older_one() -> None:
    event = one_kind(1, 0.0)
    found = sign(event, {}, older=True)
    assert (found.fine[:2], found.older) == ("2:", sign(event, {}, version=1).fine)


def test_an_errors_printed_type_decides_only_under_version_2() -> None:
    one, other = named("KeyError", 0.0), named("builtins.KeyError", 0.0)
    assert sign(one, {}).fine == sign(other, {}).fine
    assert sign(one, {}, version=1).fine != sign(other, {}, version=1).fine


def test_a_frame_of_the_frozen_application_is_its_own() -> None:
    event = an_error(
        at=0.0, exception=Raised("KeyError", "1", (Frame("<frozen shop.a>", "shop.a", "run", 3),))
    )
    assert sign(event, {}).location.module == "shop.a"
