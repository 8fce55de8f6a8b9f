"""The errors of new signatures, and their caps."""

from __future__ import annotations

import pytest
from peewee import fn
from support.world import App, World, an_error

from tocsin.daemon.ingest import new_errors
from tocsin.daemon.ingest.new_errors import OVERFLOW
from tocsin.daemon.store.models import ErrorLog


def log_kinds(world: World, app: App, number: int, *, function: str = "place", first: int = 0) -> None:
    """So many errors of their own at one code location."""
    kinds = (f"kind {n}" for n in range(first, first + number))
    app.log(*(an_error(kind, at=world.now, function=function, fingerprint=(kind,)) for kind in kinds))


def own_and_overflow(world: World) -> tuple[int, dict[str, int]]:
    """How many errors are no overflow errors; the occurrences of those that are, by title."""
    with world.store.reading():
        over = ErrorLog.select().where(fn.SUBSTR(ErrorLog.signature, 1, len(OVERFLOW)) == OVERFLOW)
        found = {error.title: error.occurrences for error in over}
        return ErrorLog.select().count() - len(found), found


def test_a_code_location_with_its_number_of_errors_counts_the_rest_in_one(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(new_errors, "ERRORS_PER_PLACE", 3)
    app = world.app()
    log_kinds(world, app, 5)
    log_kinds(world, app, 2, first=5)
    assert own_and_overflow(world) == (3, {"More errors of many kinds in orders.place": 4})


def test_a_full_code_location_leaves_others_their_errors(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_errors, "ERRORS_PER_PLACE", 3)
    app = world.app()
    log_kinds(world, app, 5)
    log_kinds(world, app, 2, function="weigh", first=5)
    assert own_and_overflow(world)[0] == 5


def test_a_service_with_its_number_of_errors_counts_the_rest_in_one(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(new_errors, "ERRORS_PER_SERVICE", 2)
    app = world.app()
    for n in range(4):
        log_kinds(world, app, 1, function=f"place_{n}", first=n)
    assert own_and_overflow(world) == (2, {"More errors of many kinds in the service shop": 2})


def test_errors_known_before_the_cap_was_reached_go_on(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_errors, "ERRORS_PER_PLACE", 3)
    app = world.app()
    log_kinds(world, app, 5)
    log_kinds(world, app, 5)
    assert [error.occurrences for error in world.errors() if not error.signature.startswith(OVERFLOW)] == [
        2, 2, 2,
    ]  # fmt: skip
