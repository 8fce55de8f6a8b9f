"""`tocsin sessions`: the processes known, and writing one off."""

from __future__ import annotations

import pytest
from support.world import World

from tocsin.daemon import queries
from tocsin.daemon.store.models import Session
from tocsin.daemon.tickets.manual import ManualError
from tocsin.daemon.tickets.processes import write_off


@pytest.fixture
def lost(world: World) -> str:
    """A process with a backlog that is not heard of."""
    app = world.app()
    app.heartbeat(backlog=700)
    world.now += 3600
    return app.header.session


def test_a_written_off_process_is_shown_with_the_moment(world, lost):
    write_off(world.store, lost, world.now)
    [session] = queries.status(world.store, world.config, world.now).sessions
    assert session.gone_at == world.now


def test_a_written_off_process_is_no_problem_any_more(world, lost):
    before = queries.status(world.store, world.config, world.now).problems
    write_off(world.store, lost, world.now)
    after = queries.status(world.store, world.config, world.now).problems
    assert len(before) == len(after) + 1


def test_the_beginning_of_an_id_is_enough(world, lost):
    assert write_off(world.store, lost[:8], world.now).id == lost


@pytest.mark.parametrize("given", ["", "nobody", "%"])
def test_a_process_that_nobody_knows_is_refused(world, lost, given):
    with pytest.raises(ManualError, match="there is no process"):
        write_off(world.store, given, world.now)
    assert Session.get_by_id(lost).gone_at is None


def test_a_beginning_that_means_several_is_refused(world):
    digits = [world.app().header.session[0] for _ in range(17)]
    shared = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(ManualError, match="several processes"):
        write_off(world.store, shared, world.now)


def test_a_process_that_ended_in_order_is_refused(world):
    app = world.app()
    app.goodbye()
    with pytest.raises(ManualError, match="ended in order"):
        write_off(world.store, app.header.session, world.now)


def test_writing_off_twice_is_refused(world, lost):
    write_off(world.store, lost, world.now)
    with pytest.raises(ManualError, match="already"):
        write_off(world.store, lost, world.now)
