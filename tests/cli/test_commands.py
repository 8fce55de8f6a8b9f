"""The command: its JSON shapes, its exit codes, what it says to people."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.command_catalogue import COMMANDS
from support.world import HOUR, World, an_error

from tocsin.daemon.cli import tocsin
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.database import open_store
from tocsin.handler.protocol.event import Breadcrumb

ERROR = {
    "id", "signature", "coarse", "title", "message", "source", "line", "service", "occurrences",
    "first_seen", "last_seen", "resolved", "open_tickets", "corrections",
}  # fmt: skip
TICKET = {
    "id", "error_id", "error_signature", "client_id", "client_email", "subject", "status", "priority",
    "category", "source", "resolution", "created_at", "closed_at", "metadata",
}  # fmt: skip
WATCH = {"started_at", "required_seconds", "seen_seconds", "quiet_since", "earliest_close", "waiting_for"}
CORRECTION = {
    "id", "error_id", "file_path", "old_code", "new_code", "description", "applied_by", "applied_at",
    "test_status", "test_results",
}  # fmt: skip
METRICS = {
    "auto_tickets", "auto_closed_percent", "mean_hours_to_resolution", "median_hours_to_resolution",
    "top_corrected", "false_closing_percent",
}  # fmt: skip
STATUS = {
    "alive", "database", "sessions", "events_counted", "lost", "quarantined", "backlog", "outbox",
    "last_check", "problems",
}  # fmt: skip


class Desk:
    """A configured directory with a ticketed error in its database, and the command run on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        url = f"sqlite:///{directory / 'tocsin.db'}"
        (directory / "tocsin.toml").write_text(
            f'[daemon]\nstate_dir = "{directory}"\n[database]\nurl = "{url}"\n'
            '[[client]]\nid = "martin"\nemail = "contact@martin.example"\n'
        )
        self.world = World(open_store(url))
        self.world.now = clock.now() - HOUR
        self.world.app().fail(3, client="martin")

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(
            tocsin, ["--config", str(self.directory / "tocsin.toml"), *arguments], catch_exceptions=False
        )

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").output)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_errors_are_listed_in_the_documented_shape(desk: Desk):
    [error] = desk.json("errors")
    assert error.keys() >= ERROR
    assert (error["service"], error["occurrences"], error["open_tickets"]) == ("shop", 3, 1)
    assert error["title"].startswith("KeyError")
    assert error["last_seen"].endswith("Z")


def test_one_error_is_shown_whole(desk: Desk):
    assert desk.json("error", "1").keys() >= ERROR
    assert "KeyError" in desk.run("error", "1").output


def test_an_error_s_level_logger_thread_and_task_are_shown(desk: Desk):
    event = an_error(at=desk.world.now, level=45, level_name="ALERT", thread="pool-1", task="import orders")
    desk.world.app().log(event)
    assert "as ALERT by shop, thread pool-1, task import orders" in desk.run("error", "2").output
    assert desk.json("error", "2")["samples"][0]["event"]["level_name"] == "ALERT"
    assert desk.json("error", "1")["samples"][0]["event"]["level_name"] == "ERROR"


def test_what_was_logged_before_an_error_is_shown(desk: Desk):
    before = (Breadcrumb(desk.world.now - 0.5, 20, "shop.cart", "cart 7 is empty"),)
    desk.world.app().log(an_error(at=desk.world.now, breadcrumbs=before))
    assert "-0.500 s INFO shop.cart: cart 7 is empty" in desk.run("error", "2").output
    shown = desk.json("error", "2")["samples"][0]["event"]["breadcrumbs"][0]
    assert (shown["before"], shown["level_name"], shown["message"]) == (0.5, "INFO", "cart 7 is empty")


def test_tickets_are_listed_in_the_documented_shape(desk: Desk):
    [ticket] = desk.json("tickets", "--open")
    assert ticket.keys() >= TICKET
    assert (ticket["status"], ticket["client_id"], ticket["source"]) == ("open", "martin", "auto_detection")


