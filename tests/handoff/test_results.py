"""Corrections and their results in the database: one contract on SQLite and Postgres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.world import World

from tocsin.daemon import queries
from tocsin.daemon.corrections.recording import CorrectionError, NewCorrection, judged, record
from tocsin.daemon.store.database import Store

CHANGE = NewCorrection(1, "shop/orders.py", "return PRICES[sku]", "return PRICES.get(sku, 0)", "", "copilot")


def recorded(there: World, project: Path) -> list[int]:
    """The numbers of the correction, recorded."""
    return [one.id for one in record(there.store, there.config, [CHANGE], project=project, now=there.now)]


class Contract:
    """What both databases keep to."""

    database = "sqlite"

    @pytest.fixture
    def there(self, store: Store) -> World:
        world = World(store)
        world.app().fail(3, client="martin")
        return world

    def judge(self, world: World, ids: list[int], status: str, **results: Any) -> None:
        found = {"status": status, "summary": "said", **results}
        judged(world.store, world.config, 1, ids, status, found, now=world.now, by="copilot")

    def test_results_come_back_as_they_were(self, there: World, project: Path) -> None:
        ids = recorded(there, project)
        self.judge(there, ids, "passed", runs=[{"tail": "é\n\x1b[1m", "exit_code": None, "seconds": 0.25}])
        found = queries.corrections(there.store)[0]
        assert found.test_status == "passed"
        assert found.test_results["runs"] == [{"tail": "é\n\x1b[1m", "exit_code": None, "seconds": 0.25}]

    def test_a_batch_brings_any_text_without_harm(self, there: World, project: Path) -> None:
        results = {"status": "failed", "summary": "a\0b", "runs": [{"tail": "\0"}], "validated_at": "no time"}
        change = NewCorrection(
            1, CHANGE.file_path, CHANGE.old_code, CHANGE.new_code, "d\0", "me", "failed", results
        )
        record(there.store, there.config, [change], project=project, now=there.now)
        found = queries.corrections(there.store)[0]
        assert (found.test_status, found.description) == ("failed", "d\u2400")
        assert there.history(there.tickets()[0])[-1] == "validation_failed"

    def test_a_batch_is_recorded_whole_or_not_at_all(self, there: World, project: Path) -> None:
        unknown = NewCorrection(99, CHANGE.file_path, CHANGE.old_code, CHANGE.new_code)
        with pytest.raises(CorrectionError, match="no error 99"):
            record(there.store, there.config, [CHANGE, unknown], project=project, now=there.now)
        assert queries.corrections(there.store) == []
        assert there.tickets()[0].status == "open"

    def test_one_failed_change_of_a_batch_fails_its_error(self, there: World, project: Path) -> None:
        passed = NewCorrection(1, "shop/orders.py", "a", "PRICES", "", "me", "passed", {"status": "passed"})
        failed = NewCorrection(1, "shop/orders.py", "b", "price", "", "me", "failed", {"status": "failed"})
        record(there.store, there.config, [failed, passed], project=project, now=there.now)
        found = queries.corrections(there.store)
        assert {(one.test_status, one.test_results["status"]) for one in found} == {("failed", "failed")}
        assert there.tickets()[0].status == "in_progress"

    def test_a_result_is_not_about_what_was_recorded_after_it_began(
        self, there: World, project: Path
    ) -> None:
        first = recorded(there, project)
        later = NewCorrection(1, "shop/orders.py", "x", "def price")
        record(there.store, there.config, [later], project=project, now=there.now + 1)
        with pytest.raises(CorrectionError, match="changed meanwhile"):
            self.judge(there, first, "passed")
        assert {one.test_status for one in queries.corrections(there.store)} == {"pending"}


class TestSqlite(Contract):
    database = "sqlite"


class TestPostgres(Contract):
    database = "postgres"
