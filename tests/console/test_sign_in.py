"""Signing in: by password, by links that let in once, and what no stranger gains by trying."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from support.console import PASSWORD, URL, Console

from tocsin.daemon.accounts import one_time_links, ticket_links, users
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.models import BrowserSession, Client, Mail, OneTimeLink, Ticket, User
from tocsin.daemon.tickets.manual import Manual
from tocsin.reports.console import cookies
from tocsin.reports.console.workers import Workers

SESSION = "tocsin"


def test_a_user_signs_in_with_its_password(console: Console) -> None:
    console.add()
    browser = console.browser()
    assert browser.sign_in("ADA@example.org").headers["location"] == "/"
    assert browser.get("/").headers["location"] == "/errors"


def test_a_wrong_password_signs_nobody_in(console: Console) -> None:
    console.add()
    browser = console.browser()
    assert browser.sign_in("ada@example.org", "wrong").status_code == 403
    assert SESSION not in browser.cookies


def test_who_tries_too_often_waits_while_others_sign_in(console: Console) -> None:
    console.add()
    guesser = console.browser()
    answers = [guesser.sign_in("ada@example.org", "wrong").status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert guesser.sign_in("ada@example.org").status_code == 429
    elsewhere = console.browser()
    elsewhere._transport.client = ("192.0.2.7", 1)  # type: ignore[attr-defined]
    assert elsewhere.sign_in("ada@example.org").status_code == 303
    console.now += 16 * 60
    assert guesser.sign_in("ada@example.org").status_code == 303


def test_an_unknown_user_takes_as_long_as_a_known_one(console: Console) -> None:
    console.add()

    def seconds(email: str) -> float:
        tries = []
        for _ in range(5):
            browser = console.browser()
            console.site.wrong_passwords.clear(f"testclient {email}")
            token = browser.token("/sign-in")
            started = time.perf_counter()
            browser.post("/sign-in", data={"csrf": token, "email": email, "password": "wrong"})
            tries.append(time.perf_counter() - started)
        return statistics.median(tries)

    known, unknown = seconds("ada@example.org"), seconds("eve@example.org")
    assert 0.4 < unknown / known < 2.5


def test_a_session_begins_with_a_token_of_its_own(console: Console) -> None:
    console.add()
    browser = console.browser()
    browser.cookies.set(SESSION, "planted", domain="127.0.0.1", path="/")
    browser.sign_in("ada@example.org")
    tokens = [
        cookie.value for cookie in browser.cookies.jar if cookie.name == SESSION and cookie.value != "planted"
    ]
    assert len(tokens) == 1
    assert len(tokens[0] or "") > 40


def test_the_database_holds_no_token_that_signs_in(console: Console) -> None:
    browser = console.signed_in()
    assert browser.cookies[SESSION] not in [row.token_hash for row in BrowserSession.select()]


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_kept_from_scripts_and_other_sites(console: Console, scheme: str, secure: bool) -> None:
    console.add()
    browser = console.browser()
    browser.base_url = URL.replace("http", scheme)  # type: ignore[assignment]
    cookie = next(
        one
        for one in browser.sign_in("ada@example.org").headers.get_list("set-cookie")
        if SESSION + "=" in one
    )
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ("Secure" in cookie and cookie.startswith("__Host-")) is secure


def test_after_signing_out_the_old_cookie_is_worth_nothing(console: Console) -> None:
    browser = console.signed_in()
    old = browser.cookies[SESSION]
    browser.post("/sign-out", data={"csrf": cookies.csrf(old)})
    again = console.browser()
    again.cookies.set(SESSION, old)
    assert again.get("/").headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/a//b",
        "javascript:alert(1)",
        "/a?b=//c",
    ],
)
def test_nobody_is_sent_to_another_site_after_signing_in(console: Console, then: str) -> None:
    console.add()
    browser = console.browser()
    answer = browser.press("/sign-in", email="ada@example.org", password=PASSWORD, then=then)
    assert answer.headers["location"] == "/"


def test_somebody_is_sent_on_to_the_page_that_was_asked_for(console: Console) -> None:
    console.add()
    answer = console.browser().press("/sign-in", email="ada@example.org", password=PASSWORD, then="/errors/7")
    assert answer.headers["location"] == "/errors/7"


def test_looking_at_a_one_time_link_uses_nothing_up(console: Console) -> None:
    user_id = users.add(console.store, "eve@example.org", console.now)
    page = f"/one-time/{users.link(console.store, user_id, console.now)}"
    browser = console.browser()
    assert [browser.get(page).status_code for _ in range(3)] == [200] * 3
    assert browser.press(page, password=PASSWORD).status_code == 303
    assert browser.get(page).status_code == 410
    assert console.browser().sign_in("eve@example.org").status_code == 303


def test_a_short_password_leaves_the_link_unused(console: Console) -> None:
    user_id = users.add(console.store, "eve@example.org", console.now)
    page = f"/one-time/{users.link(console.store, user_id, console.now)}"
    assert console.browser().press(page, password="short").status_code == 422
    assert OneTimeLink.select().count() == 1


def test_the_first_admin_s_link_ends_after_a_quarter_of_an_hour(console: Console) -> None:
    page = f"/one-time/{one_time_links.make(console.store, one_time_links.FIRST_ADMIN, console.now)}"
    assert console.browser().get(page).status_code == 200
    console.now += 15 * 60
    assert console.browser().get(page).status_code == 410


def test_the_first_admin_is_made_once(console: Console) -> None:
    pages = [f"/one-time/{one_time_links.make(console.store, one_time_links.FIRST_ADMIN, console.now)}"]
    given = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
    browser = console.browser()
    assert browser.press(pages[0], **given).status_code == 303
    assert browser.get("/").headers["location"] == "/errors"
    pages.append(f"/one-time/{one_time_links.make(console.store, one_time_links.FIRST_ADMIN, console.now)}")
    assert console.browser().press(pages[1], **{**given, "email": "eve@example.org"}).status_code == 410
    assert [user.email for user in User.select()] == ["ada@example.org"]


def own_ticket(console: Console) -> tuple[Ticket, Client, str]:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    client = Client.get_by_id(ticket.client_id)
    with console.store.transaction():
        return ticket, client, ticket_links.sign(ticket.id, client.id, client.email)


def read(console: Console, link: str) -> Any:
    return ticket_links.read(console.store, link, time.time())


def test_a_mail_s_link_to_a_ticket_holds_90_days(console: Console) -> None:
    ticket, _, link = own_ticket(console)
    found = read(console, link)
    assert found is not None
    assert found.ticket_id == ticket.id
    assert ticket_links.read(console.store, link, time.time() + 91 * 86400) is None


def test_a_changed_link_opens_nothing(console: Console) -> None:
    _, _, link = own_ticket(console)
    assert read(console, link[:-2] + "AA") is None
    assert read(console, link.replace(".", "x", 1)) is None


def test_a_link_is_revoked_with_the_client_s_address(console: Console) -> None:
    _, client, link = own_ticket(console)
    client.email = "new@example.org"
    client.save()
    assert read(console, link) is None


def test_an_admin_revokes_the_links_of_a_client(console: Console) -> None:
    _, client, link = own_ticket(console)
    with console.store.transaction():
        rows.revoke_links(client.id, time.time())
    assert read(console, link) is None


def test_a_client_s_session_ends_with_its_address(console: Console) -> None:
    _, client, _ = own_ticket(console)
    browser = console.as_client(client.id, client.email)
    assert browser.get("/").headers["location"] == "/my/tickets"
    client.email = "new@example.org"
    client.save()
    assert browser.get("/").headers["location"] == "/sign-in"


def ask(console: Console, email: str) -> Any:
    """Asks for a mailed link, and waits until the console has seen to it."""
    answer = console.browser().press("/sign-in", "/sign-in/link", email=email)
    console.site.workers.later(int)
    console.site.workers.close()
    console.site.workers = Workers()
    return answer


def links() -> list[str]:
    return [
        mail.facts["url"].removeprefix(URL)
        for mail in Mail.select().where(Mail.kind == "access").order_by(Mail.id)
    ]


def test_a_client_signs_in_by_a_mailed_link(console: Console) -> None:
    _, client, _ = own_ticket(console)
    ask(console, client.email.upper())
    browser = console.browser()
    assert browser.press(links()[0]).status_code == 303
    assert browser.get("/my/tickets").status_code == 200
    assert console.browser().get(links()[0]).status_code == 410


def test_a_forgotten_password_is_replaced_by_a_mailed_link(console: Console) -> None:
    old = console.signed_in()
    ask(console, "ada@example.org")
    assert console.browser().press(links()[0], password="another long one").status_code == 303
    assert console.browser().sign_in("ada@example.org", "another long one").status_code == 303
    assert console.browser().sign_in("ada@example.org").status_code == 403
    assert old.get("/errors").headers["location"].startswith("/sign-in")


def test_a_stranger_gets_the_same_answer_and_no_mail(console: Console) -> None:
    _, client, _ = own_ticket(console)
    known, unknown = (ask(console, email) for email in (client.email, "eve@example.org"))
    assert (known.status_code, known.headers["location"]) == (
        unknown.status_code,
        unknown.headers["location"],
    )
    assert len(links()) == 1


def test_nobody_s_mailbox_is_filled_with_links(console: Console) -> None:
    _, client, _ = own_ticket(console)
    for _ in range(5):
        ask(console, client.email)
    assert len(links()) == 3


def test_a_mail_leads_its_client_to_its_ticket(make_console: Any) -> None:
    console = make_console(console={"url": "https://tocsin.example.org"})
    with console.store.transaction():
        Client.create(id="acme", email="it@acme.example", folder="x")
    Manual(console.store, console.config).open("Update", "On Monday.", "ada", console.now, client_id="acme")
    url = Mail.select().where(Mail.audience == "client").get().facts["ticket_url"]
    page = url.removeprefix("https://tocsin.example.org")
    console.now = time.time()
    browser = console.browser(host="tocsin.example.org")
    assert browser.get(page).status_code == 200
    assert browser.get("/my/tickets/1").headers["location"].startswith("/sign-in")
    opened = browser.press(page).headers["location"]
    assert "On Monday." in browser.get(opened).text
    assert browser.get("/my/tickets").headers["location"].startswith("/sign-in")