def test_one_ticket_has_its_history_and_its_watch(desk: Desk):
    ticket = desk.json("ticket", "1")
    assert ticket.keys() >= TICKET | {"history", "watch"}
    assert ticket["watch"].keys() >= WATCH
    assert ticket["watch"]["required_seconds"] == 24 * HOUR
    assert [row["action"] for row in ticket["history"]] == ["created"]
    assert ticket["history"][0].keys() >= {"action", "description", "created_by", "created_at"}


def test_a_correction_is_recorded_and_listed_with_its_diff(desk: Desk):
    (desk.directory / "orders.py").write_text("total = prices.get(sku)\n")
    done = desk.run(
        "correct", "1", "--file", "orders.py", "--old", "total = prices[sku]",
        "--new", "total = prices.get(sku)", "--by", "copilot", "--project", str(desk.directory),
    )  # fmt: skip
    assert done.exit_code == 0
    [correction] = desk.json("corrections", "1")
    assert correction.keys() >= CORRECTION
    assert (correction["applied_by"], correction["test_status"]) == ("copilot", "pending")
    listing = desk.run("corrections").output
    assert "-total = prices[sku]" in listing
    assert "+total = prices.get(sku)" in listing
    assert desk.json("ticket", "1")["status"] == "in_progress"


def test_resolving_closes_the_error_s_tickets(desk: Desk):
    assert desk.run("resolve", "1", "--by", "ana").exit_code == 0
    assert desk.json("tickets", "--open") == []
    [error] = desk.json("errors")
    assert error["resolved"] is True
    assert desk.json("errors", "--open") == []


def test_a_regrouping_is_said_before_and_after(desk: Desk):
    desk.world.app().log(
        *(an_error(name, at=desk.world.now, template="%s failed") for name in ("pack", "load"))
    )
    desk.run("split", "2", "--by", "text:.*")
    would = desk.run("regroup", "--dry-run").output
    assert "of error 2 would be a new error, occurrences told apart 1: * failed (load)" in would
    assert [change["kind"] for change in desk.json("regroup")["changes"]] == ["known", "told_apart"]
    assert (
        "stored samples looked at: 5, of which cannot be read: 0; nothing to change"
        in desk.run("regroup").output
    )


def test_a_ticket_s_whole_life_by_hand(desk: Desk):
    assert desk.run("ticket", "open", "The till is slow", "--client", "martin", "--by", "ana").exit_code == 0
    for step in (
        ["note", "2", "seen it"],
        ["set", "2", "--priority", "low"],
        ["close", "2"],
        ["reopen", "2"],
    ):
        assert desk.run("ticket", *step, "--by", "ana").exit_code == 0, step
    ticket = desk.json("ticket", "2")
    assert (ticket["source"], ticket["priority"], ticket["status"]) == ("manual", "low", "open")
    actions = [row["action"] for row in ticket["history"]]
    assert actions == [
        "created", "note", "priority_changed", "resolved", "status_changed", "reopened", "status_changed",
    ]  # fmt: skip
    assert {row["created_by"] for row in ticket["history"]} == {"ana"}


def test_the_metrics_have_the_documented_keys(desk: Desk):
    metrics = desk.json("metrics")
    assert metrics.keys() >= METRICS
    assert metrics["auto_tickets"] == 1


def test_the_status_has_the_documented_keys_and_fails_without_a_daemon(desk: Desk):
    result = desk.run("status", "--json")
    status = json.loads(result.output)
    assert status.keys() >= STATUS
    assert status["outbox"].keys() >= {"waiting", "sent", "failed"}
    assert (status["alive"], status["events_counted"], result.exit_code) == (False, 3, 1)
    assert any("not running" in problem for problem in status["problems"])


def test_a_check_says_what_each_watch_waits_for(desk: Desk):
    [finding] = desk.json("check")
    assert finding["verdict"] == "wait"
    assert "full time" in finding["waiting_for"]


