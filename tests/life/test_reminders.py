"""What waits is called to mind once, and so is an error that becomes ten times as frequent; time is given."""

from __future__ import annotations

import pytest
from support.world import SETTINGS, START, an_exception

from tocsin.daemon.store import reminders
from tocsin.daemon.store.models import ErrorLog, Mail, Ticket, Watch
from tocsin.daemon.store.reminder_models import Reminder
from tocsin.daemon.tickets import admin
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.reminders import Reminders

HOUR = 3600.0
DAY = 86400.0
OURS = ("reminder", "more_frequent")


@pytest.fixture
def remind(world):
    """Looks for what to remind of, so many seconds later; the facts of what was queued by it."""

    def look(after: float = 0.0):
        world.now += after
        known = {row.id for row in Mail.select()}
        Reminders(world.store, world.config).run(world.now)
        return [(row.kind, row.facts) for row in Mail.select().order_by(Mail.id) if row.id not in known]

    return look


def change(world, table, **values):
    with world.store.transaction():
        table.update(**values).execute()


class ReminderContract:
    """Holds on both databases."""

    def test_an_open_ticket_that_nobody_touched_for_three_days_is_called_to_mind_once(self, world, remind):
        world.app().fail(3)
        assert remind(3 * DAY - 1) == []
        ((kind, facts),) = remind(2)
        (ticket,) = facts["tickets"]
        assert (kind, ticket["ticket_id"], ticket["service"], ticket["since"]) == (
            "reminder",
            1,
            "shop",
            START,
        )
        assert remind(DAY) == remind(30 * DAY) == []

    def test_many_waiting_tickets_cost_no_more_queries_than_one(self, world, remind, monkeypatch):
        app = world.app()
        asked = []
        execute = type(world.store.database).execute_sql
        monkeypatch.setattr(
            type(world.store.database), "execute_sql",
            lambda self, sql, *more: asked.append(sql) or execute(self, sql, *more),
        )  # fmt: skip

        def look(*functions):
            for function in functions:
                app.fail(3, function=function)
            change(world, Watch, inconclusive_at=world.now)
            world.now += 4 * DAY
            del asked[:]
            with world.store.reading():
                found = (
                    reminders.untouched(world.now - DAY, world.now),
                    reminders.inconclusive(world.now, world.now),
                )
                names = [one.error.title for part in found for one in part]
            return len(names), len(asked)

        assert look("one") == (2, look("two", "three", "four")[1])

    def test_a_ticket_that_somebody_touched_is_called_to_mind_three_days_after_that(self, world, remind):
        world.app().fail(3)
        world.now += 2 * DAY
        Manual(world.store, world.config).note(1, "I look at it", by="ana", now=world.now)
        assert remind(2 * DAY) == []
        assert [kind for kind, _ in remind(DAY)] == ["reminder"]

    def test_a_ticket_that_was_touched_again_and_left_again_is_called_to_mind_again(self, world, remind):
        world.app().fail(3)
        remind(3 * DAY + 1)
        Manual(world.store, world.config).note(1, "tomorrow", by="ana", now=world.now)
        assert remind(2 * DAY) == []
        assert len(remind(DAY + 1)) == 1

    def test_tickets_of_muted_errors_and_those_that_wait_for_their_watch_are_left_alone(self, world, remind):
        world.app().fail(3)
        change(world, ErrorLog, muted_until=world.now + 10 * DAY)
        assert remind(4 * DAY) == []
        change(world, ErrorLog, muted_until=None)
        change(world, Ticket, status="monitoring")
        assert remind() == []

    def test_mails_that_wait_for_a_release_are_called_to_mind_once_each(self, world, remind):
        world.configure({**SETTINGS, "mail": {**SETTINGS["mail"], "client": "review"}})
        world.app().fail(3, client="martin")
        assert remind(DAY - 1) == []
        ((_, facts),) = remind(2)
        assert [mail["recipient"] for mail in facts["held"]] == ["contact@martin.example"]
        assert remind(DAY) == []

    def test_a_watch_that_still_proves_nothing_is_called_to_mind_once(self, world, remind):
        world.app().fail(3)
        change(world, Watch, inconclusive_at=world.now)
        change(world, Ticket, status="monitoring")
        assert remind(3 * DAY - 1) == []
        ((_, facts),) = remind(2)
        assert [watch["ticket_id"] for watch in facts["watches"]] == [1]
        assert remind(DAY) == []

    def test_an_open_error_that_becomes_ten_times_as_frequent_is_told_once(self, world, remind):
        app = world.app()
        app.fail(3)
        told = []
        for _ in range(24):
            world.now += HOUR
            app.fail(1)
            told += remind()
        assert told == []
        world.now += HOUR
        app.fail(40, every=10.0)
        ((kind, facts),) = remind()
        assert (kind, facts["ticket_id"], facts["occurrences"]) == ("more_frequent", 1, 67)
        assert facts["recent_rate"] > 10 * facts["usual_rate"]
        for _ in range(12):
            world.now += HOUR / 6
            app.fail(7, every=10.0)
            told += remind()
        assert told == []

    def test_an_error_that_becomes_ten_times_as_frequent_once_more_is_told_once_more(self, world, remind):
        app = world.app()
        app.fail(3)
        for _ in range(24):
            world.now += HOUR
            app.fail(1)
        app.fail(40, every=10.0)
        first = remind()
        app.fail(800, every=1.0)
        assert [kind for kind, _ in first + remind()] == ["more_frequent"] * 2

    def test_an_error_without_an_open_ticket_may_come_as_often_as_it_likes(self, world, remind):
        world.app().log(*(an_exception(START - 24 * HOUR + n) for n in range(2)))
        change(world, Ticket, status="closed")
        world.app().fail(40)
        change(world, Ticket, status="closed")
        assert [kind for kind, _ in remind() if kind in OURS] == []


class TestSqlite(ReminderContract):
    database = "sqlite"


class TestPostgres(ReminderContract):
    database = "postgres"


def test_each_admin_and_each_channel_that_wants_it_gets_one_row(world, remind):
    channels = [
        {"name": "all", "url": "ntfy://all"},
        {"name": "floods", "url": "ntfy://floods", "on": ["more_frequent"]},
    ]
    world.configure({**SETTINGS, "mail": {"admin": ["a@example.org", "b@example.org"]}, "channel": channels})
    world.app().fail(3)
    remind(4 * DAY)
    found = [row.recipient for row in Mail.select().where(Mail.kind == "reminder").order_by(Mail.id)]
    assert found == ["a@example.org", "b@example.org", "all"]


def test_reminders_can_be_switched_off(world, remind):
    world.configure({**SETTINGS, "reminders": {"enabled": False}})
    world.app().fail(3)
    assert remind(10 * DAY) == []


def test_how_long_is_waited_is_a_setting(world, remind):
    world.configure({**SETTINGS, "reminders": {"untouched": "1h"}})
    world.app().fail(3)
    assert len(remind(HOUR + 1)) == 1


def test_what_could_not_be_queued_is_not_noted_as_said(world, remind, monkeypatch):
    world.app().fail(3)

    def broken(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(admin, "notify", broken)
        with pytest.raises(OSError, match="full"):
            remind(4 * DAY)
    assert Reminder.select().count() == 0
    assert len(remind()) == 1


def test_twenty_are_named_and_the_others_counted(world, remind):
    manual = Manual(world.store, world.config)
    for number in range(25):
        manual.open(f"ticket {number}", "text", "ana", world.now)
    ((_, facts),) = remind(4 * DAY)
    assert (len(facts["tickets"]), facts["tickets_total"]) == (20, 25)
    assert remind(DAY) == []
