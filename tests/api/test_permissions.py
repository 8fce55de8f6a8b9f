"""Who may do what by the API: every operation with every kind of token, and what one client's token sees."""

from __future__ import annotations

import pytest

from tocsin.daemon.accounts import tokens
from tocsin.reports.api.operations import OPERATIONS
from tocsin.reports.console.routes import API_ROUTES
from tocsin.reports.console.throttle import Throttle

V1 = "/api/v1"
DAY = 86400.0

READ = "GET /errors, GET /errors/{error_id:int}, GET /corrections, GET /validations, GET /claims, GET /autofix, " \
       "GET /tries, GET /requests, GET /clients, GET /metrics, GET /status, GET /sessions, GET /mails"  # fmt: skip
SCOPE_OF = {
    **dict.fromkeys(READ.split(", "), "read"),
    "GET /tickets": "read+client",
    "GET /tickets/{ticket_id:int}": "read+client",
    "POST /tickets": "act+client",
    "POST /tickets/{ticket_id:int}/messages": "act+client",
    "POST /errors/{error_id:int}/resolve": "act",
    "POST /errors/{error_id:int}/mute": "act",
    "POST /errors/{error_id:int}/unmute": "act",
    "POST /errors/{error_id:int}/merge": "act",
    "POST /errors/{error_id:int}/assign": "act",
    "POST /errors/{error_id:int}/describe": "act",
    "POST /errors/{error_id:int}/link": "correct",
    "POST /errors/{error_id:int}/notes": "correct",
    "PATCH /tickets/{ticket_id:int}": "act",
    "POST /tickets/{ticket_id:int}/notes": "correct",
    "POST /tickets/{ticket_id:int}/close": "act",
    "POST /tickets/{ticket_id:int}/reopen": "act",
    "POST /corrections": "correct",
    "DELETE /corrections/{correction_id:int}": "correct",
    "POST /validations": "correct",
    "POST /claims": "correct",
    "DELETE /claims/{error_id:int}": "correct",
    "POST /tries": "correct",
    "POST /requests": "act",
    "DELETE /requests/{error_id:int}": "act",
    "PATCH /tries/{try_id:int}": "correct",
    "POST /tries/{try_id:int}/end": "correct",
    "POST /deployments": "send",
    "POST /clients": "act",
    "POST /sessions/{session_id}/gone": "act",
    "POST /mails/{mail_id:int}/release": "act",
    "POST /mails/{mail_id:int}/drop": "act",
    "POST /mails/{mail_id:int}/retry": "act",
}
"""The scope that each operation asks for; `+client`: a client's token with it may, of its own."""


def name(operation):
    return f"{operation.method} {operation.path}"


def test_every_operation_has_a_row_and_every_row_an_operation():
    assert sorted(map(name, OPERATIONS)) == sorted(SCOPE_OF)


def test_every_api_route_is_an_operation_or_the_document():
    assert len(API_ROUTES) == len(OPERATIONS) + 1
    assert all(route.api for route in API_ROUTES)


def path_of(operation):
    path = operation.path.replace("{ticket_id:int}", "1").replace("{session_id}", "x")
    return V1 + path.replace("{error_id:int}", "1").replace("{correction_id:int}", "1").replace(
        "{mail_id:int}", "1"
    ).replace("{try_id:int}", "1")


def status(caller, operation):
    # What each wants is not given: a call that is permitted ends with 422, 404 or 409 at the latest.
    more = {} if operation.method in ("GET", "DELETE") else {"json": {"colour": "red"}}
    answer = caller.request(operation.method, path_of(operation), **more)
    return answer.status_code, answer.json().get("title") if answer.status_code in (403, 404) else ""


def test_each_operation_is_reached_with_its_scope_and_no_other(api):
    reached = {}
    for operation in OPERATIONS:
        by = [scope for scope in tokens.SCOPES if status(api.caller(scope), operation)[0] not in (401, 403)]
        own = status(api.caller(*tokens.SCOPES, client="martin"), operation)
        hidden = own == (404, "There is no such thing")
        reached[name(operation)] = "+".join([*by, *([] if hidden else ["client"])])
    assert reached == SCOPE_OF


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer tocsin_x", "Bearer x", "Basic YTpi", "tocsin_x"]
)
def test_without_a_valid_token_nothing_is_told(api, authorization):
    caller = api.console.browser(authorization=authorization)
    for operation in OPERATIONS:
        answer = caller.request(operation.method, path_of(operation))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), name(operation)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_signed_in_browser_has_no_api(api):
    browser = api.console.signed_in()
    assert browser.get("/errors").status_code == 200
    assert browser.get(f"{V1}/errors").status_code == 401


