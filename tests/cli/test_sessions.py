"""`tocsin sessions`: the processes known, and writing one off."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.world import World

from tocsin.daemon import queries
from tocsin.daemon.cli import tocsin
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.models import Session
from tocsin.daemon.tickets.manual import ManualError
from tocsin.daemon.tickets.processes import write_off


@pytest.fixture
def lost(world: World) -> str:
    """A process with a backlog that is not heard of."""
    app = world.app(interval=600.0)
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


# The command itself


@pytest.fixture
def listed(world, lost, tmp_path, monkeypatch):
    """The command on the world's database; what it printed."""
    config = tmp_path / "tocsin.toml"
    config.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[database]\nurl = "{world.store.url}"\n')
    monkeypatch.setattr(clock, "now", lambda: world.now)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(
            tocsin, ["--config", str(config), "sessions", *arguments], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_the_processes_known_are_listed(listed, lost, arguments):
    assert lost[:8] in listed(*arguments)


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_another_services_processes_are_left_out(listed, lost, arguments):
    world_of_two = listed(*arguments, "--limit", "1", "--service", "shop", "--json")
    assert [one["id"] for one in json.loads(world_of_two)] == [lost]


def test_a_written_off_process_is_listed_as_gone(listed, lost):
    assert "written off" in listed("gone", lost[:8])
    assert "gone" in listed()
