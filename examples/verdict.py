"""What was expected, what happened: every row of the demo's last table. Only reads."""

from __future__ import annotations

import email
import email.policy
import json
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from staging import Failed, Stage
from traffic import BUGS, DELIVERY, FIGURES, LABEL, PARCEL, PAYMENT, SCAN, STOCK, VOUCHER, Bug

THRESHOLD = 3
RUNS_COUNTED = hasattr(sys, "monitoring")
"""Since CPython 3.12 it is known which code has run."""
ENDS = {
    LABEL: "closed (corrected)",
    STOCK: "not closed",
    DELIVERY: "no ticket",
    FIGURES: "closed (no_reappearance)",
    PARCEL: "closed (no_reappearance)",
    PAYMENT: "closed (no_reappearance)",
    SCAN: "not closed",
    VOUCHER: "not closed" if RUNS_COUNTED else "closed (corrected)",
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
    """Whether the daemon has counted as many errors as the applications logged."""
    return stage.query("SELECT coalesce(sum(occurrences), 0) FROM error_logs") == [
        (len(application_log(stage)),)
    ]


def tickets_opened(stage: Stage) -> bool:
    """Whether every ticket that must be there is there, and no mail waits."""
    log = application_log(stage)
    wanted = sum(len(clients_of(bug, log)) for bug in BUGS)
    return stage.query("SELECT count(*) FROM support_tickets") == [(wanted,)] and not unsent(stage)


def tickets_closed(stage: Stage) -> bool:
    """Whether the tickets that must close are closed, and no mail waits."""
    tickets = stage.query(
        "SELECT e.title, t.status FROM support_tickets t JOIN error_logs e ON e.id = t.error_id"
    )
    markers = [bug.marker for bug, end in ENDS.items() if end.startswith("closed")]
    own = [status for title, status in tickets if any(marker in title for marker in markers)]
    return bool(own) and set(own) == {"closed"} and not unsent(stage)


def clients_of(bug: Bug, log: list[Logged]) -> set[str | None]:
    """Who must get a ticket: all who met an error that reached the threshold; None stands for the admin."""
    entries = logged_of(bug, log)
    return {entry.storefront for entry in entries} if len(entries) >= THRESHOLD else set()


def tickets_of(error: dict[str, Any], tickets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [ticket for ticket in tickets if ticket["error_id"] == error["id"]]


def bugs(stage: Stage) -> list[Row]:
    """For each bug: counted as often as the application logged it, its tickets, and how they ended."""
    errors, all_tickets, log = stage.tocsin("errors"), stage.tocsin("tickets"), application_log(stage)
    resolved = [error_of(bug, errors)["resolved"] for bug in (LABEL, STOCK)]
    rows = [
        Row("errors told apart", len(BUGS), len(errors)),
        Row("resolved: the corrected one, the returning one", [True, False], resolved),
    ]
    for bug in BUGS:
        expected = fate(len(logged_of(bug, log)), clients_of(bug, log), {ENDS[bug]})
        own = errors_of(bug, errors)
        tickets = [ticket for error in own for ticket in tickets_of(error, all_tickets)]
        ends = {end(ticket) for ticket in tickets}
        happened = fate(sum(e["occurrences"] for e in own), [t["client_id"] for t in tickets], ends)
        rows.append(Row(bug.name, expected, happened))
    return rows


def fate(count: int, clients: Collection[str | None], ends: Collection[str]) -> str:
    """One bug's story in a line; the ticket of an error without any client is the admin's."""
    if not clients:
        return f"{count} times, no ticket"
    names = " + ".join(sorted(client or "admin" for client in clients))
    return f"{count} times, {names}, {' / '.join(sorted(ends))}"


def end(ticket: dict[str, Any]) -> str:
    return f"closed ({ticket['resolution']})" if ticket["status"] == "closed" else "not closed"


def counts(stage: Stage, status: dict[str, Any]) -> list[Row]:
    """In all, nothing is missing and nothing was put aside, over the daemon's death."""
    lost = sum(status["lost"].values())
    happened = f"{status['events_counted']}, {lost} lost, {status['quarantined']} quarantined"
    return [Row("errors counted in all", f"{len(application_log(stage))}, 0 lost, 0 quarantined", happened)]


def open_watches(stage: Stage, now: datetime) -> list[Row]:
    """Why the two that stay open stay open: one was seen again, the other not seen alive for long enough."""
    errors, all_tickets = stage.tocsin("errors"), stage.tocsin("tickets")
    ids = (str(tickets_of(error_of(bug, errors), all_tickets)[0]["id"]) for bug in (STOCK, SCAN))
    returning, silent = (stage.tocsin("ticket", number) for number in ids)
    required = silent["watch"]["required_seconds"]
    actions = {row["action"] for row in returning["history"]}
    quiet = (now - moment(returning["watch"]["quiet_since"])).total_seconds()
    silence = (now - moment(silent["watch"]["quiet_since"])).total_seconds()
    return [
        Row(
            "one came back: in its history, watched again",
            [True, True],
            ["reappeared" in actions, quiet < required],
        ),
        Row(
            "one is silent: long enough by the clock, seen alive for it",
            [True, False],
            [silence >= required, silent["watch"]["seen_seconds"] >= 0.9 * required],
        ),
    ]


def runs(stage: Stage) -> list[Row]:
    """Which code has run: that of a page nobody asked for since it was corrected, and of another one."""
    errors, all_tickets = stage.tocsin("errors"), stage.tocsin("tickets")
    idle, busy = (
        stage.tocsin("ticket", str(tickets_of(error_of(bug, errors), all_tickets)[0]["id"]))
        for bug in (VOUCHER, LABEL)
    )
    if not RUNS_COUNTED:
        said = idle["metadata"]["watch"]["runs"].get("unknown")
        return [Row("corrected, never called again: what Python 3.11 can know", "no_monitoring", said)]
    ran = busy["metadata"]["watch"]["runs"]
    waits = idle["watch"]["waiting"]
    return [
        Row(
            "corrected, never called again: waits for a run of",
            "not_exercised shop.vouchers.worth",
            f"{waits.get('kind')} {waits.get('name')}",
        ),
        Row(
            "corrected, and called again: has run since",
            ["shop.shipping.label", True],
            [ran.get("function"), ran.get("since", 0) > 0],
        ),
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
    # A daemon killed while it hands over a mail hands it over again, under the same Message-ID.
    arrived = {str(mail["Message-ID"]).strip("<>").partition("@")[0]: mail for mail in kept}
    to_clients = [mail for mail in arrived.values() if "ops@" not in str(mail["To"])]
    subjects = Counter(subject_kind(str(mail["Subject"])) for mail in to_clients)
    expected = [len(for_clients), len(closed)]
    return [
        Row(
            "mails to clients: detection, closing",
            expected,
            [kinds["client", k] for k in ("detection", "closing")],
        ),
        Row("their subjects, in French and English", expected, [subjects["!"], subjects["✅"]]),
        Row("errors the admin has a notice of", len({t["error_id"] for t in all_tickets}), noticed(stage)),
        Row("admin told that silence proves nothing", 1, told_of_silence(stage)),
        Row("sent mails that arrived", len(outbox), sum(identity in arrived for _, _, identity in outbox)),
        Row("mails still waiting or failed", 0, unsent(stage)),
    ]


def subject_kind(subject: str) -> str:
    if "Erreur détectée sur votre site" in subject or "Error detected on your site" in subject:
        return "!"
    return (
        "✅"
        if subject.endswith(
            ("Incident résolu ✅", "Incident resolved ✅", "no longer occurs", "ne se produit plus")
        )
        else subject
    )


def read_mail(path: Path) -> email.message.EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def sent_mails(stage: Stage) -> list[tuple[Any, ...]]:
    """(audience, kind, Message-ID) of every mail that the daemon has sent."""
    return stage.query("SELECT audience, kind, message_id FROM outbox WHERE state = 'sent'")


def told_of_silence(stage: Stage) -> int:
    """How often the admin was told that the stopped application's silence proves nothing."""
    sent = stage.query(
        "SELECT e.title FROM outbox o JOIN support_tickets t ON t.id = o.ticket_id"
        " JOIN error_logs e ON e.id = t.error_id WHERE o.state = 'sent' AND o.kind = 'inconclusive'"
    )
    return sum(SCAN.marker in title for (title,) in sent)


def noticed(stage: Stage) -> int:
    """How many errors the admin was told of when their tickets opened."""
    [(number,)] = stage.query(
        "SELECT count(DISTINCT t.error_id) FROM outbox o JOIN support_tickets t ON t.id = o.ticket_id"
        " WHERE o.state = 'sent' AND o.audience = 'admin' AND o.kind = 'notice'"
    )
    return int(number)


def unsent(stage: Stage) -> int:
    """Mails that are neither sent nor taken back."""
    [(number,)] = stage.query("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'failed', 'held')")
    return int(number)


def pages(stage: Stage) -> list[Row]:
    """The HTML pages: every error and ticket for the admin; for each client its own tickets alone."""
    report = stage.directory / "report"
    monitoring = report / "admin" / "index.html"
    index = monitoring.read_text("utf-8") if monitoring.exists() else ""
    errors, all_tickets = stage.tocsin("errors"), stage.tocsin("tickets")
    own: dict[str, set[int]] = {}
    for ticket in all_tickets:
        if ticket["client_id"]:
            own.setdefault(ticket["client_id"], set()).add(ticket["id"])
    written = [numbered(folder / "tickets") for folder in (report / "clients").iterdir()]
    return [
        Row("bugs on the monitoring page", len(BUGS), sum(bug.marker in index for bug in BUGS)),
        Row("error pages", sorted(error["id"] for error in errors), numbered(report / "admin" / "errors")),
        Row("ticket pages", sorted(t["id"] for t in all_tickets), numbered(report / "admin" / "tickets")),
        Row("ticket pages of the clients", sorted(map(sorted, own.values())), sorted(written)),
    ]


def numbered(folder: Path) -> list[int]:
    """The numbers of the pages in a folder."""
    return sorted(int(path.stem) for path in folder.glob("*.html") if path.stem.isdigit())


def metrics(stage: Stage) -> list[Row]:
    """The four numbers agree with the tickets."""
    numbers, all_tickets = stage.tocsin("metrics"), stage.tocsin("tickets")
    share = 100 * sum(ticket["status"] == "closed" for ticket in all_tickets) / len(all_tickets)
    top = [entry["corrections_count"] for entry in numbers["top_corrected"]]
    return [
        Row("metrics: automatic tickets", len(all_tickets), numbers["auto_tickets"]),
        Row("metrics: closed by itself, percent", round(share, 1), round(numbers["auto_closed_percent"], 1)),
        Row("metrics: corrections of each corrected error", [1, 1], top),
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
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "expected", "happened", ""):
        table.add_column(heading)
    for row in rows:
        mark = "[green]✓[/]" if row.agrees else "[bold red]differs[/]"
        table.add_row(*map(escape, (row.what, plain(row.expected), plain(row.happened))), mark)
    console.print(table)


def plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
