"""What an admin's buttons do: the same as the commands, once, in the admin's name."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.console import Browser, Console

from tocsin.daemon.corrections import tries
from tocsin.daemon.corrections.tries import TryEnd
from tocsin.daemon.corrections.try_reasons import because
from tocsin.daemon.queries import deployments
from tocsin.daemon.store.models import Client, Correction, ErrorLog, History, Mail, Ticket


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
    assert admin.press("/errors", f"/errors/{open_error().id}/mute", **{"for": "ever"}).status_code == 422


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


def test_an_error_is_handed_to_the_agent_and_its_page_says_what_becomes_of_it(
    admin: Browser, console: Console
) -> None:
    error, store, now = open_error(), console.store, console.now
    data = {"csrf": admin.token("/errors"), "id": [str(error.id)]}
    assert 'formaction="/errors/hand-over"' in admin.post("/errors/auto-fix", data=data).text
    assert admin.post("/errors/hand-over", data=data).status_code == 303
    assert "it waits for a runner" in admin.get(f"/errors/{error.id}").text
    begun = tries.begin(store, console.config, error.id, agent="claude", runner="a:1", by="ana", now=now)
    tries.renew(store, begun.id, "a:1", "test", now)
    page = admin.get(f"/errors/{error.id}").text
    assert "an agent is at it" in page
    assert "tests the old code and the new" in page
    refused = TryEnd("refused", [because("protected", path="a.cfg", pattern="*.cfg")])
    tries.end(store, console.config, begun.id, "a:1", refused, now)
    assert "a.cfg is protected (agent.protected: *.cfg)" in admin.get(f"/errors/{error.id}").text


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
    assert answer.status_code == 404
    assert "999999" in answer.text


def test_an_empty_note_is_refused(admin: Browser) -> None:
    ticket = Ticket.select().get()
    assert admin.press(f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/note", text="  ").status_code == 422


def test_a_correction_is_recorded_and_withdrawn(admin: Browser) -> None:
    error = open_error()
    page = f"/errors/{error.id}"
    given = {
        "file_path": "shop/views.py",
        "old_code": "a = 1\r\n",
        "new_code": "a = 2\r\n",
        "description": "why",
    }
    assert admin.press(page, f"{page}/corrections", **given).status_code == 303
    kept = Correction.select().order_by(Correction.id.desc()).get()
    assert (kept.file_path, kept.old_code, kept.applied_by) == ("shop/views.py", "a = 1\n", "ada@example.org")
    assert admin.press(page, f"/corrections/{kept.id}/withdraw").status_code == 303
    assert admin.press(page, f"/corrections/{kept.id}/withdraw").status_code == 409


DIFF = """--- a/shop/views.py
+++ b/shop/views.py
@@ -1,2 +1,2 @@
 import os
