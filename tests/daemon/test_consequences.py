"""What new occurrences mean for tickets."""

from __future__ import annotations

import pytest
from support.world import HOUR, World, an_exception

from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.models import Correction, ErrorLog, Ticket
from tocsin.daemon.tickets.manual import Manual


def resolve(world: World) -> None:
    Manual(world.store, world.config).resolve(world.errors()[0].id, "ana", world.now)


def test_an_occurrence_after_it_was_resolved_leaves_an_error_without_a_moment_of_resolution(world: World):
    app = world.app()
    app.fail(1)
    resolve(world)
    world.live(60, app)
    app.fail(1)
    assert [(error.resolved, error.resolved_at) for error in world.errors()] == [(False, None)]


def test_an_occurrence_from_before_it_was_resolved_leaves_an_error_resolved(world: World):
    app = world.app()
    app.fail(1)
    world.live(60, app)
    resolve(world)
    app.log(an_exception(world.now - 30))
    assert [(error.resolved, error.resolved_at) for error in world.errors()] == [(True, world.now)]


def test_an_error_reopened_by_a_ticket_has_no_moment_of_resolution(world: World):
    app = world.app()
    app.fail()
    resolve(world)
    world.live(HOUR, app)
    app.fail(1)
    assert [(error.resolved, error.resolved_at) for error in world.errors()] == [(False, None)]
    assert [ticket.status for ticket in world.tickets()] == ["open"]


def test_a_second_client_gets_a_ticket_of_its_own_and_the_admins_no_second_notice(world: World):
    app = world.app()
    app.fail(client="martin")
    app.fail(2, client="acme")
    assert [ticket.client_id for ticket in world.tickets()] == ["martin", "acme"]
    assert [kind for kind, to in world.mails() if to == "ops@tocsin.example"] == ["notice"]


def test_the_corrections_of_an_error_are_asked_for_once_however_many_clients_it_hits(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    old = world.app()
    for client in ("martin", "acme", ""):
        old.fail(client=client)
    with world.store.transaction():
        Correction.create(
            error=1, file_path="orders.py", old_code="a", new_code="b", applied_by="ana",
            applied_at=world.now + 1, recorded_at=world.now + 1,
        )  # fmt: skip
    world.now += 2
    resolve(world)
    world.live(HOUR, world.app())
    asked = []
    ask = rows.corrections
    monkeypatch.setattr(rows, "corrections", lambda error_id: asked.append(error_id) or ask(error_id))
    events = [an_exception(world.now, client=client) for client in ("martin", "acme", "", "new")]
    world.digest.handle([Received("", old.batch(*events))], world.now)
    assert asked == [1]
    assert {ticket.status for ticket in world.tickets()} == {"closed"}


def test_over_the_caps_one_ticket_stands_for_all_and_says_of_which_error_first(world: World):
    world.configure({"tickets": {"new_per_hour": 1}})
    app = world.app()
    for function in ("price", "weigh", "pack"):
        app.fail(function=function)
    with world.store.reading():
        found = [(t.error.title, [h.details.get("folded") for h in t.history]) for t in Ticket.select()]
        second = ErrorLog.get(ErrorLog.function == "weigh").id
    assert [rows for title, rows in found if title.startswith("More errors")] == [[second]]
