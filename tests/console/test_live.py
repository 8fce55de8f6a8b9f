"""What changes shows on open pages by itself: in a real browser, on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from support.console import Served
from support.waiting import until

from tocsin.daemon.queries import listings
from tocsin.daemon.store.models import ErrorLog, Ticket
from tocsin.daemon.tickets.conversation import Conversation
from tocsin.daemon.tickets.manual import Manual


def listens(served: Served, page: Page) -> Page:
    """The page, once the console has looked for it."""
    assert until(lambda: served.console.site.changes.stamp != "")
    return page


def manual(served: Served) -> Manual:
    return Manual(served.console.store, served.console.config)


@pytest.mark.browser
def test_a_resolved_error_shows_on_the_open_list_within_two_seconds(
    served: Served, sign_in: Callable[..., Page]
) -> None:
    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    page = listens(served, sign_in("/errors"))
    expect(page.locator(f"#e{error.id} .badge")).not_to_have_text("resolved")
    manual(served).resolve(error.id, "eve", served.console.now)
    expect(page.locator(f"#e{error.id} .badge")).to_have_text("resolved", timeout=8000)


@pytest.mark.browser
def test_what_is_being_typed_stays_when_the_page_renews(served: Served, sign_in: Callable[..., Page]) -> None:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    page = listens(served, sign_in(f"/tickets/{ticket.id}"))
    answer = page.locator("form[action$='/messages'] textarea")
    answer.fill("Dear baker,")
    answer.press("End")
    Conversation(served.console.store, served.console.config).write(
        ticket.id, "Are you there?", "baker", served.console.now, sender="client"
    )
    expect(page.get_by_text("Are you there?")).to_be_visible(timeout=8000)
    expect(answer).to_have_value("Dear baker,")
    page.keyboard.type(" we are")
    expect(answer).to_have_value("Dear baker, we are")


@pytest.mark.browser
def test_a_client_hears_of_its_own_tickets(served: Served, sign_in: Callable[..., Page]) -> None:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()
    page = listens(served, sign_in("/my/tickets", ticket.client_id))
    manual(served).close(ticket.id, "eve", served.console.now)
    expect(
        page.locator(f"a[href='/my/tickets/{ticket.id}']").locator("xpath=ancestor::li").locator(".badge")
    ).to_have_text("closed", timeout=8000)


@pytest.mark.browser
def test_pages_of_one_browser_share_a_stream(served: Served, sign_in: Callable[..., Page]) -> None:
    page = listens(served, sign_in("/errors"))
    others = [page.context.new_page() for _ in range(3)]
    for other in others:
        other.goto(served.console.site.address + "/tickets")
    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    manual(served).resolve(error.id, "eve", served.console.now)
    expect(page.locator(f"#e{error.id} .badge")).to_have_text("resolved", timeout=8000)
    assert served.console.site.changes.streams == 1


@pytest.mark.browser
def test_a_page_says_when_it_has_lost_the_console(served: Served, sign_in: Callable[..., Page]) -> None:
    page = listens(served, sign_in("/errors"))
    served.stop()
    expect(page.locator(".note.lost")).to_be_visible(timeout=15000)


@pytest.mark.browser
def test_a_form_works_without_scripts(served: Served, sign_in: Callable[..., Page]) -> None:
    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    page = sign_in(f"/errors/{error.id}", java_script_enabled=False)
    page.get_by_role("button", name="Mark resolved").click()
    expect(page.get_by_text(f"Error {error.id} is resolved.")).to_be_visible()
    assert ErrorLog.get_by_id(error.id).resolved


@pytest.mark.browser
def test_keys_move_through_the_list_and_open(served: Served, sign_in: Callable[..., Page]) -> None:
    page = sign_in("/errors")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("[data-item]").first.locator("input[type=checkbox]")).to_be_checked()
    page.locator("[data-item]").first.locator("a.title").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(served.console.site.address + "/errors/" + str(first_listed(served)))


def first_listed(served: Served) -> int:
    return listings.errors(served.console.store, listings.Asked(), served.console.now, 1, 1).ids[0]


def test_what_is_done_to_chosen_errors_needs_a_chosen_one(
    served: Served, sign_in: Callable[..., Page]
) -> None:
    page = listens(served, sign_in("/errors"))
    button = page.locator("form.chosen button", has_text="Auto-Fix")
    expect(button).to_be_disabled()
    page.locator("input[name=id]").first.check()
    expect(button).to_be_enabled()
    expect(page.locator("[data-how-many]")).to_have_text("1")
    ErrorLog.update(occurrences=ErrorLog.occurrences + 1, last_seen=ErrorLog.last_seen + 1).execute()
    expect(page.locator("li.error strong").first).not_to_have_text("431", timeout=8000)
    expect(button).to_be_enabled()


def test_without_a_script_the_chosen_errors_can_be_acted_on(
    served: Served, sign_in: Callable[..., Page]
) -> None:
    page = sign_in("/errors", java_script_enabled=False)
    page.locator("input[name=id]").first.check()
    page.get_by_role("button", name="Auto-Fix").click()
    expect(page.locator("#md")).to_contain_text("Error 1")