def test_the_report_is_written_where_asked(desk: Desk):
    assert desk.run("report", "--out", str(desk.directory / "pages")).exit_code == 0
    assert (desk.directory / "pages" / "admin" / "index.html").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["error", "99"],
        ["ticket", "99"],
        ["resolve", "99"],
        ["ticket", "close", "99"],
        ["ticket", "note", "1", " "],
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_said_in_one_line(desk: Desk, arguments: list[str]):
    result = CliRunner().invoke(tocsin, ["--config", str(desk.directory / "tocsin.toml"), *arguments])
    assert result.exit_code == 1
    said = result.output or str(result.exception)
    assert "Traceback" not in said
    assert said.strip()


def test_a_fresh_init_is_a_configuration_that_loads(tmp_path: Path):
    assert CliRunner().invoke(tocsin, ["init", str(tmp_path)]).exit_code == 0
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(tocsin, ["init", str(tmp_path)])
    assert (again.exit_code, "already" in again.output) == (1, True)
    shown = CliRunner().invoke(tocsin, ["--config", str(tmp_path / "tocsin.toml"), "signature", "/dev/null"])
    assert shown.exit_code == 0


def test_recorded_pairs_that_fail_are_named_and_make_it_fail(tmp_path: Path):
    pairs = Path(__file__).parent.parent / "signature" / "pairs.jsonl"
    first = json.loads(pairs.read_text().splitlines()[0])
    (tmp_path / "wrong.jsonl").write_text(json.dumps({**first, "together": not first["together"]}) + "\n")
    assert CliRunner().invoke(tocsin, ["signature", str(pairs)]).exit_code == 0
    wrong = CliRunner().invoke(tocsin, ["signature", str(tmp_path / "wrong.jsonl")])
    assert wrong.exit_code == 1
    assert first["id"] in wrong.output


def test_control_characters_of_an_error_do_not_reach_the_terminal(desk: Desk):
    world = desk.world
    world.app().fail(3, client="mar\x1b[2Jtin")
    assert "\x1b[2J" not in desk.run("tickets").output


CORRECTED = {"--file": "orders.py", "--old": "a", "--new": "b", "--by": "ana"}


@pytest.mark.parametrize("missing", ["--file", "--old", "--new"])
def test_an_option_that_is_missing_is_named_alone(desk: Desk, missing: str) -> None:
    given = [word for pair in CORRECTED.items() if pair[0] != missing for word in pair]
    done = desk.run("correct", "1", *given)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, f"Error: {missing} is missing")


def test_all_that_is_missing_is_named(desk: Desk) -> None:
    said = desk.run("correct", "1", "--old", "a", "--by", "ana").stderr
    assert said.endswith("Error: --file, --new are missing; or give --commit REV or --diff FILE\n")


def test_a_wrong_value_of_an_option_is_answered_with_the_choices(desk: Desk) -> None:
    said = desk.run("ticket", "set", "1", "--priority", "urgent").stderr
    assert "'urgent' is not one of 'low', 'medium', 'high', 'critical'" in said


def test_what_a_change_answers_is_a_text_of_the_catalogue() -> None:
    finished = [
        f"{file.name}:{call.lineno}"
        for file in sorted(COMMANDS.glob("*.py"))
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "say_changed"
        if isinstance(call.args[1], ast.JoinedStr | ast.Constant)
    ]
    assert not finished, "say it with context.said"


REFUSALS = {"ClickException", "UsageError", "WrongUse", "ConfigError", "fail"}


def test_what_a_command_refuses_is_a_text_of_the_catalogue() -> None:
    finished = [
        f"{file.name}:{call.lineno}"
        for file in sorted(COMMANDS.glob("*.py"))
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call) and call.args
        if getattr(call.func, "id", getattr(call.func, "attr", "")) in REFUSALS
        if any(letter.isalpha() for letter in _own_letters(call.args[0]))
    ]
    assert not finished, "say it with context.said or told"


def _own_letters(text: ast.expr) -> str:
    """What a finished text says itself, without what it is filled in with."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