-a = 1
+a = 2
"""


def test_a_correction_is_recorded_from_a_pasted_diff(admin: Browser) -> None:
    page = f"/errors/{open_error().id}"
    assert admin.press(page, f"{page}/corrections", diff=DIFF.replace("\n", "\r\n")).status_code == 303
    kept = Correction.select().order_by(Correction.id.desc()).get()
    assert (kept.file_path, kept.new_code) == ("shop/views.py", "import os\na = 2\n")
    assert admin.press(page, f"{page}/corrections", diff="no diff").status_code == 422


def test_an_error_is_assigned_noted_and_linked(admin: Browser) -> None:
    error = open_error()
    page = f"/errors/{error.id}"
    admin.press(page, f"{page}/assign", name="Grace")
    admin.press(page, f"{page}/note", text="look at the cache")
    admin.press(page, f"{page}/link", url="https://git.example/issues/7")
    shown = admin.get(page).text
    assert "Grace" in shown
    assert "look at the cache" in shown
    assert 'href="https://git.example/issues/7"' in shown
    assert admin.press(page, f"{page}/link", url="javascript:alert(1)").status_code == 422


def client_of(console: Console) -> tuple[Ticket, Browser]:
    ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
    return ticket, console.as_client(ticket.client_id, Client.get_by_id(ticket.client_id).email)


def test_client_and_team_write_to_each_other(console: Console, admin: Browser) -> None:
    ticket, client = client_of(console)
    own, page = f"/my/tickets/{ticket.id}", f"/tickets/{ticket.id}"
    assert client.press(own, f"{own}/messages", text="Since when?").status_code == 303
    assert "Since when?" in admin.get(page).text
    assert admin.press(page, f"{page}/messages", text="Since this morning.").status_code == 303
    assert "Since this morning." in client.get(own).text
    mails = Mail.select().where(Mail.kind == "message", Mail.ticket == ticket)
    assert {mail.audience for mail in mails} == {"client", "admin"}


def test_an_internal_note_is_nothing_the_client_reads(console: Console, admin: Browser) -> None:
    ticket, client = client_of(console)
    admin.press(f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/note", text="never mind them")
    assert "never mind them" in admin.get(f"/tickets/{ticket.id}").text
    assert "never mind them" not in client.get(f"/my/tickets/{ticket.id}").text


def test_a_client_opens_a_ticket_of_its_own(console: Console) -> None:
    ticket, client = client_of(console)
    given = {"subject": "No invoice", "text": "None came this month.", "priority": "low"}
    opened = client.press("/my/tickets", **given).headers["location"]
    made = Ticket.get_by_id(int(opened.rpartition("/")[2]))
    assert (made.client_id, made.subject, made.priority) == (ticket.client_id, "No invoice", "low")
    assert client.press("/my/tickets", subject=" ", text="x").status_code == 422
    assert client.press("/my/tickets", **{**given, "priority": "now"}).status_code == 422


def test_an_admin_opens_a_ticket_for_a_client(console: Console, admin: Browser) -> None:
    ticket, _ = client_of(console)
    given = {"client": ticket.client_id, "subject": "Update", "text": "On Monday.", "priority": "medium"}
    page = admin.press("/tickets", **given).headers["location"]
    assert "On Monday." in admin.get(page).text
    assert admin.press("/tickets", **{**given, "subject": ""}).status_code == 422


def test_a_release_is_said_to_be_out(console: Console, admin: Browser) -> None:
    error = open_error()
    page = f"/errors/{error.id}"
    said = []
    for _ in range(2):
        admin.press(page, f"{page}/deployed", release=" 3.0 ")
        said.append(admin.get(page).text)
    assert f"{error.service} 3.0 is out." in said[0]
    assert f"{error.service} 3.0 is known to be out already." in said[1]
    out = [one for one in deployments.all_since(console.store, console.now) if one.release == "3.0"]
    assert [(one.service, one.environment, one.created_by) for one in out] == [
        (error.service, error.environment, "ada@example.org")
    ]
    assert admin.press(page, f"{page}/deployed", release=" ").status_code == 422


def test_a_correction_names_the_release_that_has_it(admin: Browser) -> None:
    error = open_error()
    page = f"/errors/{error.id}"
    code = {"file_path": "shop/views.py", "old_code": "a = 1", "new_code": "a = 3"}
    admin.press(page, f"{page}/corrections", fixed_in="4.0", **code)
    assert Correction.select().order_by(Correction.id.desc()).first().fixed_in == "4.0"
    assert "in release" in admin.get(page).text


def test_a_validation_is_shown_with_its_red_and_green_runs(console: Console) -> None:
    for language, words in (("en", ("old code", "corrected code")), ("fr", ("ancien code", "code corrigé"))):
        page = console.signed_in(f"{language}@x.example", language=language).get("/errors/1").text
        passed = page.partition('class="runs"')[2].partition("</ul>")[0]
        found = re.findall(r'<li class="(\w+)">.*?<bdi>([^<]*)</bdi>', passed, re.S)
        assert found == [("red", words[0]), ("green", words[1])]


def test_results_of_an_agent_s_own_form_are_shown_as_they_are(admin: Browser) -> None:
    Correction.update(test_results={"mine": [1, 2]}).execute()
    assert "&#34;mine&#34;: [" in admin.get("/errors/1").text
