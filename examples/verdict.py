"""What was expected, what happened: every row of the demo's last table. Only reads."""

from __future__ import annotations

import email
import email.policy
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from staging import Failed, Stage
from traffic import BUGS, FIGURES, LABEL, PARCEL, PAYMENT, SCAN, STOCK, Bug

THRESHOLD = 3
CLOSED_BY = {
    LABEL: "corrected",
    FIGURES: "no_reappearance",
    PARCEL: "no_reappearance",
    PAYMENT: "no_reappearance",
}


@dataclass(frozen=True)
class Row:
    """One line of the table; it is right when both sides are equal."""

    what: str
    expected: object
    happened: object

    @property
    def agrees(self) -> bool:
        return self.expected == self.happened


@dataclass(frozen=True)
class Logged:
    """What the application wrote into its own error log."""

    service: str
    text: str
    storefront: str | None


def application_log(stage: Stage) -> list[Logged]:
    """All errors that the applications logged, by their own files."""
    found = []
    for path in sorted((stage.directory / "data").glob("*.errors.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            entry = json.loads(line)
            text = entry["exception"] or entry["message"]
            found.append(Logged(path.name.partition(".")[0], text, entry["storefront"]))
    return found


def logged_of(bug: Bug, log: list[Logged]) -> list[Logged]:
    return [entry for entry in log if entry.service == bug.service and bug.marker in entry.text]


def errors_of(bug: Bug, errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [error for error in errors if error["service"] == bug.service and bug.marker in error["title"]]


def error_of(bug: Bug, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """The one error of a bug. Raises Failed when there is none or several."""
    found = errors_of(bug, errors)
    if len(found) != 1:
        raise Failed(f"{len(found)} errors instead of one for: {bug.name}")
    return found[0]


def counts_agree(stage: Stage) -> bool:
    """Whether the daemon has counted exactly what the applications logged, bug by bug."""
    errors, log = stage.tocsin("errors"), application_log(stage)
    return all(
        sum(error["occurrences"] for error in errors_of(bug, errors)) == len(logged_of(bug, log))
        for bug in BUGS
    )


def clients_of(bug: Bug, log: list[Logged]) -> set[str | None]:
    """Who must get a ticket: all who met an error that reached the threshold; None stands for the admin."""
    entries = logged_of(bug, log)
    return {entry.storefront for entry in entries} if len(entries) >= THRESHOLD else set()


def tickets_of(error: dict[str, Any], tickets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [ticket for ticket in tickets if ticket["error_id"] == error["id"]]


def counts(stage: Stage, status: dict[str, Any]) -> list[Row]:
    """Each error is counted exactly as often as the application logged it, over the daemon's death."""
    errors, log = stage.tocsin("errors"), application_log(stage)
    rows = [Row("errors found", len(BUGS), len(errors))]
    for bug in BUGS:
        happened = [error["occurrences"] for error in errors_of(bug, errors)]
        rows.append(Row(f"counted: {bug.name}", [len(logged_of(bug, log))], happened))
    rows.append(Row("events counted in all", len(log), status["events_counted"]))
    rows.append(Row("events lost", 0, sum(status["lost"].values())))
    rows.append(Row("events quarantined", 0, status["quarantined"]))
    return rows


def tickets(stage: Stage, now: datetime) -> list[Row]:
    """One ticket per error and client; closed, still open, or open because its silence proves nothing."""
    errors, all_tickets, log = stage.tocsin("errors"), stage.tocsin("tickets"), application_log(stage)
    rows = []
    for bug in BUGS:
        own = tickets_of(error_of(bug, errors), all_tickets)
        clients = sorted(str(client) for client in clients_of(bug, log))
        rows.append(Row(f"tickets: {bug.name}", clients, sorted(str(ticket["client_id"]) for ticket in own)))
        if bug in CLOSED_BY:
            ends = {f"{ticket['status']}, {ticket['resolution']}" for ticket in own}
            rows.append(Row(f"ended: {bug.name}", f"closed, {CLOSED_BY[bug]}", " / ".join(sorted(ends))))
    still = {"comes back": STOCK, "application stopped": SCAN}
    for why, bug in still.items():
        own = tickets_of(error_of(bug, errors), all_tickets)
        rows.append(Row(f"not closed ({why}): {bug.name}", True, all(t["status"] != "closed" for t in own)))
    returning, silent = (tickets_of(error_of(bug, errors), all_tickets)[0]["id"] for bug in (STOCK, SCAN))
    return rows + open_watches(stage, returning, silent, now)


def open_watches(stage: Stage, returning_id: int, silent_id: int, now: datetime) -> list[Row]:
    """Why the two that stay open stay open: one was seen again, the other not seen alive for long enough."""
    returning, silent = (stage.tocsin("ticket", str(number)) for number in (returning_id, silent_id))
    required = silent["watch"]["required_seconds"]
    actions = {row["action"] for row in returning["history"]}
    quiet = (now - moment(returning["watch"]["quiet_since"])).total_seconds()
    silence = (now - moment(silent["watch"]["quiet_since"])).total_seconds()
    return [
        Row("its return stands in the history", True, "reappeared" in actions),
        Row("its return began the watch anew", True, quiet < required),
        Row("the stopped one was silent long enough to close by the clock", True, silence >= required),
        Row("but was not seen alive for it", True, silent["watch"]["seen_seconds"] < 0.9 * required),
    ]


def moment(text: str) -> datetime:
    """A moment of the command's JSON; without an offset it is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def mails(stage: Stage) -> list[Row]:
    """One detection mail per client's ticket, a notice to the admin, one closing mail when it closes."""
    all_tickets = stage.tocsin("tickets")
    for_clients = [ticket for ticket in all_tickets if ticket["client_id"]]
    closed = [ticket for ticket in for_clients if ticket["status"] == "closed"]
    outbox = sent_mails(stage)
    kinds = Counter((audience, kind) for audience, kind, _ in outbox)
    kept = [read_mail(path) for path in sorted((stage.directory / "mail").glob("*.eml"))]
    subjects = Counter(subject_kind(str(mail["Subject"])) for mail in kept if "ops@" not in str(mail["To"]))
    return [
        Row("detection mails to clients", len(for_clients), kinds["client", "detection"]),
        Row("closing mails to clients", len(closed), kinds["client", "closing"]),
        Row("errors the admin has a notice of", len({t["error_id"] for t in all_tickets}), noticed(stage)),
        Row("admin told that silence proves nothing", 1, kinds["admin", "inconclusive"]),
        Row(
            "their subjects in French or English",
            [len(for_clients), len(closed)],
            [subjects["!"], subjects["✅"]],
        ),
        Row("mails written = mails that arrived", len(outbox), len({mail["Message-ID"] for mail in kept})),
        Row("mails still waiting or failed", 0, unsent(stage)),
    ]


def subject_kind(subject: str) -> str:
    if "Erreur détectée sur votre site" in subject or "Error detected on your site" in subject:
        return "!"
    return "✅" if subject.endswith(("Incident résolu ✅", "Incident resolved ✅")) else subject


def read_mail(path: Path) -> email.message.EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def sent_mails(stage: Stage) -> list[tuple[str, str, str]]:
    """(audience, kind, Message-ID) of every mail that the daemon has sent."""
    with closing(sqlite3.connect(stage.directory / "tocsin.db")) as database:
        return database.execute(
            "SELECT audience, kind, message_id FROM outbox WHERE state = 'sent'"
        ).fetchall()


def told_of_silence(stage: Stage) -> bool:
    """Whether the admin was told of an application that is not seen any more."""
    return any(kind == "inconclusive" for _, kind, _ in sent_mails(stage))


def noticed(stage: Stage) -> int:
    """How many errors the admin was told of when their tickets opened."""
    query = (
        "SELECT count(DISTINCT t.error_id) FROM outbox o JOIN support_tickets t ON t.id = o.ticket_id"
        " WHERE o.state = 'sent' AND o.audience = 'admin' AND o.kind = 'notice'"
    )
    with closing(sqlite3.connect(stage.directory / "tocsin.db")) as database:
        return int(database.execute(query).fetchone()[0])


def unsent(stage: Stage) -> int:
    """Mails that are neither sent nor taken back."""
    with closing(sqlite3.connect(stage.directory / "tocsin.db")) as database:
        query = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'failed', 'held')"
        return int(database.execute(query).fetchone()[0])


def pages(stage: Stage) -> list[Row]:
    """The HTML pages: the admin's, with every error and ticket on them, and a root for each client."""
    admin = stage.directory / "report" / "admin"
    index = (admin / "index.html").read_text("utf-8") if (admin / "index.html").exists() else ""
    errors = stage.tocsin("errors")
    written = " ".join(path.read_text("utf-8") for path in admin.rglob("*.html"))
    return [
        Row("monitoring page written", True, bool(index)),
        Row(
            "errors shown on it",
            len(errors),
            sum(error["service"] in index and shown(error, index) for error in errors),
        ),
        Row(
            "tickets shown on the pages", True, all(f"#{t['id']}" in written for t in stage.tocsin("tickets"))
        ),
    ]


def shown(error: dict[str, Any], page: str) -> bool:
    """Whether a part of the error's title that needs no escaping stands on the page."""
    return next(bug.marker for bug in BUGS if bug.marker in error["title"]) in page


def metrics(stage: Stage) -> list[Row]:
    """The four numbers agree with the tickets."""
    numbers, all_tickets = stage.tocsin("metrics"), stage.tocsin("tickets")
    share = 100 * sum(ticket["status"] == "closed" for ticket in all_tickets) / len(all_tickets)
    top = [entry["corrections_count"] for entry in numbers["top_corrected"]]
    return [
        Row("metrics: automatic tickets", len(all_tickets), numbers["auto_tickets"]),
        Row("metrics: closed by itself, percent", round(share, 1), round(numbers["auto_closed_percent"], 1)),
        Row("metrics: corrections of the most corrected", [1], top),
    ]


def write(stage: Stage, rows: list[Row], seconds: float) -> None:
    """result.json: the same table."""
    result = {
        "agrees": all(row.agrees for row in rows),
        "seconds": round(seconds, 1),
        "rows": [{**asdict(row), "agrees": row.agrees} for row in rows],
        "mails": str(stage.directory / "mail"),
        "report": str(stage.directory / "report" / "admin" / "index.html"),
    }
    (stage.directory / "result.json").write_text(
        json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def show(console: Console, rows: list[Row]) -> None:
    """The table for people."""
    table = Table(title="expected and happened", title_justify="left")
    for heading in ("", "expected", "happened", ""):
        table.add_column(heading)
    for row in rows:
        mark = "[green]✓[/]" if row.agrees else "[bold red]differs[/]"
        table.add_row(*map(escape, (row.what, plain(row.expected), plain(row.happened))), mark)
    console.print(table)


def plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
