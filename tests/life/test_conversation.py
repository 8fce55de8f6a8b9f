"""A ticket as a conversation: messages, mails to the other side, tickets that clients write; both databases."""

from __future__ import annotations

import pytest
from support.world import World

from tocsin.daemon import queries
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store.models import History, Mail
from tocsin.daemon.tickets import remarks
from tocsin.daemon.tickets.conversation import TEXT_LIMIT, Conversation
from tocsin.daemon.tickets.manual import Manual, ManualError, UnknownNumber
from tocsin.daemon.tickets.merge import merge

OPS = "ops@tocsin.example"
MARTIN = "contact@martin.example"


def conversation(world: World) -> Conversation:
    return Conversation(world.store, world.config)


def ticketed(world: World) -> World:
    """One automatic ticket of the client martin, who reads French."""
    world.app().fail(3, client="martin")
    return world


def newest(world: World, kind: str) -> Mail:
    with world.store.reading():
        found = Mail.select().where(Mail.kind == kind).order_by(Mail.id.desc()).first()
    assert found is not None
    return found


def read(row: Mail) -> str:
    written = mail.write(
        row.kind, row.facts, audience=row.audience, spoken=row.language, templates=Templates()
    )
    return f"{written.subject}\n{written.text}"


def rows(world: World, action: str) -> list[History]:
    with world.store.reading():
        return list(History.select().where(History.action == action).order_by(History.id))


def detail(world: World, ticket_id: int = 1) -> queries.TicketDetail:
    found = queries.ticket(world.store, ticket_id, world.config, world.now)
    assert found is not None
    return found


