"""A client is forgotten: what names it is gone from every table and file, what counts stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.world import SETTINGS, START, World

from tocsin.daemon.accounts import tokens
from tocsin.daemon.config import Config, parse
from tocsin.daemon.operations.forget import ForgetError, forget
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorLog, HourCount, Mail, Sample, Ticket
from tocsin.daemon.store.tables import MODELS
from tocsin.daemon.tickets.conversation import Conversation
from tocsin.daemon.tickets.manual import Manual
from tocsin.reports.writer import ReportWriter

NEEDLES = ("martin", "Martin SA", "contact@martin.example")


def undeclared(directory: Path) -> Config:
    """The configuration after the admin has taken the clients out."""
    return parse({"mail": SETTINGS["mail"], "report": {"dir": str(directory)}}, {})


@pytest.fixture
def known(store: Store) -> World:
    """Two clients with tickets, mails, samples and counts of one error."""
    world = World(store)
    world.app().fail(3, client="martin", message="basket of contact@martin.example failed")
    world.app().fail(3, client="acme")
    return world


def rows_that_name(needle: str) -> list[str]:
    """Tables with a row that holds the text, whatever the column."""
    return [
        model.__name__
        for model in MODELS
        if any(needle in repr(value) for row in model.select().dicts() for value in row.values())
    ]


class Forgetting:
    """What holds on both databases."""

    database = "sqlite"

    def test_no_row_and_no_page_names_the_client_any_more(self, known: World, tmp_path: Path) -> None:
        config = undeclared(tmp_path / "report")
        ReportWriter(known.store, config).write(START)
        folder = Client.get_by_id("martin").folder
        assert (tmp_path / "report/clients" / folder).exists()
        forget(known.store, config, "martin")
        assert {needle: rows_that_name(needle) for needle in NEEDLES} == {needle: [] for needle in NEEDLES}
        assert not (tmp_path / "report/clients" / folder).exists()

    def test_a_text_for_clients_no_longer_names_it(self, known: World, tmp_path: Path) -> None:
        Manual(known.store, known.config).describe(1, "The basket of Martin SA fails", "ada", known.now)
        forget(known.store, undeclared(tmp_path), "martin")
        assert rows_that_name("Martin SA") == []

    def test_what_it_wrote_and_its_tokens_are_gone(self, known: World, tmp_path: Path) -> None:
        conversation = Conversation(known.store, known.config)
        made = conversation.open_for_client("martin", "Invoices", "of Martin SA", "Martin SA", known.now)
        conversation.write(made, "Nothing has come.", "Martin SA", known.now, sender="client")
        tokens.add(known.store, "portal", ["read"], "ana", known.now, client_id="martin")
        forget(known.store, undeclared(tmp_path), "martin")
        assert {needle: rows_that_name(needle) for needle in (*NEEDLES, "Nothing has come.")} == {
            needle: [] for needle in (*NEEDLES, "Nothing has come.")
        }
        assert rows_that_name("portal") == []

    def test_the_sums_stay_as_nobodys(self, known: World, tmp_path: Path) -> None:
        before = sum(row.count for row in HourCount.select())
        tickets = Ticket.select().count()
        erased = forget(known.store, undeclared(tmp_path), "martin")
        assert erased.counts == 1
        assert sum(row.count for row in HourCount.select()) == before == 6
        assert Ticket.select().count() == tickets
        assert ErrorLog.get().occurrences == 6

    def test_other_clients_keep_everything(self, known: World, tmp_path: Path) -> None:
        def acmes() -> tuple[int, int, int]:
            return (
                Ticket.select().where(Ticket.client_id == "acme").count(),
                Sample.select().where(Sample.client_id == "acme").count(),
                Mail.select().where(Mail.recipient == "it@acme.example").count(),
            )

        before = acmes()
        forget(known.store, undeclared(tmp_path), "martin")
        assert acmes() == before
        assert all(before)

    def test_an_error_knows_how_many_full_events_it_has_left(self, known: World, tmp_path: Path) -> None:
        forget(known.store, undeclared(tmp_path), "martin")
        assert ErrorLog.get().samples == Sample.select().count() > 0

    def test_it_says_what_was_erased(self, known: World, tmp_path: Path) -> None:
        erased = forget(known.store, undeclared(tmp_path), "martin")
        assert (erased.clients, erased.tickets, erased.samples > 0, erased.mails > 0) == (1, 1, True, True)


class TestOnSqlite(Forgetting):
    pass


class TestOnPostgres(Forgetting):
    database = "postgres"


def test_a_client_that_is_declared_would_come_back_and_is_refused(known: World) -> None:
    with pytest.raises(ForgetError, match="take it out"):
        forget(known.store, known.config, "martin")


def test_an_unknown_client_is_refused(known: World, tmp_path: Path) -> None:
    with pytest.raises(ForgetError, match="no client 'nobody'"):
        forget(known.store, undeclared(tmp_path), "nobody")
