"""The metrics of a lived history: the specification's numbers, and the honest ones beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.world import HOUR, World, an_exception

from tocsin.daemon import queries
from tocsin.daemon.corrections import recording
from tocsin.daemon.corrections.recording import NewCorrection
from tocsin.daemon.store.models import Ticket
from tocsin.daemon.tickets.manual import Manual

DAY = 24 * HOUR
SPECIFIED = (
    "SELECT COUNT(*) FROM support_tickets WHERE source = 'auto_detection';",
    """SELECT COUNT(CASE WHEN metadata->>'auto_closed' = 'true' THEN 1 END) * 100.0 / COUNT(*), COUNT(*)
  FROM support_tickets WHERE source = 'auto_detection';""",
    """SELECT AVG(EXTRACT(EPOCH FROM (closed_at - created_at))/3600) AS avg_hours
  FROM support_tickets WHERE source = 'auto_detection' AND closed_at IS NOT NULL;""",
    """SELECT e.source, e.message, COUNT(c.id) AS corrections_count
  FROM error_logs e JOIN error_corrections c ON c.error_id = e.id
 GROUP BY e.source, e.message ORDER BY corrections_count DESC LIMIT 10;""",
)
FUNCTIONS = ("price", "weigh", "pack", "label")


def correct(world: World, project: Path, error_id: int, by: str) -> None:
    (project / "orders.py").write_text(f"good, says {by}\n")
    change = NewCorrection(error_id, "orders.py", "bad", f"good, says {by}", "", by)
    recording.record(world.store, world.config, [change], project=project, now=world.now)


def a_history(world: World, project: Path) -> None:
    """Four errors: corrected and closed; corrected, closed and back; resolved by hand; still there."""
    app = world.app(age=HOUR)
    for function in FUNCTIONS:
        app.fail(3, function=function)
    correct(world, project, 1, "copilot")
    correct(world, project, 2, "copilot")
    Manual(world.store, world.config).resolve(3, "ana", world.now + 30)
    Manual(world.store, world.config).open("a wish", "", "ana", world.now)
    for _ in range(2):
        world.live(DAY / 2, app)
        app.fail(1, function="label")
    world.check()
    world.live(DAY, app)
    app.fail(1, function="weigh")
    app.fail(1, function="label")
    world.live(60, app)
    correct(world, project, 2, "ana")


def holding(world: World) -> dict[str, tuple[int, int, int]]:
    """Per hand how many corrections held, came back, are undecided."""
    found = queries.metrics(world.store).by_applied_by
    return {one.applied_by: (one.held, one.came_back, one.undecided) for one in found}


class MetricsContract:
    def test_a_correction_under_which_the_error_came_back_did_not_hold_though_it_closed_later(
        self, world: World, tmp_path: Path
    ):
        app = world.app()
        app.fail(3)
        for by in ("copilot", "ana"):
            correct(world, tmp_path, 1, by)
            world.live(2 * HOUR, app)
            app.fail(1)
            world.live(600, app)
        world.live(DAY, app)
        world.check()
        assert world.tickets()[0].status == "closed"
        assert holding(world) == {"copilot": (0, 1, 0), "ana": (0, 1, 0)}

    def test_a_reappearance_right_after_a_correction_is_known_of_it(self, world: World, tmp_path: Path):
        app = world.app()
        app.fail(3)
        world.live(2 * HOUR, app)
        app.fail(1)
        world.live(600, app)
        correct(world, tmp_path, 1, "copilot")
        world.live(600, app)
        app.fail(1)
        assert holding(world) == {"copilot": (0, 1, 0)}

    def test_what_happened_before_a_correction_and_was_told_late_is_not_held_against_it(
        self, world: World, tmp_path: Path
    ):
        app, held_back = world.app(), world.app(age=DAY)
        app.fail(3)
        held_back.heartbeat(backlog=100)
        world.live(2 * HOUR, app)
        correct(world, tmp_path, 1, "copilot")
        world.live(HOUR, app)
        held_back.log(an_exception(world.now - 2 * HOUR))
        held_back.goodbye()
        world.live(DAY, app)
        world.check()
        assert holding(world) == {"copilot": (1, 0, 0)}

    def test_corrections_that_were_applied_together_share_the_verdict(self, world: World, tmp_path: Path):
        app = world.app()
        app.fail(3)
        correct(world, tmp_path, 1, "copilot")
        correct(world, tmp_path, 1, "ana")
        world.live(DAY, app)
        world.check()
        assert holding(world) == {"copilot": (1, 0, 0), "ana": (1, 0, 0)}

    def test_the_numbers_of_a_lived_history(self, world: World, tmp_path: Path):
        a_history(world, tmp_path)
        numbers = queries.metrics(world.store)
        with world.store.reading():
            closed = list(Ticket.select().where(Ticket.closed_at.is_null(False)).order_by(Ticket.id))
        hours = [(ticket.closed_at - ticket.created_at) / HOUR for ticket in closed]
        assert [ticket.error_id for ticket in closed] == [1, 3]
        assert numbers.auto_tickets == 4
        assert numbers.auto_closed_percent == 25.0
        assert numbers.mean_hours_to_resolution == pytest.approx(sum(hours) / 2, abs=1e-3)
        assert numbers.median_hours_to_resolution == pytest.approx(sum(hours) / 2, abs=1e-3)
        # Grouped by file and message, which the two corrected errors share.
        assert [one.corrections_count for one in numbers.top_corrected] == [3]

    def test_the_honest_numbers_beside_them(self, world: World, tmp_path: Path):
        a_history(world, tmp_path)
        numbers = queries.metrics(world.store)
        assert numbers.false_closing_percent == 50.0  # two closed by themselves, one of them came back
        assert numbers.median_seconds_to_ticket == 120.0  # three occurrences, a minute apart
        holds = {one.applied_by: (one.held, one.came_back, one.undecided) for one in numbers.by_applied_by}
        assert holds == {"copilot": (1, 1, 0), "ana": (0, 0, 1)}


class TestMetricsOnSqlite(MetricsContract):
    database = "sqlite"


class TestMetricsOnPostgres(MetricsContract):
    database = "postgres"

    def test_the_specification_s_sql_runs_as_it_stands_and_agrees(self, world: World, tmp_path: Path):
        a_history(world, tmp_path)
        numbers = queries.metrics(world.store)
        database: Any = world.store.database
        total, percent, hours, top = (database.execute_sql(query).fetchall() for query in SPECIFIED)
        assert total == [(numbers.auto_tickets,)]
        assert (float(percent[0][0]), percent[0][1]) == (numbers.auto_closed_percent, numbers.auto_tickets)
        assert round(float(hours[0][0]), 4) == numbers.mean_hours_to_resolution
        assert sorted(top) == sorted(
            (one.source, one.message, one.corrections_count) for one in numbers.top_corrected
        )
