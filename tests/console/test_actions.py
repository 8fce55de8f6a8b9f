"""What an admin's buttons do: the same as the commands, once, in the admin's name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.console import Browser, Console

from tocsin.daemon.store.models import ErrorLog, History, Ticket


@pytest.fixture
def admin(console: Console) -> Browser:
    return console.signed_in()


def open_error() -> ErrorLog:
    return ErrorLog.select().where(~ErrorLog.resolved).get()


def rows(action: str) -> list[History]:
    return list(History.select().where(History.action == action))


def test_an_error_is_resolved_in_the_admin_s_name(admin: Browser) -> None:
    error = open_error()
    before = len(rows("resolved"))
    answer = admin.press("/errors", f"/errors/{error.id}/resolve")
    assert answer.status_code == 303
    assert ErrorLog.get_by_id(error.id).resolved
    new = rows("resolved")[before:]
    assert new
    assert {row.created_by for row in new} == {"ada@example.org"}


def test_what_was_done_is_said_once(admin: Browser) -> None:
    error = open_error()
    said = f"Error {error.id} is resolved."
    page = admin.press("/errors", f"/errors/{error.id}/resolve").headers["location"]
    assert said in admin.get(page).text
    assert said not in admin.get(page).text


def test_two_admins_who_resolve_at_once_are_one_action(console: Console) -> None:
    error = open_error()
    tickets = Ticket.select().where(Ticket.error == error, Ticket.status != "closed").count()
    before = len(rows("resolved"))
    browsers = [console.signed_in("ada@example.org"), console.signed_in("eve@example.org")]
    tokens = [browser.token("/errors") for browser in browsers]

    def press(at: int) -> int:
        return browsers[at].post(f"/errors/{error.id}/resolve", data={"csrf": tokens[at]}).status_code

    with ThreadPoolExecutor(2) as both:
        answers = sorted(both.map(press, range(2)))
    assert answers == [303, 409]
    assert len(rows("resolved")) == before + tickets


def test_chosen_errors_are_resolved_together(admin: Browser) -> None:
    ids = [str(error.id) for error in ErrorLog.select()]
    answer = admin.post("/errors/resolve", data={"csrf": admin.token("/errors"), "id": ids})
    assert answer.status_code == 303
    assert not ErrorLog.select().where(~ErrorLog.resolved).exists()


@pytest.mark.parametrize(("how", "rate", "seconds"), [("1d", None, 86400.0), ("10/h", 10, None)])
def test_an_error_is_muted_for_a_time_or_until_a_rate(
    console: Console, admin: Browser, how: str, rate: int | None, seconds: float | None
) -> None:
    error = open_error()
    admin.press("/errors", f"/errors/{error.id}/mute", **{"for": how})
    muted = ErrorLog.get_by_id(error.id)
    assert muted.muted_rate == rate
    assert muted.muted_until == (None if seconds is None else console.now + seconds)
    assert admin.press("/errors", f"/errors/{error.id}/unmute").status_code == 303
    assert admin.press("/errors", f"/errors/{error.id}/unmute").status_code == 409


def test_a_mute_of_nonsense_is_refused(admin: Browser) -> None:
    assert admin.press("/errors", f"/errors/{open_error().id}/mute", **{"for": "ever"}).status_code == 409


def test_errors_are_merged_into_one(admin: Browser) -> None:
    first, second = (ErrorLog.create(**like(open_error(), f"9:{number}")) for number in (1, 2))
    answer = admin.press("/errors", f"/errors/{second.id}/merge", into=str(first.id))
    assert answer.headers["location"] == f"/errors/{first.id}"
    assert ErrorLog.get_by_id(second.id).merged_into_id == first.id


def like(error: ErrorLog, signature: str) -> dict[str, object]:
    return {**error.__data__, "id": None, "signature": signature}


def test_the_report_for_an_agent_is_shown_and_the_bundle_sent(admin: Browser) -> None:
    error = open_error()
    data = {"csrf": admin.token("/errors"), "id": [str(error.id)]}
    shown = admin.post("/errors/auto-fix", data=data)
    assert shown.status_code == 200
    assert f'name="id" value="{error.id}"' in shown.text
    bundle = admin.post("/errors/bundle", data=data)
    assert "attachment" in bundle.headers["content-disposition"]
    assert bundle.json()["errors"]


def test_a_ticket_is_changed_closed_and_reopened(admin: Browser) -> None:
    ticket = Ticket.select().where(Ticket.status != "closed").get()
    page = f"/tickets/{ticket.id}"
    admin.press(page, f"{page}/change", subject="Orders fail", priority="low", category="bug")
    admin.press(page, f"{page}/note", text="ask the bakery")
    admin.press(page, f"{page}/close", note="a new printer")
    changed = Ticket.get_by_id(ticket.id)
    assert (changed.subject, changed.priority, changed.status) == ("Orders fail", "low", "closed")
    assert admin.press(page, f"{page}/close").status_code == 409
    assert admin.press(page, f"{page}/reopen", note="it is back").status_code == 303
    assert Ticket.get_by_id(ticket.id).status == "open"
    own = History.select().where(History.ticket == ticket, History.created_by == "ada@example.org")
    assert {"subject_changed", "priority_changed", "note", "resolved", "reopened"} <= {
        row.action for row in own
    }


def test_a_form_that_changes_nothing_writes_no_history(admin: Browser) -> None:
    ticket = Ticket.select().where(Ticket.status != "closed").get()
    page, before = f"/tickets/{ticket.id}", History.select().count()
    same = {name: getattr(ticket, name) for name in ("subject", "priority", "category", "status")}
    assert admin.press(page, f"{page}/change", **same).status_code == 303
    assert History.select().count() == before


def test_what_cannot_be_done_is_said_on_a_page(admin: Browser) -> None:
    answer = admin.press("/errors", "/errors/999999/resolve")
    assert answer.status_code == 409
    assert "999999" in answer.text


def test_an_empty_note_is_refused(admin: Browser) -> None:
    ticket = Ticket.select().get()
    assert admin.press(f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/note", text="  ").status_code == 409
