"""The whole way in a real browser, as admin and as client, in both languages; and axe finds no fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from report_data import error as new_error
from report_data import plain
from support.console import PASSWORD, Served
from support.waiting import until

from tocsin.daemon.accounts import one_time_links
from tocsin.daemon.store.models import Client, Correction, ErrorLog, Mail, OneTimeLink, Ticket, User
from tocsin.reports.wording import translations

pytestmark = pytest.mark.browser

AXE = {"resultTypes": ["violations"], "preload": False}
"""The engine must not fetch the style sheet a second time: the pages' policy forbids it, aloud."""


@pytest.fixture(params=["en", "fr"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_first_admin_comes_in_corrects_answers_and_closes(
    served: Served, browser: Browser, language: str
) -> None:
    console, say = served.console, translations(language).gettext
    link = one_time_links.make(console.store, one_time_links.FIRST_ADMIN, console.now)
    context = browser.new_context(locale=language)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{console.site.address}/one-time/{link}")
    page.locator("[name=email]").fill("ada@example.org")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=say("Sign in")).click()
    expect(page).to_have_url(f"{console.site.address}/errors")

    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    page.locator(f"#e{error.id} input[type=checkbox]").check()
    page.get_by_role("button", name=say("Auto-Fix")).click()
    expect(page.locator("#md")).to_contain_text(f"Error {error.id}")

    page.goto(f"{console.site.address}/errors/{error.id}")
    page.get_by_text(say("Record a correction"), exact=True).click()
    page.locator("[name=file_path]").fill("shop/views.py")
    page.locator("[name=old_code]").fill("a = 1")
    page.locator("[name=new_code]").fill("a = 2")
    page.get_by_role("button", name=say("Record"), exact=True).click()
    expect(page.get_by_text(say("The correction is recorded."))).to_be_visible()
    assert Correction.select().where(Correction.applied_by == "ada@example.org").count() == 1

    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    page.goto(f"{console.site.address}/tickets/{ticket.id}")
    page.locator("form[action$='/messages'] textarea").fill("We have found it.")
    page.get_by_role("button", name=say("Send"), exact=True).click()
    expect(page.get_by_text("We have found it.")).to_be_visible()
    page.get_by_role("button", name=say("Close it"), exact=True).click()
    expect(page.get_by_text(say("The ticket is closed."))).to_be_visible()
    page.get_by_role("button", name=say("Sign out")).click()
    expect(page).to_have_url(f"{console.site.address}/sign-in")
    assert complaints == []
    context.close()


def test_a_client_comes_by_its_mailed_link_reads_answers_and_asks(
    served: Served, browser: Browser, language: str
) -> None:
    console, say = served.console, translations(language).gettext
    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    client = Client.get_by_id(ticket.client_id)
    Client.update(language=language).where(Client.id == client.id).execute()
    context = browser.new_context(locale=language)
    page = context.new_page()
    page.goto(f"{console.site.address}/sign-in")
    page.locator("form[action='/sign-in/link'] [name=email]").fill(client.email)
    page.get_by_role("button", name=say("Mail me a link")).click()
    expect(
        page.get_by_text(say("If we know this address, a mail with a link is on its way."))
    ).to_be_visible()
    console.site.workers.close()
    console.site.workers = type(console.site.workers)()
    page.goto(Mail.select().where(Mail.kind == "access").get().facts["url"])
    page.get_by_role("button", name=say("Sign in")).click()
    expect(page.get_by_role("heading", name=say("Your tickets"))).to_be_visible()
    assert OneTimeLink.select().count() == 0

    page.locator(f"a[href='/my/tickets/{ticket.id}']").click()
    page.locator("form[action$='/messages'] textarea").fill("Thank you.")
    page.get_by_role("button", name=say("Send"), exact=True).click()
    expect(page.get_by_text("Thank you.")).to_be_visible()

    page.goto(f"{console.site.address}/my/tickets")
    page.get_by_text(say("Open a ticket"), exact=True).click()
    page.locator("[name=subject]").fill("No invoice")
    page.locator("[name=text]").fill("None came.")
    page.get_by_role("button", name=say("Send"), exact=True).click()
    expect(page.get_by_role("heading", name="No invoice")).to_be_visible()
    for foreign in ("/errors", "/tickets/1", "/clients", "/system"):
        assert page.goto(console.site.address + foreign).status == 404  # type: ignore[union-attr]
    context.close()


def test_an_error_comes_in_and_a_ticket_closes_before_the_reader_s_eyes(
    served: Served, sign_in: Callable[..., Page], language: str
) -> None:
    say = translations(language).gettext
    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    Client.update(language=language).where(Client.id == ticket.client_id).execute()
    User.update(language=language).execute()
    listing = sign_in("/errors", locale=language)
    User.update(language=language).execute()
    client = sign_in(f"/my/tickets/{ticket.id}", ticket.client_id, locale=language)
    assert until(lambda: served.console.site.changes.streams == 2 and served.console.site.changes.stamp != "")

    came_in = new_error(plain, 77, title="OSError: the disk is full", last_seen=served.console.now)
    expect(listing.locator(f"#e{came_in.id} .title")).to_have_text("OSError: the disk is full", timeout=8000)

    admin = listing.context.new_page()
    admin.goto(f"{served.console.site.address}/tickets/{ticket.id}")
    admin.locator("form[action$='/close'] [name=note]").fill("A new disk is in place.")
    admin.get_by_role("button", name=say("Close it"), exact=True).click()
    expect(client.locator("#head .badge")).to_have_text(say("closed"), timeout=8000)
    expect(client.get_by_text("A new disk is in place.")).to_be_visible()


def test_without_a_script_an_admin_corrects_answers_and_closes(
    served: Served, sign_in: Callable[..., Page], language: str
) -> None:
    say = translations(language).gettext
    page = sign_in("/errors/1", locale=language, java_script_enabled=False)
    address = served.console.site.address
    User.update(language=language).execute()
    page.goto(f"{address}/errors/1")
    page.get_by_text(say("Record a correction"), exact=True).click()
    for name, text in (
        ("file_path", "a.py"),
        ("old_code", "a = 1"),
        ("new_code", "a = 2"),
        ("fixed_in", "5.0"),
    ):
        page.locator(f"[name={name}]").fill(text)
    page.get_by_role("button", name=say("Record"), exact=True).click()
    expect(page.get_by_text(say("The correction is recorded."))).to_be_visible()
    page.get_by_text(say("A release is deployed"), exact=True).click()
    page.locator("[name=release]").fill("5.0")
    page.get_by_role("button", name=say("Deployed"), exact=True).click()
    expect(page.get_by_text(say("%(release)s is out.") % {"release": "shop 5.0"})).to_be_visible()

    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    page.goto(f"{address}/tickets/{ticket.id}")
    page.locator("form[action$='/messages'] textarea").fill("We have found it.")
    page.get_by_role("button", name=say("Send"), exact=True).click()
    expect(page.get_by_text("We have found it.")).to_be_visible()
    page.get_by_role("button", name=say("Close it"), exact=True).click()
    expect(page.get_by_text(say("The ticket is closed."))).to_be_visible()
    assert Ticket.get_by_id(ticket.id).status == "closed"


PAGES = ("/errors", "/errors/1", "/tickets", "/tickets/1", "/corrections", "/metrics", "/mails", "/mails/1",
         "/mails/4", "/clients", "/users", "/system", "/errors/99")  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_to_complain_of_on_any_page(
    served: Served, sign_in: Callable[..., Page], scheme: str, width: int
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    admin = sign_in("/errors", **look)
    address = served.console.site.address
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    client = sign_in("/my/tickets", ticket.client_id, **look)
    stranger = admin.context.browser.new_context(**look).new_page()  # type: ignore[union-attr]
    seen = [(admin, path) for path in PAGES]
    seen += [(client, "/my/tickets"), (client, f"/my/tickets/{ticket.id}"), (client, "/nothing-there")]
    seen += [(stranger, "/sign-in")]
    for page, path in seen:
        page.goto(address + path)
        page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true })")
        assert Axe().run(page, options=AXE).generate_snapshot() == "", path
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{path} is too wide"
        )
    admin.goto(f"{address}/errors")
    admin.locator("input[name=id]").first.check()
    admin.get_by_role("button", name="Auto-Fix").click()
    expect(admin.locator("#md")).to_be_visible()
    assert Axe().run(admin, options=AXE).generate_snapshot() == ""
    stranger.context.close()


def test_two_admins_know_of_each_other_live(served: Served, sign_in: Callable[..., Page]) -> None:
    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    one, other = sign_in(f"/errors/{error.id}"), sign_in("/errors")
    expect(other.locator(f"#e{error.id}")).to_be_visible()
    one.get_by_role("button", name="Mark resolved").click()
    expect(other.locator(f"#e{error.id} .badge")).to_have_text("resolved", timeout=8000)
    assert {user.email for user in User.select()} == {"0@x.example", "1@x.example"}
