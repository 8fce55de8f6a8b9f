"""A French reader reads French: on every page, of every refusal, in every attribute that is shown or read out."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from babel.messages.pofile import read_po
from report_data import fill_one
from support.console import Browser, Console
from support.french import english_on, foreign
from support.refusals import DAEMON, made, subclasses

from tocsin.daemon.accounts import one_time_links, ticket_links
from tocsin.daemon.language import LOCALES
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, Correction, Mail, Ticket

FRENCH = {"accept-language": "fr"}
DATA = ("bug", "count", "request", "gone")
"""A category, names of local variables and a session's id."""
PAGES = ("/errors", "/errors?state=muted&q=x", "/errors/1", "/tickets", "/tickets/1", "/corrections", "/metrics",
         "/mails", "/mails/1", "/mails/2", "/mails/3", "/mails/4", "/clients", "/users", "/system",
         "/errors/99")  # fmt: skip
REFUSING = ("tickets/**/*.py", "accounts/users.py", "mail_address.py", "corrections/recording.py",
            "corrections/withdrawal.py", "corrections/claims.py", "corrections/diff.py", "corrections/tries.py",
            "corrections/requests.py",
            "corrections/handoff/report.py")  # fmt: skip
"""The modules whose functions buttons call."""


@pytest.fixture
def console(make_console: Callable[..., Console], store: Store) -> Console:
    with store.transaction():
        fill_one(foreign)
        Client.update(language="fr", email="office@bakery.example").execute()
        Mail.update(language="fr").execute()
    return make_console(mail={"admin": ["ops@example.org"]}, report={"language": "fr"})


@pytest.fixture
def admin(console: Console) -> Browser:
    return console.signed_in(language="fr", name="Ada")


@pytest.fixture
def client(console: Console) -> Browser:
    ticket = client_ticket()
    return console.as_client(ticket.client_id, Client.get_by_id(ticket.client_id).email)


@pytest.fixture
def stranger(console: Console) -> Browser:
    return console.browser(**FRENCH)


def client_ticket() -> Ticket:
    return Ticket.select().where(Ticket.client_id.is_null(False), Ticket.status != "closed").get()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_an_admin_has_an_english_word(admin: Browser, path: str) -> None:
    assert english_on(admin.get(path).text, DATA) == []


def test_no_page_of_a_client_has_an_english_word(client: Browser) -> None:
    for path in ("/my/tickets", f"/my/tickets/{client_ticket().id}", "/nothing-there"):
        assert english_on(client.get(path).text) == [], path


def test_no_page_before_the_sign_in_has_an_english_word(console: Console, stranger: Browser) -> None:
    links = [one_time_links.make(console.store, one_time_links.FIRST_ADMIN, console.now)]
    about = {"email": "x@y.example", "user_id": console.add()}
    links += [one_time_links.make(console.store, one_time_links.PASSWORD, console.now, **about)]
    ticket = client_ticket()
    opened = ticket_links.sign(ticket.id, ticket.client_id, ticket.client_email)
    for path in (
        "/sign-in",
        *(f"/one-time/{link}" for link in links),
        f"/link/{opened}",
        "/one-time/x",
        "/link/x",
    ):
        assert english_on(stranger.get(path).text) == [], path


def test_a_sign_in_that_fails_says_so_in_french(stranger: Browser) -> None:
    answers = [stranger.sign_in("nobody@example.org", "wrong") for _ in range(7)]
    assert {answer.status_code for answer in answers} == {403, 429}
    assert [english_on(answer.text) for answer in answers] == [[]] * 7


def test_a_request_that_is_not_read_is_refused_in_french(admin: Browser) -> None:
    too_large = admin.post("/tickets", data={"csrf": "x" * 1_000_001})
    other_kind = admin.post("/tickets", content=b"{}", headers={"content-type": "application/json"})
    forged = admin.post("/tickets", data={"csrf": "x"})
    assert [one.status_code for one in (too_large, other_kind, forged)] == [413, 415, 403]
    admin.headers.update(FRENCH)
    elsewhere = admin.get("/errors", headers={"host": "evil.example"})
    assert elsewhere.status_code == 421
    assert [english_on(one.text) for one in (too_large, other_kind, forged, elsewhere)] == [[]] * 4


