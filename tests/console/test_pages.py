"""The pages served: the files' own, narrowed by what is asked, and for a client nothing of anybody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from support.console import PASSWORD, Browser, Console

from tocsin.daemon.queries import listings, monitor
from tocsin.daemon.settings import Smtp
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorLog, Mail, Session, Ticket, User


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("environment", "production"), ("release", "2026.11.3"), ("client", "bakery"), ("q", "KeyError views0")],
)
def test_each_filter_leaves_what_it_names(admin: Browser, name: str, value: str) -> None:
    assert 1 in listed(admin.get("/errors", params={name: value}).text)
    assert listed(admin.get("/errors", params={name: "nobody"}).text) == set()


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


def moments(page: str) -> dict[str, str]:
    """What a page says of its moments without a script, by what it says of them in UTC."""
    found = re.findall(r'<time datetime="[^"]*" title="([^"]*)"[^>]*>([^<]*)<', page)
    assert found
    return dict(found)


def test_moments_are_in_the_reader_s_zone_and_in_utc_beside_it(console: Console) -> None:
    admin = console.signed_in(timezone="Asia/Kolkata", language="fr")
    for path, utc, local in (
        ("/errors", "2026-11-22 13:58:30 UTC", "22 nov. 2026 19:28"),
        ("/errors/1", "2026-11-22 13:58:30 UTC", "22 nov. 2026, 19:28:30"),
        ("/tickets/1", "2026-11-21 08:00:00 UTC", "21 nov. 2026, 13:30:00"),
    ):
        page = admin.get(path).text
        assert moments(page)[utc] == local
        assert 'data-zone="Asia/Kolkata"' in page
        assert "<bdi data-zone-name>Kolkata</bdi>" in page


def test_a_reader_without_a_zone_has_the_organisation_s(
    make_console: Callable[..., Console], filled: None
) -> None:
    console = make_console(organisation={"timezone": "Europe/Paris"})
    page = console.signed_in().get("/errors/1").text
    assert moments(page)["2026-11-22 13:58:30 UTC"] == "Nov 22, 2026, 2:58:30\u202fPM"
    assert "(Paris)" in page.partition('class="axis"')[2][:300]
    assert "data-zone=" not in page


def test_each_reader_of_the_list_has_its_own_zone(console: Console) -> None:
    zones = {
        zone: console.signed_in(f"{at}@x.example", timezone=zone)
        for at, zone in enumerate(("Asia/Tokyo", "America/New_York"))
    }
    pages = [moments(browser.get("/errors").text) for browser in (*zones.values(), *zones.values())]
    told = [page["2026-11-22 13:58:30 UTC"] for page in pages]
    assert told == ["22 Nov 2026 22:58", "22 Nov 2026 08:58"] * 2


def test_a_client_s_moments_are_in_its_zone(console: Console) -> None:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    Client.update(timezone="Asia/Tokyo").where(Client.id == ticket.client_id).execute()
    client = console.as_client(ticket.client_id, Client.get_by_id(ticket.client_id).email)
    page = client.get(f"/my/tickets/{ticket.id}").text
    assert "Nov 21, 2026, 5:00:00\u202fPM" in moments(page).values()
    assert 'data-zone="Asia/Tokyo"' in page


def test_a_zone_that_this_machine_does_not_know_breaks_no_page(console: Console, admin: Browser) -> None:
    User.update(timezone="Mars/Olympus").execute()
    assert admin.get("/errors/1").status_code == 200


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
    def test_a_page_of_the_errors_is_read_in_the_order_of_an_index(self, store: Store) -> None:
        """Sorted for each reader, 10,000 errors cost more than the page itself."""
        asked: list[tuple[str, object]] = []
        run = store.database.execute_sql

        def noted(sql: str, params: object = None) -> object:
            asked.append((sql, params))
            return run(sql, params)

        store.database.execute_sql = noted  # type: ignore[method-assign]
        listings.errors(store, listings.Asked(), 0.0, 3, 50)
        listings.counts(store)
        listed = [(sql, params) for sql, params in asked if "error_logs" in sql]
        plans = [str(run(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()) for sql, params in listed]
        assert len(plans) == 3
        assert not [plan for plan in plans if "TEMP B-TREE" in plan]
        assert "error_logs_order (merged_into=?)" in plans[1]
        assert "error_logs_order (merged_into=? AND resolved=?)" in plans[2]


class TestListingsOnPostgres(Listings):
    database = "postgres"


@pytest.mark.parametrize("path", ["/mails", "/clients", "/users", "/system"])
def test_an_admin_looks_after_people_mails_and_the_system(console: Console, path: str) -> None:
    for language in ("en", "fr"):
        answer = console.signed_in(f"{language}@example.org", language=language).get(path)
        assert answer.status_code == 200
        assert f'<html lang="{language}"' in answer.text


def test_no_secret_of_the_configuration_is_shown(
    make_console: Callable[..., Console], tmp_path: Path
) -> None:
    (tmp_path / "hook").write_text("whsec_" + "a" * 40)
    hook = {"name": "team", "webhook": "https://hook.example/s3cret", "secret_file": str(tmp_path / "hook")}
    console = make_console(channel=[hook])
    smtp = {"host": "m.example", "port": 25, "user": "u", "password": "s3cret"}
    console.site.config = structs.replace(console.config, smtp=msgspec.convert(smtp, Smtp))
    page = console.signed_in().get("/system").text
    assert "m.example" in page
    assert "team" in page
    assert "s3cret" not in page


def held(console: Console, **facts: object) -> Mail:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    return Mail.create(
        kind="closing", ticket=ticket, audience="client", recipient="it@acme.example", language="en",
        message_id=f"m{Mail.select().count()}", state="held", created_at=console.now, due_at=console.now,
        facts={"ticket_id": ticket.id, "title": "x", **facts},
    )  # fmt: skip


def test_a_held_mail_is_read_rewritten_and_released(console: Console, admin: Browser) -> None:
    mail = held(console)
    page = f"/mails/{mail.id}"
    assert "it@acme.example" in admin.get(page).text
    assert (
        admin.press(page, f"{page}/rewrite", subject="All well", text="The printer\n\nworks.").status_code
        == 303
    )
    assert "The printer" in admin.get(page).text
    shown = admin.get(f"{page}/html")
    assert "All well" in shown.text
    assert "sandbox" in shown.headers["content-security-policy"]
    assert admin.press(page, f"{page}/release").status_code == 303
    assert Mail.get_by_id(mail.id).state == "waiting"
    assert admin.press(page, f"{page}/release").status_code == 409


def test_a_failed_mail_is_tried_again(console: Console, admin: Browser) -> None:
    mail = held(console)
    Mail.update(state="failed", last_error="550 no such user").where(Mail.id == mail.id).execute()
    assert "550 no such user" in admin.get(f"/mails/{mail.id}").text
    assert admin.press(f"/mails/{mail.id}", f"/mails/{mail.id}/retry").status_code == 303
    assert Mail.get_by_id(mail.id).state == "waiting"
    admin.press(f"/mails/{mail.id}", f"/mails/{mail.id}/drop")
    assert Mail.get_by_id(mail.id).state == "dropped"


def test_a_channel_s_message_that_failed_is_found_by_its_channel_and_tried_again(
    console: Console, admin: Browser
) -> None:
    message = held(console)
    values = {
        "channel": "team",
        "recipient": "team",
        "audience": "admin",
        "state": "failed",
        "last_error": "503 busy",
    }
    Mail.update(**values).where(Mail.id == message.id).execute()
    page = admin.get("/mails?channel=team").text
    assert listed(page) == {message.id}
    assert "503 busy" in page
    assert listed(admin.get("/mails?channel=nobody").text) == set()
    assert admin.press(f"/mails/{message.id}", f"/mails/{message.id}/retry").status_code == 303
    assert Mail.get_by_id(message.id).state == "waiting"


def test_nobody_reads_a_link_that_lets_somebody_else_in(console: Console, admin: Browser) -> None:
    mail = held(console, url="https://x.example/one-time/s3cret")
    Mail.update(kind="access").where(Mail.id == mail.id).execute()
    assert "s3cret" not in admin.get(f"/mails/{mail.id}").text
    assert admin.get(f"/mails/{mail.id}/html").status_code == 404


def test_a_client_is_added_changed_and_its_links_revoked(console: Console, admin: Browser) -> None:
    admin.press("/clients", id="harbour", name="Harbour", email="it@harbour.example", language="fr")
    client = console.as_client("harbour", "it@harbour.example")
    assert client.get("/my/tickets").status_code == 200
    admin.press("/clients", "/clients/revoke", id="harbour")
    assert client.get("/my/tickets").status_code == 303
    assert admin.press("/clients", id="harbour", email="no address").status_code == 422
    assert Client.get_by_id("harbour").language == "fr"


def test_a_user_is_invited_given_another_role_and_disabled(console: Console, admin: Browser) -> None:
    shown = admin.press("/users", email="bob@example.org", role="admin").text
    link = re.search(r"/one-time/[\w-]+", shown)
    assert link
    bob = console.browser()
    assert bob.press(link[0], password=PASSWORD).status_code == 303
    assert bob.get("/errors").status_code == 200
    user = User.get(User.email == "bob@example.org")
    client = Client.select().get().id
    admin.press("/users", f"/users/{user.id}/role", role="client", client=client)
    assert bob.get("/errors").status_code == 303
    bob.sign_in("bob@example.org")
    assert [bob.get(page).status_code for page in ("/errors", "/my/tickets")] == [404, 200]
    admin.press("/users", f"/users/{user.id}/disable")
    assert bob.get("/my/tickets").status_code == 303
    assert bob.sign_in("bob@example.org").status_code == 403


def test_a_user_s_language_and_zone_are_set(console: Console, admin: Browser) -> None:
    user = User.get(User.email == "ada@example.org")
    to = f"/users/{user.id}/reading"
    assert admin.press("/users", to, name="Ada", language="fr", timezone="Asia/Tokyo").status_code == 303
    page = admin.get("/users").text
    assert '<html lang="fr" data-zone="Asia/Tokyo">' in page
    assert "<h2><bdi>Ada</bdi></h2>" in page
    assert admin.press("/users", to, timezone="Mars/Olympus").status_code == 422
    assert admin.press("/users", to, language="xx").status_code == 422
    admin.press("/users", to, name="", language="", timezone="")
    assert User.get_by_id(user.id).timezone is None


def test_the_last_admin_stays(console: Console, admin: Browser) -> None:
    user = User.get(User.email == "ada@example.org")
    assert admin.press("/users", f"/users/{user.id}/disable").status_code == 422
    assert admin.get("/errors").status_code == 200


def test_a_process_that_never_comes_back_is_written_off(console: Console, admin: Browser) -> None:
    session = Session.select().where(Session.ended_at.is_null(), Session.backlog > 0).get()
    assert admin.press("/system", "/system/gone", id=session.id).status_code == 303
    assert Session.get_by_id(session.id).gone_at == console.now
