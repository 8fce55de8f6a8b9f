"""Corrections recorded once, replaced, withdrawn and claimed; both databases."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec import structs
from support.world import HOUR, World

from tocsin.daemon import queries
from tocsin.daemon.corrections.claims import ClaimError, NoClaim, claim, give_back
from tocsin.daemon.corrections.recording import (
    Changed,
    CorrectionError,
    NewCorrection,
    Recorded,
    judged,
    record,
)
from tocsin.daemon.corrections.withdrawal import UnknownCorrection, withdraw
from tocsin.daemon.store.models import History
from tocsin.daemon.tickets.manual import AlreadySo, Manual
from tocsin.daemon.tickets.merge import merge

DAY = 24 * HOUR
A = NewCorrection(1, "orders.py", "return 1", "return 2", "", "ana")
BAD = NewCorrection(1, "orders.py", "return 2", "return 3", "", "bob")
ELSEWHERE = NewCorrection(1, "orders.py", "import os", "import sys", "", "ana")


def kept(world: World, *changes: NewCorrection) -> list[Recorded]:
    return record(world.store, world.config, changes, project=None, now=world.now)


def taken_back(world: World, number: int, by: str = "ana") -> int:
    return withdraw(world.store, world.config, number, by, world.now)


def failing(world: World) -> World:
    world.app().fail(3)
    return world


def standing(world: World) -> list[tuple[int, str]]:
    """Number and new code of the corrections that count, newest first."""
    return [(one.id, one.new_code) for one in queries.corrections(world.store)]


class CorrectionContract:
    def test_the_same_change_recorded_twice_is_one_correction_with_one_row(self, world: World):
        failing(world)
        assert [one.fresh for one in (*kept(world, A), *kept(world, A))] == [True, False]
        assert standing(world) == [(1, "return 2")]
        assert world.history(world.tickets()[0]).count("correction_logged") == 1

    def test_a_batch_recorded_twice_is_recorded_once(self, world: World):
        failing(world)
        first, again = kept(world, A, ELSEWHERE), kept(world, A, ELSEWHERE)
        assert [one.id for one in again] == [one.id for one in first]
        assert len(standing(world)) == 2

    def test_what_changed_other_lines_of_the_file_replaced_nothing(self, world: World):
        failing(world)
        kept(world, A)
        kept(world, ELSEWHERE)
        assert [one.fresh for one in kept(world, A)] == [False]

    def test_the_first_change_again_after_another_one_is_the_newest(self, world: World):
        failing(world)
        for change in (A, BAD, A):
            kept(world, change)
        assert standing(world)[0] == (3, "return 2")
        assert len(standing(world)) == 3

    def test_a_verdict_stays_with_the_correction_that_was_tested(self, world: World):
        failing(world)
        kept(world, A)
        found = {"status": "failed", "summary": "red"}
        judged(world.store, world.config, 1, [1], "failed", found, now=world.now, by="ana")
        kept(world, BAD)
        found = {"status": "passed", "summary": "green"}
        judged(world.store, world.config, 1, [2], "passed", found, now=world.now, by="ana")
        assert [one.test_status for one in queries.corrections(world.store)] == ["passed", "failed"]

    def test_a_later_validation_of_all_corrections_leaves_the_verdict_of_an_earlier_one(self, world: World):
        failing(world)
        for change, status in ((A, "passed"), (BAD, "failed")):
            kept(world, change)
            ids = [one.id for one in queries.corrections(world.store)]
            found = {"status": status, "summary": status}
            judged(world.store, world.config, 1, ids, status, found, now=world.now, by="ana")
            world.now += 60
        assert [one.test_status for one in queries.corrections(world.store)] == ["failed", "passed"]

    def test_a_correction_that_is_tested_again_has_the_newest_verdict(self, world: World):
        failing(world)
        kept(world, A)
        for status in ("failed", "passed"):
            judged(world.store, world.config, 1, [1], status, {"status": status}, now=world.now, by="ana")
            world.now += 60
        assert [one.test_status for one in queries.corrections(world.store)] == ["passed"]

    def test_what_is_recorded_says_whether_anything_is_watched(self, world: World):
        failing(world)
        assert [one.watched for one in kept(world, A)] == [True]
        Manual(world.store, world.config).resolve(1, "ana", world.now)
        assert [one.watched for one in kept(world, BAD)] == [False]

    def test_an_error_that_was_merged_is_corrected_under_the_other_one_s_number(self, world: World):
        app = world.app()
        app.fail(3)
        app.fail(3, function="stock")
        merge(world.store, world.config, 1, 2, "ana", world.now)
        with pytest.raises(CorrectionError, match="merged into error 2"):
            kept(world, A)

    def test_a_withdrawn_correction_is_shown_as_such_and_counts_nowhere(self, world: World):
        failing(world)
        kept(world, A)
        assert taken_back(world, 1, "bob") == 1
        (shown,) = queries.corrections(world.store, withdrawn=True)
        assert (shown.id, shown.withdrawn_by, shown.withdrawn_at) == (1, "bob", world.now)
        found = queries.error(world.store, 1)
        assert found is not None
        assert (found.corrections, found.corrections_recorded) == (0, [])
        assert [one.id for one in found.corrections_withdrawn] == [1]
        assert [one.kind for one in found.timeline].count("correction_withdrawn") == 1
        assert queries.metrics(world.store).top_corrected == []

    def test_the_ticket_of_an_error_whose_last_correction_is_withdrawn_is_open_again(self, world: World):
        failing(world)
        kept(world, A)
        taken_back(world, 1)
        assert world.tickets()[0].status == "open"
        assert world.history(world.tickets()[0])[-2:] == ["correction_withdrawn", "status_changed"]

    def test_one_of_two_corrections_withdrawn_leaves_the_ticket_with_the_other(self, world: World):
        failing(world)
        kept(world, A)
        kept(world, BAD)
        taken_back(world, 2)
        assert world.tickets()[0].status == "in_progress"
        assert world.history(world.tickets()[0])[-1] == "correction_withdrawn"

    def test_silence_counts_from_the_withdrawal_on(self, world: World):
        app = world.app()
        app.fail(3)
        kept(world, A)
        world.live(DAY - HOUR, app)
        taken_back(world, 1)
        world.live(2 * HOUR, app)
        world.check()
        assert world.tickets()[0].status == "open"

    def test_silence_counts_from_the_withdrawal_of_one_of_two_on(self, world: World):
        app = world.app()
        app.fail(3)
        kept(world, A)
        kept(world, ELSEWHERE)
        world.live(DAY - HOUR, app)
        taken_back(world, 2)
        world.live(2 * HOUR, app)
        world.check()
        assert world.tickets()[0].status == "in_progress"

    def test_a_failed_correction_that_is_withdrawn_holds_the_ticket_no_more(self, world: World):
        app = world.app()
        app.fail(3)
        kept(world, A)
        kept(world, BAD)
        judged(world.store, world.config, 1, [2], "failed", {"status": "failed"}, now=world.now, by="ana")
        taken_back(world, 2)
        world.live(DAY, app)
        world.check()
        assert world.tickets()[0].status == "closed"

    def test_no_number_is_given_twice(self, world: World):
        failing(world)
        kept(world, A)
        taken_back(world, 1)
        assert [one.id for one in kept(world, A)] == [2]

    def test_what_was_withdrawn_may_be_recorded_again(self, world: World):
        failing(world)
        kept(world, A)
        taken_back(world, 1)
        assert [one.fresh for one in kept(world, A)] == [True]

    def test_a_correction_is_withdrawn_once(self, world: World):
        failing(world)
        kept(world, A)
        taken_back(world, 1, "bob")
        with pytest.raises(Changed, match="withdrawn already, by bob"):
            taken_back(world, 1)
        with pytest.raises(UnknownCorrection, match="no correction 9"):
            taken_back(world, 9)

    def test_a_deletion_alone_is_a_change(self, world: World, tmp_path: Path):
        failing(world)
        (tmp_path / "orders.py").write_text("keep\n")
        gone = NewCorrection(1, "orders.py", "drop()\n", "", "", "ana")
        record(world.store, world.config, [gone], project=tmp_path, now=world.now)
        assert standing(world) == [(1, "")]

    def test_a_deletion_that_has_not_happened_is_refused(self, world: World, tmp_path: Path):
        failing(world)
        (tmp_path / "orders.py").write_text("keep\ndrop()\n")
        gone = NewCorrection(1, "orders.py", "drop()\n", "", "", "ana")
        with pytest.raises(CorrectionError, match=r"still in orders\.py"):
            record(world.store, world.config, [gone], project=tmp_path, now=world.now)

    @pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "a/../../x.py", "", "a\0b"])
    def test_without_a_project_a_path_that_leads_elsewhere_is_refused(self, world: World, path: str):
        failing(world)
        with pytest.raises(CorrectionError, match="below the project"):
            kept(world, structs.replace(A, file_path=path))

    def test_an_error_is_claimed_by_one_at_a_time(self, world: World):
        failing(world)
        claim(world.store, 1, "copilot", world.now)
        with pytest.raises(ClaimError, match="claimed by copilot for another 60 min"):
            claim(world.store, 1, "codex", world.now)

    def test_a_claim_is_over_after_an_hour(self, world: World):
        failing(world)
        claim(world.store, 1, "copilot", world.now)
        claim(world.store, 1, "codex", world.now + HOUR + 1)
        assert [one.claimed_by for one in queries.claims(world.store)] == ["codex"]

    def test_a_claim_is_given_back_by_its_owner_alone(self, world: World):
        failing(world)
        claim(world.store, 1, "copilot", world.now)
        with pytest.raises(ClaimError, match="who can give it back"):
            give_back(world.store, 1, "codex", world.now)
        give_back(world.store, 1, "copilot", world.now)
        with pytest.raises(NoClaim):
            give_back(world.store, 1, "copilot", world.now)

    def test_a_claim_ends_with_the_correction(self, world: World):
        failing(world)
        claim(world.store, 1, "copilot", world.now)
        kept(world, A)
        assert queries.claims(world.store) == []

    def test_two_admins_who_resolve_at_once_do_it_once_with_one_row(self, world: World):
        failing(world)
        ready, refused = threading.Barrier(2), []

        def resolve(name: str) -> None:
            ready.wait()
            try:
                Manual(world.store, world.config).resolve(1, name, world.now)
            except AlreadySo:
                refused.append(name)
            finally:
                world.store.disconnect()

        both = [threading.Thread(target=resolve, args=(name,)) for name in ("ana", "bob")]
        for one in both:
            one.start()
        for one in both:
            one.join(60)
        assert len(refused) == 1
        with world.store.reading():
            assert History.select().where(History.action == "resolved").count() == 1


class TestOnSqlite(CorrectionContract):
    database = "sqlite"


class TestOnPostgres(CorrectionContract):
    database = "postgres"
