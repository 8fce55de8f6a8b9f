"""The pages served: the files' own, narrowed by what is asked, and for a client nothing of anybody else."""

from __future__ import annotations

import re

import pytest
from support.console import Browser, Console

from tocsin.daemon.queries import listings, monitor
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorLog, Ticket


@pytest.fixture
def admin(console: Console) -> Browser:
    return console.signed_in()


def listed(page: str) -> set[int]:
    return {int(one) for one in re.findall(r'data-id="(\d+)"', page)}


@pytest.mark.parametrize(
    "path", ["/errors", "/tickets", "/corrections", "/metrics", "/errors/1", "/tickets/1"]
)
def test_an_admin_s_page_is_there_in_both_languages(console: Console, path: str) -> None:
    for language in ("en", "fr"):
        browser = console.signed_in(f"{language}@example.org", language=language)
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert f'<html lang="{language}"' in answer.text


def test_a_number_that_is_not_there_is_no_page(admin: Browser) -> None:
    assert [admin.get(path).status_code for path in ("/errors/999", "/tickets/999", "/metrics.xml")] == [
        404
    ] * 3


def test_errors_are_narrowed_to_what_is_asked(admin: Browser) -> None:
    resolved = {error.id for error in ErrorLog.select().where(ErrorLog.resolved)}
    everything = {error.id for error in ErrorLog.select()}
    assert listed(admin.get("/errors").text) == everything
    assert listed(admin.get("/errors?state=resolved").text) == resolved
    service = ErrorLog.select().get().service
    assert listed(admin.get(f"/errors?service={service}").text)
    assert not listed(admin.get("/errors?service=nobody").text)


@pytest.mark.parametrize("text", ["'", '"', "%", "_", "\\", "\x00", "a" * 5000, "🦄 <b>", "%27%20OR%201=1"])
def test_no_text_that_is_searched_for_breaks_the_page(admin: Browser, text: str) -> None:
    assert admin.get("/errors", params={"q": text, "state": text, "page": text}).status_code == 200


def test_a_search_finds_what_holds_each_of_its_words(admin: Browser) -> None:
    error = ErrorLog.select().get()
    words = error.title.split()
    assert error.id in listed(admin.get("/errors", params={"q": f"{words[-1]} {words[0]}"}).text)
    assert not listed(admin.get("/errors", params={"q": f"{words[0]} nothinglikeit"}).text)


def test_a_client_sees_its_tickets_and_of_nobody_else(console: Console) -> None:
    clients = [client for client in Client.select() if client.email]
    assert len(clients) > 1
    for client in clients:
        browser = console.as_client(client.id, client.email)
        page = browser.get("/my/tickets").text
        own = {ticket.id for ticket in Ticket.select().where(Ticket.client_id == client.id)}
        assert {int(one) for one in re.findall(r'href="/my/tickets/(\d+)"', page)} == own
        for ticket in Ticket.select():
            assert browser.get(f"/my/tickets/{ticket.id}").status_code == (200 if ticket.id in own else 404)


def test_no_link_of_a_page_leads_nowhere(admin: Browser) -> None:
    seen, to_see = set(), ["/errors"]
    while to_see:
        path = to_see.pop()
        seen.add(path)
        answer = admin.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            found = {one.partition("#")[0] for one in re.findall(r'(?:href|src)="(/[^"]*)"', answer.text)}
            to_see += found - seen - set(to_see) - {"/"}
    assert len(seen) > 8


class Listings:
    """What holds on both databases."""

    database = "sqlite"

    def test_each_state_lists_what_the_pages_call_so(self, console: Console, store: Store) -> None:
        ids = [error.id for error in ErrorLog.select()]
        rows = monitor.rows(store, console.config, ids, console.now)
        for state in ("open", "in_progress", "monitoring", "new", "muted", "resolved"):
            asked = listings.Asked(state=state)
            found = listings.errors(store, asked, console.now, 1, 100).ids
            assert sorted(found) == sorted(row.error.id for row in rows if row.state == state)


class TestListingsOnSqlite(Listings):
    pass


class TestListingsOnPostgres(Listings):
    database = "postgres"
