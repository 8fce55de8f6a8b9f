"""Sixty hostile texts in every field of every form stay text on every page."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hostile import CANARY, TEXTS
from playwright.sync_api import Page
from support.console import Console, Served

from tocsin.daemon.store.models import Client, ErrorLog, Ticket

PAGES = (
    "/errors",
    "/errors/1",
    "/tickets",
    "/tickets/{ticket}",
    "/corrections",
    "/clients",
    "/users",
    "/mails",
    "/system",
)


class Elements(HTMLParser):
    """The elements of a page that could run, load or send something, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        handlers = [name for name, _ in attrs if name.startswith("on") or name in ("style", "srcdoc")]
        outside = [
            value for name, value in attrs if name in ("src", "href", "action") and not ours(value or "")
        ]
        if handlers or outside or tag in ("iframe", "object", "embed", "base", "style", "plaintext", "img"):
            self.found.append(f"{tag} {attrs}")


def ours(address: str) -> bool:
    """Of the console; or the address of an issue, which an admin may link to anything on the web."""
    linked = address.startswith("https://x.example/")
    return linked or (address.startswith(("/", "#")) and not address.startswith("//"))


def fill_in(console: Console, text: str) -> tuple[list[int], int]:
    """The text in every field that an admin and a client can fill; the statuses, and the client's ticket."""
    admin = console.signed_in()
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    client = console.as_client(ticket.client_id, Client.get_by_id(ticket.client_id).email)
    own, page, error = f"/my/tickets/{ticket.id}", f"/tickets/{ticket.id}", "/errors/1"
    answers = [
        client.press(own, f"{own}/messages", text=text),
        client.press("/my/tickets", subject=text, text=text, priority=text),
        client.press("/my/tickets", subject=text, text=text, priority="low"),
        admin.press(page, f"{page}/messages", text=text),
        admin.press(page, f"{page}/note", text=text),
        admin.press(page, f"{page}/assign", name=text),
        admin.press(page, f"{page}/change", subject=text, category=text, priority=text, status=text),
        admin.press(page, f"{page}/change", subject=text, category=text),
        admin.press(page, f"{page}/close", note=text),
        admin.press(error, f"{error}/note", text=text),
        admin.press(error, f"{error}/assign", name=text),
        admin.press(error, f"{error}/link", url=text),
        admin.press(error, f"{error}/link", url=f"https://x.example/{text}"),
        admin.press(error, f"{error}/describe", text=text),
        admin.press(error, f"{error}/mute", **{"for": text}),
        admin.press(error, f"{error}/merge", into=text),
        admin.press(error, f"{error}/corrections", file_path=f"a{text}", old_code=text, new_code=f"{text}+",
                    description=text),
        admin.press("/tickets", client=text, subject=text, text=text, priority="low"),
        admin.press("/clients", id=text, name=text, email="", language="", timezone=""),
        admin.press("/clients", id="x", name=text, email=text, language=text, timezone=text),
        admin.press("/users", email=text, name=text, role=text, client=text),
        admin.press("/users", email="new@example.org", name=text[:90], role="admin"),
        admin.press("/system", "/system/gone", id=text),
        console.browser().press("/sign-in", email=text, password=text, then=text),
    ]  # fmt: skip
    for path in (*PAGES, own, "/my/tickets"):
        path = path.format(ticket=ticket.id)
        shown = (client if path.startswith("/my") else admin).get(path)
        answers.append(shown)
        assert not Elements(shown.text).found, (path, text)
    for answer in answers:
        assert not Elements(answer.text).found, text
    return [answer.status_code for answer in answers], ticket.id


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_in_any_field_becomes_markup_or_breaks_a_page(console: Console, text: str) -> None:
    statuses, _ = fill_in(console, text)
    assert set(statuses) <= {200, 303, 403, 404, 409, 422}, statuses


@pytest.mark.browser
def test_nothing_that_was_written_runs_in_a_browser(served: Served, sign_in: Callable[..., Page]) -> None:
    _, ticket = fill_in(served.console, " ".join(text for text in TEXTS if CANARY in text)[:3000])
    page = sign_in("/errors")
    ran: list[str] = []
    page.expose_function("canary", lambda: ran.append(page.url))
    page.on("request", lambda request: ran.append(request.url) if "127.0.0.1" not in request.url else None)
    for path in ("/errors", "/errors/1", f"/tickets/{ticket}", "/clients", "/users"):
        page.goto(served.console.site.address + path)
    assert ran == []
    assert ErrorLog.select().count() > 0