BINARY = "diff --git a/p b/p\nBinary files a/p and b/p differ\n"
REFUSED = {
    "an empty note": ("/errors/1", "/errors/1/note", {"text": " "}),
    "a note too long": ("/errors/1", "/errors/1/note", {"text": "x" * 20_001}),
    "no web address": ("/errors/1", "/errors/1/link", {"url": "x"}),
    "no duration": ("/errors/1", "/errors/1/mute", {"for": "x"}),
    "no rate": ("/errors/1", "/errors/1/mute", {"for": "0/h"}),
    "not muted": ("/errors/1", "/errors/1/unmute", {}),
    "merged into itself": ("/errors/1", "/errors/1/merge", {"into": "1"}),
    "merged into nothing": ("/errors/1", "/errors/1/merge", {"into": "99"}),
    "no number": ("/errors/1", "/errors/1/merge", {"into": "x"}),
    "one error to merge": ("/errors", "/errors/merge", {"id": "1"}),
    "nothing chosen": ("/errors", "/errors/auto-fix", {}),
    "an unknown error chosen": ("/errors", "/errors/auto-fix", {"id": "99"}),
    "a text too long": ("/errors/1", "/errors/1/describe", {"text": "x" * 1001}),
    "a name too long": ("/errors/1", "/errors/1/assign", {"name": "x" * 201}),
    "no correction": ("/errors/1", "/errors/1/corrections", {}),
    "no path": ("/errors/1", "/errors/1/corrections", {"file_path": "/x", "old_code": "a", "new_code": "b"}),
    "the same code": ("/errors/1", "/errors/1/corrections", {"file_path": "x", "old_code": "a", "new_code": "a"}),
    "no diff": ("/errors/1", "/errors/1/corrections", {"diff": "x"}),
    "a diff of binaries": ("/errors/1", "/errors/1/corrections", {"diff": BINARY}),
    "an unknown correction": ("/corrections", "/corrections/99/withdraw", {}),
    "a closed ticket opened": ("/tickets/1", "/tickets/1/reopen", {}),
    "no subject": ("/tickets/1", "/tickets/1/change", {"subject": " "}),
    "an empty message": ("/tickets/1", "/tickets/1/messages", {"text": " "}),
    "a ticket of nothing": ("/tickets", "/tickets", {}),
    "an unknown ticket": ("/tickets/1", "/tickets/99/close", {}),
    "no address": ("/clients", "/clients", {"id": "x", "email": "x"}),
    "no zone": ("/clients", "/clients", {"id": "x", "timezone": "x"}),
    "no user's address": ("/users", "/users", {"email": "x", "role": "admin"}),
    "no client's user": ("/users", "/users", {"email": "x@y.example", "role": "client"}),
    "no zone of a user": ("/users", "/users/1/reading", {"timezone": "x"}),
    "no language": ("/users", "/users/1/reading", {"language": "x"}),
    "no role": ("/users", "/users", {"email": "x@y.example", "role": "x"}),
    "the last admin": ("/users", "/users/1/disable", {}),
    "an unknown user": ("/users", "/users/99/disable", {}),
    "an enabled user": ("/users", "/users/1/enable", {}),
    "an unknown process": ("/system", "/system/gone", {"id": "x"}),
    "a sent mail": ("/mails/1", "/mails/1/retry", {}),
    "an empty mail": ("/mails/4", "/mails/4/rewrite", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_button_s_refusal_is_french(admin: Browser, case: str) -> None:
    page, to, fields = REFUSED[case]
    answer = admin.press(page, to, **fields)
    assert answer.status_code in (404, 409, 422)
    assert english_on(answer.text, ("en",)) == []
    assert "<bdi>" in answer.text.partition("<main")[2]


def test_an_action_that_was_done_already_is_refused_in_french(admin: Browser) -> None:
    done = [("/errors", "/errors/1/resolve"), ("/tickets", f"/tickets/{client_ticket().id}/close")]
    correction = Correction.select().get().id
    for page, to in (("/corrections", f"/corrections/{correction}/withdraw"), *done):
        admin.press(page, to)
        answer = admin.press(page, to)
        assert answer.status_code == 409, to
        assert english_on(answer.text) == [], to


def test_every_refusal_of_what_buttons_call_has_its_french() -> None:
    with (LOCALES / "fr" / "LC_MESSAGES" / "tocsin.po").open("rb") as file:
        french = read_po(file, locale="fr")
    names = subclasses()
    found = [
        (file, line, text)
        for one in REFUSING
        for file in sorted(DAEMON.glob(one))
        for line, text in made(file, names)
    ]
    assert len(found) > 80
    for file, line, text in found:
        assert isinstance(text, ast.Constant), f"{file.name}:{line} puts its facts into the text itself"
        known = french.get(str(text.value))
        assert getattr(known, "string", ""), f"{file.name}:{line} {text.value}"