class ConversationContract:
    def test_what_the_team_writes_is_mailed_to_the_client_in_its_language(self, world: World):
        conversation(ticketed(world)).write(1, "Nous avons trouvé.", "ana", world.now)
        row = newest(world, "message")
        assert (row.recipient, row.audience, row.language, row.state) == (MARTIN, "client", "fr", "waiting")
        said = read(row)
        assert "Notre équipe vous a écrit" in said
        assert "Nous avons trouvé." in said
        assert "KeyError" not in said

    def test_what_the_client_writes_is_mailed_to_the_admins_alone(self, world: World):
        conversation(ticketed(world)).write(1, "Still broken.", "Martin", world.now, sender="client")
        assert [one for one in world.mails() if one[0] == "message"] == [("message", OPS)]
        assert "Martin SA has written" in read(newest(world, "message"))

    def test_the_conversation_is_part_of_the_ticket_in_its_order(self, world: World):
        conversation(ticketed(world)).write(1, "one", "ana", world.now)
        conversation(world).write(1, "two", "Martin", world.now + 1, sender="client")
        said = [(one.sender, one.author, one.text) for one in detail(world).messages]
        assert said == [("team", "ana", "one"), ("client", "Martin", "two")]

    def test_each_message_has_one_row_in_the_history_that_does_not_repeat_it(self, world: World):
        conversation(ticketed(world)).write(1, "a secret between us", "ana", world.now)
        (row,) = rows(world, "message")
        assert (row.created_by, row.description) == ("ana", "written to the client")

    def test_a_message_waits_for_no_release_where_mails_do(self, world: World):
        world.configure({"mail": {"admin": [OPS], "client": "review"}, "client": [
            {"id": "martin", "email": MARTIN}]})  # fmt: skip
        conversation(ticketed(world)).write(1, "hello", "ana", world.now)
        assert newest(world, "detection").state == "held"
        assert newest(world, "message").state == "waiting"

    def test_a_ticket_without_a_client_has_nobody_to_write_to(self, world: World):
        world.app().fail(3)
        with pytest.raises(ManualError, match="no client who could read it"):
            conversation(world).write(1, "hello", "ana", world.now)
        assert rows(world, "message") == []

    @pytest.mark.parametrize("text", ["", " \n ", "x" * (TEXT_LIMIT + 1)])
    def test_a_message_that_is_empty_or_too_long_is_refused(self, world: World, text: str):
        with pytest.raises(ManualError, match="the message"):
            conversation(ticketed(world)).write(1, text, "ana", world.now)

    def test_a_note_is_mailed_to_nobody_and_no_part_of_the_conversation(self, world: World):
        ticketed(world)
        before = world.mails()
        Manual(world.store, world.config).note(1, "they pay late", "ana", world.now)
        assert world.mails() == before
        assert detail(world).messages == []

    def test_a_ticket_that_the_client_writes_is_confirmed_to_it_and_told_the_admins(self, world: World):
        made = conversation(world).open_for_client("martin", "Deux factures", "Mardi.", "Martin", world.now)
        assert world.mails() == [("received", MARTIN), ("notice", OPS)]
        assert "Nous avons bien reçu votre ticket" in read(newest(world, "received"))
        assert "Martin SA has opened a ticket: Deux factures" in read(newest(world, "notice"))
        assert (detail(world, made).source, detail(world, made).priority) == ("manual", "medium")
        assert [row.created_by for row in rows(world, "created")] == ["Martin"]

    def test_the_history_tells_a_ticket_that_the_client_writes_from_one_of_the_team(self, world: World):
        conversation(world).open_for_client("martin", "Invoices", "Two are missing.", "zoé", world.now)
        Manual(world.store, world.config).open("Till", "It is slow.", "ana", world.now, client_id="martin")
        assert [one.details["by_client"] for one in rows(world, "created")] == [True, False]

    def test_a_client_that_is_not_known_opens_no_ticket(self, world: World):
        with pytest.raises(UnknownNumber, match="no client 'nobody'"):
            conversation(world).open_for_client("nobody", "a", "b", "c", world.now)
        assert world.tickets() == []

    def test_who_sees_to_a_ticket_is_kept_with_one_row_for_each_change(self, world: World):
        ticketed(world)
        for name in ("ana", "ana", ""):
            conversation(world).assign(1, name, "bob", world.now)
        assert [row.description for row in rows(world, "assigned")] == ["ana", "nobody"]
        assert detail(world).assignee == ""

    def test_setting_what_is_so_already_writes_no_row(self, world: World):
        manual = Manual(ticketed(world).store, world.config)
        manual.change(1, "ana", world.now, priority="low")
        manual.change(1, "bob", world.now, priority="low")
        assert [row.created_by for row in rows(world, "priority_changed")] == ["ana"]

    def test_an_error_without_a_ticket_keeps_its_assignee_note_and_link(self, world: World):
        world.app().fail(1)
        remarks.assign(world.store, 1, " ana ", "bob", world.now)
        remarks.note(world.store, 1, "only on Mondays", "bob", world.now)
        remarks.link(world.store, 1, "https://example.org/issues/7", "bob", world.now)
        found = queries.error(world.store, 1)
        assert found is not None
        assert (found.assignee, found.link) == ("ana", "https://example.org/issues/7")
        assert [one.text for one in found.notes] == ["only on Mondays"]
        said = [one.kind for one in found.timeline if one.kind != "deployed"]
        assert said == ["first_seen", "assigned", "note", "linked"]

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://example.org", "https://", "http://a b"])
    def test_only_a_web_address_is_a_link(self, world: World, url: str):
        world.app().fail(1)
        with pytest.raises(ManualError, match="write https://"):
            remarks.link(world.store, 1, url, "bob", world.now)

    def test_merged_errors_keep_what_was_said_of_either(self, world: World):
        app = world.app()
        app.fail(1)
        app.fail(1, function="weigh")
        remarks.note(world.store, 1, "of the first", "bob", world.now)
        remarks.assign(world.store, 1, "ana", "bob", world.now)
        merge(world.store, world.config, 1, 2, "bob", world.now)
        found = queries.error(world.store, 2)
        assert found is not None
        assert (found.assignee, [one.text for one in found.notes]) == ("ana", ["of the first"])


class TestOnSqlite(ConversationContract):
    database = "sqlite"


class TestOnPostgres(ConversationContract):
    database = "postgres"