def test_a_token_that_is_over_or_revoked_is_none(api):
    ended, revoked = api.caller("read", days=1), api.caller("read", name="gone")
    assert ended.get(f"{V1}/errors").status_code == 200
    api.console.now += DAY
    assert ended.get(f"{V1}/errors").status_code == 401
    tokens.revoke(api.world.store, "gone", api.console.now)
    assert revoked.get(f"{V1}/errors").status_code == 401


def test_a_token_is_kept_as_a_hash_alone(api):
    text = tokens.add(api.world.store, "plain", ["read"], "ana", api.console.now)
    rows = api.world.store.database.execute_sql("SELECT * FROM tokens").fetchall()
    assert text not in repr(rows)
    assert text.removeprefix("tocsin_") not in repr(rows)


# One client's token


def test_a_client_sees_its_own_tickets_and_no_other_s(api):
    martin = api.caller("read", client="martin")
    assert [row["client_id"] for row in martin.get(f"{V1}/tickets").json()] == ["martin"]
    assert [row["client_id"] for row in martin.get(f"{V1}/tickets?client=acme").json()] == ["martin"]
    assert martin.get(f"{V1}/tickets/2").status_code == 404


def test_what_a_client_reads_names_no_class_no_path_no_person_and_no_other_client(api):
    team = api.caller(name="ana")
    team.post(f"{V1}/corrections", json={
        "error_id": 1, "file_path": "secret/orders.py", "old_code": "a", "new_code": "b"})  # fmt: skip
    team.post(f"{V1}/tickets/1/notes", json={"text": "they pay late"})
    team.post(f"{V1}/tickets/1/messages", json={"text": "We are on it."})
    team.patch(f"{V1}/tickets/1", json={"assignee": "ana"})
    martin = api.caller("read", client="martin")
    for path in ("tickets", "tickets/1"):
        text = martin.get(f"{V1}/{path}").text
        for secret in ("KeyError", "orders.py", "/srv", "acme", "they pay late", "ana", "ops@", "web1"):
            assert secret not in text, (path, secret, text)
    found = martin.get(f"{V1}/tickets/1").json()
    assert found["metadata"] == {}
    assert [(one["author"], one["text"]) for one in found["messages"]] == [("Atelier", "We are on it.")]
    assert found["history"][0]["description"] == "Le ticket a été ouvert."


def test_a_client_opens_a_ticket_and_answers_as_itself(api):
    martin = api.caller("read", "act", client="martin", name="martin's script")
    made = martin.post(f"{V1}/tickets", json={"subject": "Two invoices", "message": "of Tuesday"})
    assert made.status_code == 201
    assert ("received", "contact@martin.example") in api.world.mails()
    answer = martin.post(f"{V1}/tickets/{made.json()['id']}/messages", json={"text": "And Wednesday."})
    assert answer.json()["sender"] == "client"


def test_a_client_reads_no_name_of_a_function_in_its_ticket_s_watch(api):
    world = api.world
    number = next(ticket.id for ticket in world.tickets() if ticket.client_id == "martin")
    world.now += 60
    world.app().ran(3, error=next(one.error_id for one in world.tickets() if one.id == number))
    assert "shop.orders" in api.caller("read").get(f"{V1}/tickets/{number}").text
    assert "shop.orders" not in api.caller("read", client="martin").get(f"{V1}/tickets/{number}").text


@pytest.mark.parametrize("key", ["client_id", "error_id", "category"])
def test_a_client_says_nothing_of_whose_and_of_what_its_ticket_is(api, key):
    martin = api.caller("act", client="martin")
    value = 2 if key == "error_id" else "acme"
    refused = martin.post(f"{V1}/tickets", json={"subject": "a", key: value})
    assert (refused.status_code, refused.json()["key"]) == (422, key)


# Bounds


def test_a_token_that_calls_too_often_must_wait_and_is_told_how_long(api):
    api.console.site.calls = Throttle(2, 60.0)
    caller, other = api.caller("read"), api.caller("read")
    assert [caller.get(f"{V1}/errors").status_code for _ in range(3)] == [200, 200, 429]
    assert 0 < int(caller.get(f"{V1}/errors").headers["retry-after"]) <= 61
    assert other.get(f"{V1}/errors").status_code == 200
    api.console.now += 61
    assert caller.get(f"{V1}/errors").status_code == 200


def test_a_body_that_is_too_large_no_json_or_of_another_type_is_refused(api):
    caller, json_type = api.caller(), {"content-type": "application/json"}
    for data, headers, wanted in (
        (b'{"subject": "' + b"x" * 1_000_001 + b'"}', json_type, 413),
        (b"{", json_type, 400),
        (b"[" * 100_000, json_type, 400),
        (b'"\\ud800"', json_type, 400),
        (b"subject=a", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {}, 415),
    ):
        answer = caller.post(f"{V1}/tickets", content=data, headers=headers)
        assert answer.status_code == wanted, (data[:20], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_another_method_is_refused_as_a_problem(api):
    answer = api.caller().put(f"{V1}/errors")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
