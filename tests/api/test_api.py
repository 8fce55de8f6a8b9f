"""What the API gives and does, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.daemon import queries
from tocsin.daemon.queries.moment import to_json
from tocsin.daemon.store.models import History

V1 = "/api/v1"
CHANGE = {"error_id": 1, "file_path": "orders.py", "old_code": "return 1", "new_code": "return 2"}


def history(api: Any, ticket_id: int, action: str) -> list[str]:
    """Who did it, each time."""
    with api.world.store.reading():
        rows = History.select().where(History.ticket == ticket_id, History.action == action)
        return [row.created_by for row in rows.order_by(History.id)]


class ApiContract:
    def test_errors_are_what_the_command_prints(self, api):
        found = api.caller("read").get(f"{V1}/errors")
        assert found.status_code == 200
        assert found.text == to_json(queries.errors(api.world.store))

    def test_one_ticket_is_what_the_command_prints(self, api):
        found = api.caller("read").get(f"{V1}/tickets/1")
        wanted = queries.ticket(api.world.store, 1, api.world.config, api.world.now)
        assert found.text == to_json(wanted)

    @pytest.mark.parametrize(
        "path",
        ["errors/1", "tickets", "corrections", "clients", "metrics", "status", "sessions", "mails", "claims",
         "validations", "autofix"],
    )  # fmt: skip
    def test_every_reading_path_answers(self, api, path):
        assert api.caller("read").get(f"{V1}/{path}").status_code == 200

    def test_pages_of_a_listing_hold_every_row_once_while_others_come(self, api):
        for number in range(5):
            api.app.fail(1, function=f"other{number}")
        caller, seen = api.caller("read"), []
        address: str | None = f"{V1}/errors?limit=2"
        while address:
            answer = caller.get(address)
            seen += [row["id"] for row in answer.json()]
            address = answer.links.get("next", {}).get("url")
            api.app.fail(1, function=f"late{len(seen)}")
        assert len(seen) == len(set(seen))
        assert set(range(1, 8)) <= set(seen)

    @pytest.mark.parametrize("path", ["tickets", "mails", "errors"])
    def test_a_listing_s_last_page_has_no_link(self, api, path):
        answer = api.caller("read").get(f"{V1}/{path}?limit=1000")
        assert "link" not in answer.headers

    def test_mails_and_tickets_are_paged_too(self, api):
        for path in ("tickets", "mails"):
            first = api.caller("read").get(f"{V1}/{path}?limit=1")
            second = api.caller("read").get(first.links["next"]["url"])
            assert first.json()[0]["id"] > second.json()[0]["id"]

    def test_what_is_unchanged_is_not_sent_again(self, api):
        caller = api.caller("read")
        etag = caller.get(f"{V1}/errors").headers["etag"]
        again = caller.get(f"{V1}/errors", headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        api.app.fail(1)
        assert caller.get(f"{V1}/errors", headers={"if-none-match": etag}).status_code == 200

    def test_an_error_is_resolved_once_with_one_row(self, api):
        first, second = api.caller("act", name="ana"), api.caller("act", name="bob")
        assert first.post(f"{V1}/errors/1/resolve").json()["resolved"] is True
        refused = second.post(f"{V1}/errors/1/resolve")
        assert refused.status_code == 409
        assert refused.headers["content-type"] == "application/problem+json"
        assert "resolved already" in refused.json()["detail"]
        assert history(api, 1, "resolved") == ["ana"]

    def test_an_error_is_muted_merged_assigned_described_linked_and_noted(self, api):
        caller = api.caller()
        for path, body, key, value in (
            ("mute", {"for": "2d"}, "muted_until", None),
            ("unmute", {}, "muted_rate", None),
            ("mute", {"until_rate": "10/h"}, "muted_rate", 10.0),
            ("assign", {"assignee": "ana"}, "assignee", "ana"),
            ("link", {"url": "https://example.org/1"}, "link", "https://example.org/1"),
            ("describe", {"text": "Prices"}, "id", 1),
            ("notes", {"text": "on Mondays"}, "id", 1),
        ):
            answer = caller.post(f"{V1}/errors/1/{path}", json=body)
            assert answer.status_code in (200, 201), (path, answer.text)
            assert value is None or answer.json()[key] == value
        assert caller.get(f"{V1}/errors/1").json()["notes"][0]["text"] == "on Mondays"
        assert caller.post(f"{V1}/errors/1/merge", json={"into_id": 2}).json()["id"] == 2
        assert caller.get(f"{V1}/errors/1").json()["merged_into"] == 2

    def test_a_ticket_is_opened_changed_written_on_closed_and_reopened(self, api):
        caller = api.caller("act", "read", "correct", name="bot")
        body = {"subject": "A wish", "message": "more", "client_id": "martin", "priority": "low"}
        made = caller.post(f"{V1}/tickets", json=body)
        assert made.status_code == 201
        number = made.json()["id"]
        changed = caller.patch(f"{V1}/tickets/{number}", json={"priority": "high", "assignee": "ana"}).json()
        assert (changed["priority"], changed["assignee"]) == ("high", "ana")
        said = caller.post(f"{V1}/tickets/{number}/messages", json={"text": "On it."}).json()
        assert (said["sender"], said["author"]) == ("team", "bot")
        assert caller.post(f"{V1}/tickets/{number}/notes", json={"text": "hush"}).status_code == 201
        assert caller.post(f"{V1}/tickets/{number}/close", json={"note": "done"}).json()["status"] == "closed"
        assert caller.post(f"{V1}/tickets/{number}/close").status_code == 409
        assert caller.post(f"{V1}/tickets/{number}/reopen").json()["status"] == "open"
        assert history(api, number, "created") == ["bot"]

    def test_a_change_of_a_ticket_is_made_whole_or_not_at_all(self, api):
        caller = api.caller("act", "read")
        refused = caller.patch(f"{V1}/tickets/1", json={"priority": "low", "status": "open"})
        assert refused.status_code == 409
        assert caller.get(f"{V1}/tickets/1").json()["priority"] == "high"

    def test_a_correction_is_recorded_once_under_the_token_s_name_and_withdrawn(self, api):
        caller = api.caller("correct", "read", name="copilot")
        made = caller.post(f"{V1}/corrections", json=CHANGE)
        assert (made.status_code, made.json()["applied_by"]) == (201, "copilot")
        again = caller.post(f"{V1}/corrections", json=[CHANGE])
        assert [row["id"] for row in again.json()] == [made.json()["id"]]
        gone = caller.delete(f"{V1}/corrections/1")
        assert gone.json()["withdrawn_by"] == "copilot"
        assert caller.delete(f"{V1}/corrections/1").status_code == 409
        assert caller.delete(f"{V1}/corrections/9").status_code == 404
        assert caller.get(f"{V1}/errors/1").json()["corrections"] == 0

    def test_several_corrections_are_recorded_all_or_none(self, api):
        caller = api.caller("correct", "read")
        wrong = {**CHANGE, "error_id": 99}
        assert caller.post(f"{V1}/corrections", json=[CHANGE, wrong]).status_code == 404
        assert caller.get(f"{V1}/corrections").json() == []

    def test_a_validation_found_elsewhere_moves_the_ticket(self, api):
        caller = api.caller("correct", "read", name="copilot")
        caller.post(f"{V1}/corrections", json=CHANGE)
        body = {"error_id": 1, "correction_ids": [1], "status": "passed", "results": {"summary": "green"}}
        made = caller.post(f"{V1}/validations", json=body)
        assert made.status_code == 201
        assert made.json()[0]["results"] == {"summary": "green", "status": "passed", "reported_by": "copilot"}
        assert caller.get(f"{V1}/tickets/1").json()["status"] == "monitoring"
        caller.post(f"{V1}/corrections", json={**CHANGE, "new_code": "return 3"})
        assert caller.post(f"{V1}/validations", json=body).status_code == 409

    def test_a_claim_is_one_agent_s_until_it_is_given_back(self, api):
        one, other = api.caller("correct", name="one"), api.caller("correct", "read", name="other")
        assert one.post(f"{V1}/claims", json={"error_id": 1}).status_code == 201
        refused = other.post(f"{V1}/claims", json={"error_id": 1})
        assert refused.status_code == 409
        assert "claimed by one" in refused.json()["detail"]
        assert other.delete(f"{V1}/claims/1").status_code == 409
        assert one.delete(f"{V1}/claims/1").status_code == 204
        assert other.get(f"{V1}/claims").json() == []

    def test_a_release_that_is_out_is_noted_once(self, api):
        caller = api.caller("send")
        body = {"service": "shop", "release": "2.0"}
        made = caller.post(f"{V1}/deployments", json=body)
        assert made.status_code == 201
        assert made.json() == [{**body, "environment": "production", "new": True}]
        assert [one["new"] for one in caller.post(f"{V1}/deployments", json=body).json()] == [False]

    def test_a_mail_is_dropped_once(self, api):
        caller = api.caller()
        assert caller.post(f"{V1}/mails/1/drop").json()["state"] == "dropped"
        assert caller.post(f"{V1}/mails/1/drop").status_code == 409
        assert caller.post(f"{V1}/mails/999/drop").status_code == 404

    def test_a_client_is_added_and_completed(self, api):
        caller = api.caller()
        made = caller.post(f"{V1}/clients", json={"id": "bolt", "email": "it@bolt.example"})
        assert made.status_code == 201
        assert caller.post(f"{V1}/clients", json={"id": "bolt", "name": "Bolt"}).json()["email"]
        wrong = caller.post(f"{V1}/clients", json={"id": "bolt", "email": "nobody"})
        assert (wrong.status_code, wrong.json()["key"]) == (422, "email")

    def test_a_process_is_written_off(self, api):
        session = api.app.header.session
        caller = api.caller("act")
        assert caller.post(f"{V1}/sessions/{session}/gone").json()["gone_at"]
        assert caller.post(f"{V1}/sessions/{session}/gone").status_code == 409
        assert caller.post(f"{V1}/sessions/nobody/gone").status_code == 404

    @pytest.mark.parametrize(
        ("path", "body", "key"),
        [
            ("tickets", {"subject": "a", "priority": "urgent"}, "priority"),
            ("tickets", {"message": "a"}, "subject"),
            ("tickets", {"subject": "a", "colour": "red"}, "colour"),
            ("tickets", {"subject": "a", "error_id": "one"}, "error_id"),
            ("tickets", {"subject": "a\0b"}, "subject"),
            ("errors/1/mute", {}, "for"),
            ("errors/1/mute", {"for": "soon"}, "for"),
            ("errors/1/mute", {"until_rate": "often"}, "until_rate"),
            ("errors/1/link", {"url": "javascript:alert(1)"}, "url"),
            ("errors/1/merge", {"into_id": 1}, "into_id"),
            ("corrections", [{**CHANGE, "file_path": "../x"}], "file_path"),
            ("corrections", [CHANGE, {**CHANGE, "error_id": 0}], "[1].error_id"),
            ("corrections", {**CHANGE, "new_code": "return 1"}, "new_code"),
            ("corrections", "one", "body"),
            ("tickets/1/messages", {"text": " "}, "text"),
        ],
    )
    def test_a_value_that_cannot_be_is_refused_with_its_key(self, api, path, body, key):
        refused = api.caller().post(f"{V1}/{path}", json=body)
        assert refused.status_code == 422, refused.text
        assert refused.json()["key"] == key

    @pytest.mark.parametrize(
        ("query", "key"),
        [("since=soon", "since"), ("limit=0", "limit"), ("cursor=x", "cursor"), ("open=maybe", "open"),
         ("colour=red", "colour"), ("service=%00", "service")],
    )  # fmt: skip
    def test_a_query_that_cannot_be_is_refused_with_its_key(self, api, query, key):
        refused = api.caller("read").get(f"{V1}/errors?{query}")
        assert (refused.status_code, refused.json()["key"]) == (422, key)

    @pytest.mark.parametrize("path", ["errors/99", "tickets/99", "errors/99999999999999999999", "nothing"])
    def test_what_is_not_there_is_not_found(self, api, path):
        answer = api.caller("read").get(f"{V1}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


class TestOnSqlite(ApiContract):
    database = "sqlite"


class TestOnPostgres(ApiContract):
    database = "postgres"


def test_another_host_s_name_is_a_problem_as_the_document_says(api):
    answer = api.caller("read").get(f"{V1}/status", headers={"host": "evil.example"})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
    assert answer.json()["status"] == 421
