"""What is stored is brought under the present rules: counts stay exact, tickets go on, merging undoes it."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.world import HOUR, SETTINGS, World, an_error

from tocsin.daemon.ingest import new_errors
from tocsin.daemon.regrouping import regroup as regrouping
from tocsin.daemon.regrouping.plan import Join, Plan
from tocsin.daemon.regrouping.regroup import Regrouped, regroup
from tocsin.daemon.store import errors
from tocsin.daemon.store import regrouping as regrouping_store
from tocsin.daemon.store.models import (
    ErrorLog,
    History,
    HourCount,
    Mail,
    Sample,
    Signature,
    Ticket,
    Watch,
)
from tocsin.daemon.store.source_models import ErrorSource
from tocsin.daemon.store.split_models import Split
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.merge import merge
from tocsin.daemon.tickets.split import split

STEPS = {"grouping": {"rule": [{"logger": "shop", "text": r"^step (\w+)"}]}}
"""A rule by which one error of the shop's becomes one per step."""
Rule = dict[str, Any]
RULES = st.sampled_from([{}, STEPS, {"grouping": {"rule": [{"logger": "shop", "text": "o(n|t)"}]}}])
SAID = st.lists(
    st.tuples(
        st.sampled_from(["step one", "step two", "step three", "other"]),
        st.sampled_from([None, "acme", "martin", "nobody known"]),
    ),
    min_size=1,
    max_size=12,
)


def say(world: World, *texts: str, client: str | None = None, template: str | None = "%s failed") -> None:
    app = world.app()
    for text in texts:
        app.log(an_error(text, at=world.now, template=template, client=client))


def rules(world: World, more: dict[str, Any]) -> None:
    world.configure({**SETTINGS, **more})


def do(world: World, **more: Any) -> Regrouped:
    return regroup(world.store, world.config, "ann", world.now, **more)


def kinds(found: Regrouped) -> list[str]:
    return sorted(change.kind for change in found.changes)


def occurrences(world: World) -> list[int]:
    return [error.occurrences for error in world.errors()]


def counted(world: World) -> dict[int, int]:
    """Per error the sum of its hourly counts."""
    found: dict[int, int] = {}
    with world.store.reading():
        for row in HourCount.select():
            found[row.error_id] = found.get(row.error_id, 0) + row.count
    return found


def tickets(world: World) -> list[tuple[int, str, int]]:
    return [(ticket.id, ticket.status, ticket.error_id) for ticket in world.tickets()]


def steps(world: World) -> list[str]:
    with world.store.reading():
        return [row.action for row in History.select().order_by(History.id)]


def by_client_and_hour(world: World) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    with world.store.reading():
        for row in HourCount.select():
            found[row.client_id, row.hour] = found.get((row.client_id, row.hour), 0) + row.count
    return found


def empty(world: World) -> None:
    """The world without what an earlier example left in it."""
    with world.store.transaction():
        ErrorLog.update(merged_into=None).execute()
        for table in (
            History,
            Mail,
            Ticket,
            Watch,
            HourCount,
            Sample,
            Split,
            Signature,
            ErrorSource,
            ErrorLog,
        ):
            table.delete().execute()


def everything(world: World) -> list[object]:
    """What regrouping may change."""
    with world.store.reading():
        return [
            [
                list(table.select().order_by(table.id).tuples())
                for table in (ErrorLog, Ticket, Sample, History)
            ],
            sorted(HourCount.select().tuples()),
        ]


