"""Exactly once: the contract of the digest, held by both databases."""

from __future__ import annotations

import platform

import pytest
from msgspec import Raw
from msgspec.structs import replace
from peewee import OperationalError, fn
from support.world import App, World, an_error, an_exception

from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.store.database import StoreError
from tocsin.daemon.store.models import (
    AliveInterval,
    ErrorLog,
    HourCount,
    Loss,
    Quarantined,
    Sample,
    Session,
)
from tocsin.handler import process
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, DuplicateReference, Lost


def counted(world: World) -> int:
    """Occurrences in all; the errors' own sums and the hourly counters must agree."""
    with world.store.reading():
        total = ErrorLog.select(fn.COALESCE(fn.SUM(ErrorLog.occurrences), 0)).scalar()
        hourly = HourCount.select(fn.COALESCE(fn.SUM(HourCount.count), 0)).scalar()
    assert total == hourly
    return int(total)


def quarantined(world: World) -> int:
    with world.store.reading():
        return int(Quarantined.select().count())


class DigestContract:
    def test_a_batch_is_counted_and_acknowledged_up_to_its_end(self, world: World):
        app = world.app()
        answer = app.log(*(an_error(at=world.now) for _ in range(5)))
        assert answer == wire.Ack(app.header.session, app.end)
        assert counted(world) == 5

    def test_a_batch_sent_twice_is_counted_once(self, world: World):
        app = world.app()
        batch = app.batch(an_error(at=world.now), an_error(at=world.now))
        assert app.say(batch) == app.say(batch) == wire.Ack(app.header.session, app.end)
        assert counted(world) == 2

    def test_of_a_batch_that_overlaps_only_the_new_part_is_counted(self, world: World):
        app = world.app()
        first = app.batch(an_error(at=world.now), an_error(at=world.now))
        app.say(first)
        rest = app.batch(an_error(at=world.now))
        longer = wire.Batch(app.header.session, 0, rest.end, [*first.frames, *rest.frames])
        app.say(longer)
        assert counted(world) == 3

    def test_a_batch_above_the_watermark_is_refused_and_says_where_to_go_on(self, world: World):
        app = world.app()
        app.log(an_error(at=world.now))
        missing = app.batch(an_error(at=world.now))
        answer = app.log(an_error(at=world.now))
        assert isinstance(answer, wire.Refusal)
        assert (answer.reason, answer.watermark) == ("gap", missing.start)
        assert counted(world) == 1

    def test_many_messages_together_are_one_transaction_with_an_answer_each(self, world: World):
        app, other = world.app(), world.app("mailer")
        answers = world.digest.handle(
            [
                Received("", app.batch(an_error(at=world.now))),
                Received("", other.batch(an_error(at=world.now))),
            ],
            world.now,
        )
        assert [answer.session for answer in answers if answer] == [app.header.session, other.header.session]
        assert counted(world) == 2

    def test_an_unknown_session_is_asked_to_say_hello(self, world: World):
        answer = world.app().say(wire.Heartbeat("f" * 32, 0, world.now))
        assert isinstance(answer, wire.Refusal)
        assert answer.reason == "unknown_session"

    def test_a_new_hello_is_told_the_watermark(self, world: World):
        app = world.app()
        app.log(an_error(at=world.now))
        answer = app.hello()
        assert isinstance(answer, wire.Welcome)
        assert answer.watermark == app.end

    def test_the_same_signature_in_two_services_is_two_errors(self, world: World):
        world.app().log(an_error(at=world.now))
        world.app("mailer").log(an_error(at=world.now))
        assert len(world.errors()) == 2

    def test_repeats_count_as_the_event_they_name(self, world: World):
        app = world.app()
        app.log(
            an_exception(world.now, key=7), DuplicateReference(7, world.now), DuplicateReference(7, world.now)
        )
        assert [error.occurrences for error in world.errors()] == [3]

    def test_a_later_batch_s_repeats_are_explained_by_its_definitions(self, world: World):
        app = world.app()
        event = an_exception(world.now, key=7)
        app.log(event)
        app.log(DuplicateReference(7, world.now), definitions=[Raw(wire.encode_record(event))])
        assert [error.occurrences for error in world.errors()] == [2]

    def test_collapsed_bodies_keep_their_count(self, world: World):
        app = world.app()
        app.log(an_exception(world.now, key=7), AggregatedEvents(7, 40, world.now - 30, world.now))
        assert counted(world) == 41

    def test_losses_are_kept_by_reason(self, world: World):
        app = world.app()
        app.log(Lost("spool_full", 4), Lost("damaged", 1), Lost("spool_full", 2))
        with world.store.reading():
            assert {row.reason: row.count for row in Loss.select()} == {"spool_full": 6, "damaged": 1}

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"\xc1",
            b"\x92\x01",
            b"\x93\x63\x01\x02",
            wire.encode_record(DuplicateReference(99, 1.0)),
            b"\xff" * 500,
        ],
        ids=["empty", "no msgpack", "torn", "unknown kind", "unknown key", "noise"],
    )
    def test_a_poison_record_is_quarantined_and_the_one_behind_it_counted(self, world: World, payload: bytes):
        app = world.app()
        batch = app.batch(an_error(at=world.now), an_error(at=world.now), an_error(at=world.now))
        batch.frames[1] = (batch.frames[1][0], Raw(payload))
        assert app.say(batch) == wire.Ack(app.header.session, app.end)
        assert (counted(world), quarantined(world)) == (2, 1)

    @pytest.mark.parametrize("text", ["nul \0 here", "x" * 50_000], ids=["NUL", "long"])
    def test_text_a_database_refuses_stops_nobody(self, world: World, text: str):
        app = world.app()
        answer = app.log(an_error(at=world.now), an_error(text, at=world.now), an_error(at=world.now))
        assert answer == wire.Ack(app.header.session, app.end)
        assert counted(world) + quarantined(world) == 3
        assert counted(world) >= 2

    def test_a_count_no_database_can_hold_is_quarantined(self, world: World):
        app = world.app()
        app.log(
            an_exception(world.now, key=7),
            AggregatedEvents(7, 2**63, world.now, world.now),
            DuplicateReference(7, world.now),
        )
        assert (counted(world), quarantined(world)) == (2, 1)

    def test_moments_that_cannot_be_are_taken_as_now(self, world: World):
        app = world.app()
        app.log(*(an_error(at=at) for at in (float("nan"), float("inf"), -1e18, 1e18)))
        assert counted(world) == 4
        assert world.errors()[0].last_seen <= world.now

    def test_a_wrong_clock_of_the_application_is_corrected(self, world: World):
        app = world.app(clock=-7200.0)
        app.log(an_error(at=world.now - 7200.0))
        assert abs(world.errors()[0].last_seen - world.now) < 1.0

    def test_another_clock_is_measured_whatever_host_and_boot_are_said(self, world: World):
        me = process.identity()
        app = world.app(clock=-3600.0, host=platform.node(), machine=me.machine, boot=me.boot)
        app.log(an_error(at=world.now - 3600.0))
        assert abs(world.errors()[0].last_seen - world.now) < 1.0

    def test_a_clock_that_is_two_days_behind_makes_no_event_old(self, world: World):
        app = world.app(clock=-2 * 86400.0)
        world.live(3600.0, app)
        app.log(an_error(at=world.now - 2 * 86400.0))
        assert world.errors()[0].last_seen == world.now

    def test_an_event_of_a_clock_that_was_set_meanwhile_is_no_older_than_its_session(self, world: World):
        app = world.app(clock=-2 * 86400.0, age=600.0)
        app.clock = 0.0
        app.header = replace(app.header, session="c" * 32)
        app.hello(age=600.0)
        app.log(an_error(at=world.now - 2 * 86400.0), sent_at=world.now)
        assert world.errors()[0].last_seen == world.now - 601.0

    def test_an_event_is_no_older_than_what_was_delivered_before_it(self, world: World):
        app = world.app(age=30 * 3600.0)
        app.heartbeat()
        world.now += 60.0
        app.log(an_error(at=world.now - 20 * 3600.0))
        assert world.errors()[0].last_seen == world.now - 61.0

    def test_an_event_that_was_held_back_is_as_old_as_it_says(self, world: World):
        app = world.app(age=30 * 3600.0)
        app.heartbeat(backlog=100)
        app.log(an_error(at=world.now - 20 * 3600.0))
        assert world.errors()[0].last_seen == world.now - 20 * 3600.0

    def test_a_clock_that_is_set_back_is_believed_with_its_second_word(self, world: World):
        app = world.app()
        app.clock = -7200.0
        for expected in (0.0, 7200.0):
            app.heartbeat()
            with world.store.reading():
                assert Session.get().clock_offset == expected

    def test_one_message_that_was_held_up_says_nothing_of_the_clock(self, world: World):
        app = world.app()
        app.say(wire.Heartbeat(app.header.session, 0, world.now - 300.0))
        app.heartbeat()
        app.say(wire.Heartbeat(app.header.session, 0, world.now - 300.0))
        with world.store.reading():
            assert Session.get().clock_offset == 0.0

    def test_samples_stay_within_their_bound_with_the_first_and_a_late_one(self, world: World):
        world.configure({"retention": {"samples": 5}})
        app = world.app()
        for _ in range(30):
            world.now += 60
            app.log(an_exception(world.now))
        with world.store.reading():
            kept = [row.occurred_at for row in Sample.select().order_by(Sample.occurred_at)]
        assert len(kept) == 5
        assert kept[0] == world.errors()[0].first_seen
        assert kept[-1] == world.now

    def test_a_session_s_life_is_one_interval_while_heartbeats_come(self, world: World):
        app = world.app(interval=10.0)
        world.live(120, app)
        with world.store.reading():
            intervals = [(row.started_at, row.ended_at) for row in AliveInterval.select()]
        assert intervals == [(world.now - 120, world.now)]

    def test_a_gap_of_more_than_three_intervals_splits_the_interval(self, world: World):
        app = world.app(interval=10.0)
        world.now += 31
        app.heartbeat()
        with world.store.reading():
            assert AliveInterval.select().count() == 2

    def test_an_adopted_session_s_heartbeats_are_no_sign_of_its_life(self, world: World):
        dead = world.app(live=False)
        world.now += 1000
        dead.goodbye()
        with world.store.reading():
            assert AliveInterval.select().count() == 0
            assert Session.get().emptied_at == world.now

    def test_who_adopts_a_session_ends_it_only_as_its_owner_had_written_down(self, world: World):
        dead, ended = world.app(live=False), world.app(live=False)
        ended_at = world.now
        world.now += 1000
        dead.goodbye()
        ended.goodbye(ended_at=ended_at)
        with world.store.reading():
            known = {row.id: row.ended_at for row in Session.select()}
        assert known == {dead.header.session: None, ended.header.session: ended_at}

    def test_what_a_restored_database_lacks_is_written_down_as_lost(self, world: World):
        app = world.app()
        app.log(an_error(at=world.now))
        app.hello(oldest=app.end + 500)
        with world.store.reading():
            assert [row.reason for row in Loss.select()] == ["not_held_any_more"]

    def test_a_session_of_another_database_is_refused(self, world: World):
        app = App.__new__(App)
        app.__dict__.update(world.app().__dict__)
        header = type(app.header)(**{**_fields(app.header), "session": "e" * 32})
        answer = app.say(wire.Hello(header, 0, 0, world.now, True, database="another"))
        assert isinstance(answer, wire.Refusal)
        assert answer.reason == "other_database"

    def test_another_key_neither_goes_on_with_a_session_nor_adopts_it(self, world: World):
        app = world.app()
        for hello in (True, False):
            message = wire.Hello(app.header, 0, 0, world.now, hello)
            [answer] = world.digest.handle([Received("another key", message)], world.now)
            assert isinstance(answer, wire.Refusal)
            assert answer.reason == "not_allowed"

    def test_a_hello_that_was_delayed_moves_no_event_in_time(self, world: World):
        app = world.app(age=3600.0)
        app.say(wire.Hello(app.header, 0, 0, world.now - 60.0, True))
        app.log(an_error(at=world.now - 50.0), sent_at=world.now)
        assert world.errors()[0].last_seen == world.now - 50.0

    def test_nothing_is_taken_when_the_database_cannot_be_written(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ):
        app = world.app()
        batch = app.batch(an_error(at=world.now))

        def full(*_: object) -> None:
            raise OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(world.store, "run_many", full)
            with pytest.raises(StoreError) as caught:
                app.say(batch)
            assert not caught.value.permanent
        assert counted(world) == 0
        assert app.say(batch) == wire.Ack(app.header.session, app.end)
        assert counted(world) == 1


def _fields(header: object) -> dict[str, object]:
    return {name: getattr(header, name) for name in header.__struct_fields__}


class TestDigestOnSqlite(DigestContract):
    database = "sqlite"


class TestDigestOnPostgres(DigestContract):
    database = "postgres"
