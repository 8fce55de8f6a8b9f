"""The life of a ticket, from the third occurrence to the closing mail: held by both databases."""

from __future__ import annotations

import msgspec
import pytest
from support.world import HOUR, PLACES, SETTINGS, World, an_error, an_exception

from tocsin.daemon.corrections import recording
from tocsin.daemon.corrections.recording import CorrectionError, NewCorrection
from tocsin.daemon.store.models import Correction, Watch
from tocsin.daemon.tickets.manual import Manual, ManualError

DAY = 24 * HOUR


def statuses(world: World) -> list[str]:
    return [ticket.status for ticket in world.tickets()]


def corrected(world: World, tmp_path, *, new="total = prices.get(sku, 0)", by="copilot", **more) -> list[int]:
    (tmp_path / "orders.py").write_text(f"def price():\n    {new}\n")
    change = NewCorrection(world.errors()[0].id, "orders.py", "total = prices[sku]", new, "use get", by)
    kept = recording.record(world.store, world.config, [change], project=tmp_path, now=world.now, **more)
    return [one.id for one in kept]


class LifeContract:
    def test_two_in_an_hour_open_nothing_and_the_third_opens_a_ticket(self, world: World):
        app = world.app()
        app.fail(2, client="martin")
        assert statuses(world) == []
        app.fail(1, client="martin")
        assert statuses(world) == ["open"]

    def test_three_errors_that_never_come_within_one_hour_open_nothing(self, world: World):
        app = world.app()
        for _ in range(6):
            app.fail(1)
            world.live(HOUR / 2 + 1, app)
        assert statuses(world) == []

    def test_the_threshold_survives_a_restart(self, world: World):
        app = world.app()
        app.fail(2)
        world.configure(SETTINGS)
        app.fail(1)
        assert statuses(world) == ["open"]

    def test_late_records_reach_the_threshold_in_their_own_hour(self, world: World):
        app = world.app()
        then = world.now - 10 * HOUR
        app.log(an_exception(world.now - 2 * HOUR), an_exception(world.now))
        assert statuses(world) == []
        app.log(*(an_exception(then + i) for i in range(3)))
        assert statuses(world) == ["open"]

    def test_a_service_s_own_threshold_counts(self, world: World):
        world.configure({"service": [{"name": "shop", "threshold": 5, "window": "10m"}]})
        app = world.app()
        app.fail(4, every=1)
        assert statuses(world) == []
        app.fail(1)
        assert statuses(world) == ["open"]

    def test_the_client_is_told_in_its_mail_and_the_admin_by_a_notice(self, world: World):
        world.app().fail(3, client="martin")
        assert world.mails() == [
            ("detection", "contact@martin.example"), ("notice", "ops@tocsin.example")]  # fmt: skip
        assert world.history(world.tickets()[0]) == ["created"]

    def test_a_ticket_without_a_client_is_the_admin_s_alone(self, world: World):
        world.app().fail(3)
        assert world.mails() == [("notice", "ops@tocsin.example")]
        assert world.tickets()[0].client_id is None

    def test_the_threshold_counts_over_all_clients_and_each_gets_its_ticket(self, world: World):
        app = world.app()
        for client in ("martin", "acme", "martin"):
            app.fail(1, client=client)
        assert sorted(ticket.client_id for ticket in world.tickets()) == ["acme", "martin"]
        assert [kind for kind, _ in world.mails()].count("notice") == 1

    def test_a_client_that_meets_a_ticketed_error_gets_its_ticket_at_once(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        app.fail(1, client="acme")
        assert [ticket.client_id for ticket in world.tickets()] == ["martin", "acme"]

    def test_a_second_ticket_for_the_same_error_and_client_is_never_opened(self, world: World):
        app = world.app()
        for _ in range(5):
            app.fail(3, client="martin")
        assert statuses(world) == ["open"]

    def test_a_day_of_silence_seen_alive_closes_the_ticket_with_a_mail(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        world.live(DAY, app)
        world.check()
        ticket = world.tickets()[0]
        assert (ticket.status, ticket.resolution, ticket.closed_at) == (
            "closed",
            "no_reappearance",
            world.now,
        )
        assert ticket.metadata["auto_closed"] is True
        assert world.history(ticket) == ["created", "auto_closed", "status_changed"]
        assert ("closing", "contact@martin.example") in world.mails()
        assert world.errors()[0].resolved

    def test_a_day_without_the_application_closes_nothing(self, world: World):
        world.app().fail(3, client="martin")
        world.live(DAY)
        world.check()
        assert statuses(world) == ["open"]

    def test_after_three_days_without_it_the_admin_is_told_once(self, world: World):
        world.app().fail(3, client="martin")
        world.live(3 * DAY + 60)
        world.check()
        world.check()
        assert [kind for kind, _ in world.mails()].count("inconclusive") == 1
        assert statuses(world) == ["open"]

    def test_time_without_the_daemon_does_not_count(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(12 * HOUR, app)
        world.down(12 * HOUR)
        app.heartbeat()
        world.check()
        assert statuses(world) == ["open"]
        world.live(12 * HOUR, app)
        world.check()
        assert statuses(world) == ["closed"]

    def test_a_session_that_outlived_the_daemon_and_is_not_heard_of_blocks_the_closing(self, world: World):
        app, other = world.app(), world.app()
        app.fail(3)
        world.live(60, app, other)
        world.down(60)
        world.live(DAY, other)
        world.check()
        assert statuses(world) == ["open"]
        app.goodbye()
        world.check()
        assert statuses(world) == ["closed"]

    def test_a_backlog_blocks_the_closing(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY, app)
        app.heartbeat(backlog=500)
        world.check()
        assert statuses(world) == ["open"]

    def test_a_reappearance_restarts_the_watch(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY - HOUR, app)
        app.fail(1)
        world.live(2 * HOUR, app)
        world.check()
        assert statuses(world) == ["open"]
        assert "reappeared" in world.history(world.tickets()[0])
        world.live(DAY, app)
        world.check()
        assert statuses(world) == ["closed"]

    def test_a_reappearance_after_closing_reopens_the_same_ticket_at_once(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        world.live(DAY, app)
        world.check()
        app.fail(1, client="martin")
        ticket = world.tickets()[0]
        assert (ticket.status, ticket.closed_at, ticket.resolution) == ("open", None, None)
        assert "auto_closed" not in ticket.metadata
        assert world.history(ticket)[-2:] == ["reopened", "status_changed"]
        assert ("reopened", "contact@martin.example") in world.mails()
        assert not world.errors()[0].resolved

    def test_only_the_client_hit_again_is_reopened(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        app.fail(1, client="acme")
        world.live(DAY, app)
        world.check()
        app.fail(1, client="acme")
        assert {t.client_id: t.status for t in world.tickets()} == {"martin": "closed", "acme": "open"}

    def test_an_event_that_happened_before_the_silence_only_counts(self, world: World):
        app, dead = world.app(), world.app(live=False, age=3600.0)
        app.fail(3)
        before = world.now - 30
        world.live(DAY, app)
        world.check()
        dead.log(an_exception(before))
        assert statuses(world) == ["closed"]
        assert world.errors()[0].occurrences == 4

    def test_a_late_event_from_within_the_silence_reopens_and_says_so(self, world: World):
        app = world.app()
        app.fail(3)
        within = world.now + HOUR
        world.live(DAY, app)
        world.check()
        app.log(an_exception(within))
        ticket = world.tickets()[0]
        assert ticket.status == "open"
        with world.store.reading():
            assert any("late" in row.description for row in ticket.history)

    def test_a_correction_moves_the_ticket_on_and_restarts_the_watch(self, world: World, tmp_path):
        app = world.app()
        app.fail(3)
        world.live(DAY - HOUR, app)
        corrected(world, tmp_path)
        assert statuses(world) == ["in_progress"]
        world.live(2 * HOUR, app)
        world.check()
        assert statuses(world) == ["in_progress"]
        world.live(DAY, app)
        world.check()
        ticket = world.tickets()[0]
        assert (ticket.status, ticket.resolution) == ("closed", "corrected")
        with world.store.reading():
            assert "copilot" in [row.created_by for row in ticket.history]

    def test_a_failed_test_holds_the_ticket(self, world: World, tmp_path):
        app = world.app()
        app.fail(3)
        corrected(world, tmp_path)
        with world.store.transaction():
            Correction.update(test_status="failed").execute()
        world.live(2 * DAY, app)
        world.check()
        assert statuses(world) == ["in_progress"]

    def test_old_code_still_running_reopens_nothing(self, world: World, tmp_path):
        old = world.app()
        old.fail(3)
        world.live(60, old)
        corrected(world, tmp_path)
        new = world.app()
        world.live(DAY, old, new)
        world.check()
        old.fail(1)
        assert statuses(world) == ["closed"]
        assert "old_code_running" in world.history(world.tickets()[0])
        new.fail(1)
        assert statuses(world) == ["open"]

    def test_a_corrected_statement_that_fails_again_is_the_same_error(self, world: World, tmp_path):
        app = world.app()
        app.log(*(an_exception(world.now + i) for i in range(3)), places=PLACES)
        corrected(world, tmp_path, new="total = float(prices[sku])")
        changed = [msgspec.structs.replace(PLACES[0], statement="total=float(prices[sku])")]
        app.log(an_exception(world.now), places=changed)
        assert len(world.errors()) == 1
        assert world.errors()[0].occurrences == 4

    def test_a_batch_of_corrections_is_recorded_whole_or_not_at_all(self, world: World, tmp_path):
        world.app().fail(3)
        (tmp_path / "a.py").write_text("new\n")
        good = NewCorrection(world.errors()[0].id, "a.py", "old", "new")
        with pytest.raises(CorrectionError, match=r"correction 2.*is not in a\.py"):
            recording.record(
                world.store, world.config, [good, msgspec.structs.replace(good, new_code="other")],
                project=tmp_path, now=world.now)  # fmt: skip
        with world.store.reading():
            assert Correction.select().count() == 0

    @pytest.mark.parametrize(
        "path", ["../secret.py", "/etc/passwd", "a/../../secret.py", "x\0.py", "link.py", "~/x.py"]
    )
    def test_a_path_out_of_the_project_is_refused(self, world: World, tmp_path, path):
        world.app().fail(3)
        (tmp_path / "secret.py").write_text("new\n")
        project = tmp_path / "project"
        project.mkdir()
        (project / "link.py").symlink_to(tmp_path / "secret.py")
        change = NewCorrection(world.errors()[0].id, path, "old", "new")
        with pytest.raises(CorrectionError):
            recording.record(world.store, world.config, [change], project=project, now=world.now)

    def test_resolving_by_hand_closes_the_tickets_and_the_next_one_reopens_them(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        Manual(world.store, world.config).resolve(world.errors()[0].id, "ana", world.now)
        ticket = world.tickets()[0]
        assert (ticket.status, ticket.resolution) == ("closed", "manual")
        assert "auto_closed" not in ticket.metadata or ticket.metadata["auto_closed"] is False
        world.now += 60
        app.fail(1, client="martin")
        assert statuses(world) == ["open"]

    def test_a_second_open_ticket_by_hand_for_the_same_error_and_client_is_refused(self, world: World):
        manual = Manual(world.store, world.config)
        world.app().fail(3, client="martin")
        with pytest.raises(ManualError, match="open ticket"):
            manual.open("again", "", "ana", world.now, client_id="martin", error_id=world.errors()[0].id)
        assert manual.open("a wish", "", "ana", world.now, client_id="martin")

    def test_staging_never_reopens_production(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY, app)
        world.check()
        staging = world.app()
        staging.header = msgspec.structs.replace(staging.header, environment="staging", session="5" * 32)
        staging.end = 0
        staging.hello()
        staging.fail(2)
        assert statuses(world) == ["closed"]

    def test_one_place_that_makes_endless_errors_gets_a_bounded_number_of_tickets(self, world: World):
        world.configure({**SETTINGS, "tickets": {"new_per_place": 4}})
        app = world.app()
        for word in ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op"):
            app.log(*(an_error(f"the {word} pump {word * 3} fails", at=world.now) for _ in range(3)))
        assert len(world.tickets()) == 5
        assert world.tickets()[-1].subject.startswith("More errors")

    def test_an_error_that_waited_for_room_gets_a_ticket_for_each_client_it_hit(self, world: World):
        world.configure({**SETTINGS, "tickets": {"new_per_hour": 1}})
        app = world.app()
        app.log(*(an_error("the oil pump fails", at=world.now) for _ in range(3)))
        for client in ("martin", "acme", "acme", "acme", "acme"):
            world.now += 1
            app.log(an_error("the gas valve sticks", at=world.now, client=client))
        world.configure(SETTINGS)
        world.now += 1
        app.log(an_error("the gas valve sticks", at=world.now, client="acme"))
        waited = [ticket.client_id for ticket in world.tickets() if ticket.error_id == 2]
        assert sorted(waited) == ["acme", "martin"]

    def test_a_muted_error_counts_and_opens_nothing(self, world: World):
        app = world.app()
        app.fail(1)
        with world.store.transaction():
            error = world.errors()[0]
            error.muted_until = world.now + HOUR
            error.save()
        app.fail(5)
        assert statuses(world) == []
        assert world.errors()[0].occurrences == 6

    def test_a_check_after_the_closing_finds_nothing_to_do(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY, app)
        world.check()
        mails = world.mails()
        world.check()
        assert world.mails() == mails
        with world.store.reading():
            assert Watch.select().count() == 0


class TestLifeOnSqlite(LifeContract):
    database = "sqlite"


class TestLifeOnPostgres(LifeContract):
    database = "postgres"
