"""The weekly report: when it is due in any zone, what it counts, and its chart; time is given."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import SETTINGS, START, an_exception

from tocsin.daemon.config import parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.operations.weekly import WeeklyReport, last_due
from tocsin.daemon.outgoing import picture
from tocsin.daemon.queries.week import CHARTED, week
from tocsin.daemon.store.models import Mail
from tocsin.daemon.tickets.manual import Manual

HOUR = 3600.0
DAY = 86400.0
WEEK = 7 * DAY
ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "UTC")


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("now", "due"),
    [("2026-11-30T08:00", "2026-11-30T08:00"), ("2026-11-30T07:59", "2026-11-23T08:00"),
     ("2026-12-06T23:00", "2026-11-30T08:00"), ("2026-03-30T12:00", "2026-03-30T08:00")],
    ids=["at the hour", "a minute before", "a week later", "the day after the clocks changed"],
)  # fmt: skip
def test_the_report_is_due_on_monday_at_eight_of_its_zone(now, due):
    paris = ZoneInfo("Europe/Paris")
    assert last_due(at(now, "Europe/Paris"), 0, 8, paris) == at(due, "Europe/Paris")


@given(st.floats(0, 4e9), st.integers(0, 6), st.integers(0, 23), st.sampled_from(ZONES))
def test_it_was_due_within_the_last_week_on_that_day_whatever_the_clocks_did(now, day, hour, zone):
    due = last_due(now, day, hour, ZoneInfo(zone))
    assert now - 8 * DAY < due <= now
    local = datetime.fromtimestamp(due, ZoneInfo(zone))
    # An hour that a clock leaves out is the one after it; Apia left out a whole day.
    assert local.weekday() == day or zone == "Pacific/Apia"


@given(st.floats(0, 4e9), st.floats(0, 2 * WEEK), st.sampled_from(ZONES))
def test_what_was_due_never_goes_back(now, later, zone):
    assert last_due(now, 2, 3, ZoneInfo(zone)) <= last_due(now + later, 2, 3, ZoneInfo(zone))


@pytest.fixture
def report(world):
    """Looks whether the report is due, so many seconds later; the facts of what was queued by it."""

    def look(after: float = 0.0):
        world.now += after
        known = {row.id for row in Mail.select()}
        WeeklyReport(world.store, world.config).run(world.now)
        return [row.facts for row in Mail.select() if row.id not in known and row.kind == "weekly"]

    return look


ZONED = {**SETTINGS, "weekly": {"timezone": "Europe/Paris"}}


class WeeklyContract:
    """Holds on both databases."""

    def test_each_week_is_reported_once_and_the_first_look_only_begins_it(self, world, report):
        world.configure(ZONED)
        found = [len(report(DAY / 2)) for _ in range(42)]
        assert sum(found) == 3
        assert found[0] == 0

    def test_what_was_missed_while_no_daemon_ran_is_one_report(self, world, report):
        world.configure(ZONED)
        report()
        assert len(report(5 * WEEK)) == 1

    def test_a_report_counts_what_its_week_brought(self, world, report):
        world.configure(ZONED)
        report()
        due = last_due(START, 0, 8, ZoneInfo("Europe/Paris")) + WEEK
        world.now = due - 2 * DAY
        app = world.app()
        app.fail(3)
        app.log(*(an_exception(world.now - n, function="other", line=9) for n in range(5)))
        manual = Manual(world.store, world.config)
        manual.close(1, "ana", world.now + 60)
        world.now = due + HOUR
        app.fail(2)
        (facts,) = report()
        numbers = {
            key: facts[key]
            for key in ("new_errors", "opened", "closed", "closed_automatically", "occurrences")
        }
        assert numbers == {
            "new_errors": 2,
            "opened": 2,
            "closed": 1,
            "closed_automatically": 0,
            "occurrences": 8,
        }
        assert [(one["title"], one["count"]) for one in facts["top"]] == [
            ("KeyError: *", 5),
            ("KeyError: *", 3),
        ]
        assert facts["until"] - facts["since"] == WEEK

    def test_the_chart_has_a_day_for_each_of_four_weeks(self, world):
        world.app().fail(3)
        days = week(world.store, world.now - WEEK, world.now + 1).days
        assert len(days) == CHARTED
        assert [day.opened for day in days] == [0] * (CHARTED - 1) + [1]
        assert days[-1].day == datetime.fromtimestamp(world.now, UTC).date().isoformat()


class TestSqlite(WeeklyContract):
    database = "sqlite"


class TestPostgres(WeeklyContract):
    database = "postgres"


def test_the_report_can_be_switched_off_and_on_without_one_for_the_time_between(world, report):
    world.configure({**ZONED, "weekly": {"enabled": False}})
    report()
    assert report(3 * WEEK) == []
    world.configure(ZONED)
    assert report() == []


@pytest.mark.parametrize(("monday", "hours"), [("2027-03-29", 167), ("2027-11-01", 169), ("2027-06-07", 168)])
def test_a_week_in_which_the_clocks_change_is_reported_whole(world, report, monday, hours):
    world.configure(ZONED)
    world.now = at(f"{monday}T09:00", "Europe/Paris") - WEEK
    report()
    (facts,) = report(WEEK)
    assert facts["until"] - facts["since"] == hours * HOUR


def test_the_day_and_hour_are_settings(world, report):
    world.configure({**SETTINGS, "weekly": {"timezone": "UTC", "day": "thursday", "hour": 23}})
    report()
    world.now = last_due(world.now, 3, 23, UTC) + WEEK - 60
    assert report() == []
    assert len(report(60)) == 1


def test_a_zone_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"weekly\.timezone = 'Pariss' is no time zone"):
        parse({"weekly": {"timezone": "Pariss"}}, {})


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of a PNG with a palette, every checksum looked at."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length]) == (
            zlib.crc32(name + data),
        )
        chunks[name] = data
        place += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = zlib.decompress(chunks[b"IDAT"])
    return width, height, [rows[at + 1 : at + 1 + width] for at in range(0, len(rows), width + 1)]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=60))
def test_the_chart_s_bars_are_as_high_as_their_numbers(pairs):
    width, height, rows = pixels(picture.bars(pairs))
    assert (len(rows), {len(row) for row in rows}) == (height, {width})
    heights = [sum(which in row for row in rows) for which in (1, 2)]
    top = max((count for pair in pairs for count in pair), default=0)
    for which, tallest in enumerate(heights):
        most = max((pair[which] for pair in pairs), default=0)
        assert tallest == (max(2, (height - 4) * most // top) if most else 0)