class RegroupContract:
    database = "sqlite"

    def test_nothing_changes_where_the_rules_are_the_same(self, world: World) -> None:
        say(world, "step one", "step two", "step one", client="acme")
        before = everything(world)
        assert do(world).changes == []
        assert everything(world) == before

    def test_samples_of_several_errors_are_told_apart(self, world: World) -> None:
        say(world, "step one", "step two", "step one")
        rules(world, STEPS)
        assert kinds(do(world)) == ["known", "told_apart"]
        assert occurrences(world) == [2, 1]
        assert counted(world) == {1: 2, 2: 1}

    def test_what_comes_next_is_counted_where_the_samples_went(self, world: World) -> None:
        say(world, "step one", "step two", "step one")
        rules(world, STEPS)
        do(world)
        say(world, "step one", "step two", "step three")
        assert occurrences(world) == [3, 2, 1]

    def test_errors_that_are_one_become_the_older_one(self, world: World) -> None:
        rules(world, STEPS)
        say(world, "step one", "step two", "step two")
        rules(world, {})
        assert kinds(do(world)) == ["joined", "known"]
        say(world, "step three")
        assert occurrences(world) == [4, 0]

    def test_merging_undoes_it(self, world: World) -> None:
        say(world, "step one", "step two", "step one")
        rules(world, STEPS)
        do(world)
        merge(world.store, world.config, 2, 1, "ann", world.now)
        assert (occurrences(world), counted(world)) == ([3, 0], {1: 3})
        assert do(world).changes == []
        say(world, "step two")
        assert occurrences(world) == [4, 0]

    def test_a_dry_run_says_the_same_and_changes_nothing(self, world: World) -> None:
        say(world, "step one", "step two")
        rules(world, STEPS)
        before = everything(world)
        said = do(world, dry_run=True)
        assert everything(world) == before
        assert kinds(said) == kinds(do(world))

    def test_a_client_s_ticket_goes_where_its_samples_went(self, world: World) -> None:
        for name in ("acme", "martin"):
            say(world, *["import"] * 3, client=name)
        split(world.store, 1, "client", "ann", world.now)
        before, done = len(world.mails()), len(steps(world))
        do(world)
        assert tickets(world) == [(1, "open", 1), (2, "open", 2)]
        assert set(steps(world)[done:]) == {"split"}
        say(world, *["import"] * 4, client="martin")
        assert (len(world.tickets()), len(world.mails())) == (2, before)

    def test_a_moved_ticket_closes_by_its_own_silence(self, world: World) -> None:
        for name in ("acme", "martin"):
            say(world, *["import"] * 3, client=name)
        split(world.store, 1, "client", "ann", world.now)
        do(world)
        app = world.app()
        world.live(12 * HOUR, app)
        app.log(an_error("import", at=world.now, template="%s failed", client="acme"))
        world.live(13 * HOUR, app)
        world.check()
        assert [status for _, status, _ in tickets(world)] == ["open", "closed"]

    def test_errors_of_which_each_has_a_ticket_of_one_client_go_on_side_by_side(self, world: World) -> None:
        rules(world, STEPS)
        say(world, *["step one"] * 3, *["step two"] * 3, client="acme")
        rules(world, {})
        before = tickets(world)
        assert kinds(do(world)) == ["known", "waiting"]
        assert tickets(world) == before
        say(world, "step two", client="acme")
        assert occurrences(world) == [4, 3]

    def test_of_two_that_go_on_side_by_side_neither_closes_while_the_error_comes(self, world: World) -> None:
        rules(world, STEPS)
        say(world, *["step one"] * 3, *["step two"] * 3, client="acme")
        rules(world, {})
        do(world)
        app = world.app()
        for _ in range(3):
            world.live(12 * HOUR, app)
            app.log(an_error("step two", at=world.now, template="%s failed", client="acme"))
            world.check()
        assert [status for _, status, _ in tickets(world)] == ["open", "open"]
        world.live(25 * HOUR, app)
        world.check()
        assert [status for _, status, _ in tickets(world)] == ["closed", "closed"]
        assert kinds(do(world)) == ["joined"]

    def test_what_is_resolved_and_muted_stays_so(self, world: World) -> None:
        say(world, "step one", "step two", "step one")
        by_hand = Manual(world.store, world.config)
        by_hand.mute(1, "ann", world.now, until=world.now + HOUR, rate=None)
        by_hand.resolve(1, "ann", world.now)
        rules(world, STEPS)
        do(world)
        assert [(error.resolved, error.muted_until) for error in world.errors()] == [
            (True, world.now + HOUR)
        ] * 2

    def test_an_error_over_the_cap_is_left_where_it_is(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(new_errors, "ERRORS_PER_PLACE", 2)
        say(world, "step one", "step two", "step three", "step one")
        rules(world, STEPS)
        do(world)
        assert sorted(occurrences(world)) == [1, 3]


class TestSqlite(RegroupContract):
    pass


class TestPostgres(RegroupContract):
    database = "postgres"


def test_a_few_errors_at_a_time_are_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrouping, "AT_ONCE", 2)
    for number in range(5):
        for name in ("one", "two"):
            function = f"run_{number}"
            world.app().log(an_error(f"step {name}", at=world.now, template="%s failed", function=function))
    rules(world, STEPS)
    lock = Mock(wraps=errors.lock)
    monkeypatch.setattr(regrouping.errors, "lock", lock)
    do(world)
    assert [sorted(call.args[1]) for call in lock.call_args_list] == [[1, 2], [3, 4], [5]]
    assert occurrences(world) == [1] * 10


def test_a_few_errors_at_a_time_are_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrouping, "AT_ONCE", 1)
    for number in range(3):
        for name in ("one", "two"):
            world.app().log(
                an_error(f"step {name}", at=world.now, template="%s failed", function=f"run_{number}")
            )
    rules(world, STEPS)
    ask = Mock(wraps=regrouping_store.sampled_errors)
    monkeypatch.setattr(regrouping_store, "sampled_errors", ask)
    do(world)
    assert [call.args[0] for call in ask.call_args_list] == [None, {1}, {2}, {3}]


def test_errors_that_depend_on_one_another_are_written_together() -> None:
    joins = (Join(2, 1), Join(4, 3), Join(5, 2))
    assert Plan(joins, (), (), ()).together == [{1, 2, 5}, {3, 4}]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=SAID, first=RULES, then=RULES, by=st.sampled_from(["", "client", r"text:(\w+)$"]))
def test_every_event_is_counted_once_whatever_is_regrouped(
    world: World, said: list[tuple[str, str | None]], first: Rule, then: Rule, by: str
) -> None:
    empty(world)
    rules(world, first)
    for text, client in said:
        world.now += 1700
        say(world, text, client=client)
    if by:
        split(world.store, world.errors()[0].id, by, "ann", world.now)
    rules(world, then)
    before = by_client_and_hour(world), sorted(status for _, status, _ in tickets(world)), world.mails()
    do(world)
    after = by_client_and_hour(world), sorted(status for _, status, _ in tickets(world)), world.mails()
    assert after == before
    assert sum(occurrences(world)) == len(said)
    assert {e.id: e.occurrences for e in world.errors() if e.occurrences} == counted(world)
    once = everything(world)
    assert kinds(do(world)) in ([], ["waiting"] * len(kinds(do(world))))
    assert everything(world) == once
