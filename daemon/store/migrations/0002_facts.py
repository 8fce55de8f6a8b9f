"""History rows and watches hold facts, which are worded for each reader; old texts of ours are read back.

A frozen copy of the sentences that the first version wrote. A text that is none of them stays as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

WAITING = {
    "a correction whose tests pass: the last validation failed": "passing_tests",
    "the full time without the error": "duration",
    "a run that begins and ends in order without the error": "run",
    "the application to be seen alive long enough": "seen_alive",
    "a longer silence: this one is still likely without any correction": "chance",
}
HELD = re.compile(r"errors that process (\d+) on (.+) may still hold back")
STATUS = "(?:open|in_progress|monitoring|closed)"
PRIORITY = "(?:low|medium|high|critical)"
MAIL = r"(?P<kind>\w+) mail(?P<digest> in a digest)? to the (?P<audience>client|admin) (?P<recipient>\S+)"
SENTENCES = {
    "created": (r"first folded error: (?P<folded>\d+)",),
    "status_changed": (rf"(?P<before>{STATUS}) -> (?P<after>{STATUS})",),
    "priority_changed": (rf"(?P<before>{PRIORITY}) -> (?P<after>{PRIORITY})",),
    "reopened": (r"came back(?P<late> late: it happened before the ticket was closed)?",),
    "old_code_running": (
        r"session (?P<session>\w{1,8}) \(pid (?P<pid>\d+) on (?P<host>.+)\) began before the correction",
    ),
    "auto_closed": (
        r"quiet for (?P<quiet_seconds>\d+) s, the application seen alive for (?P<seen_seconds>\d+) s of them"
        r"(?P<unverified>; the correction was not verified by tests)?",
    ),
    "merged": (
        r"the same error as ticket (?P<kept>\d+)",
        r"ticket (?P<younger>\d+) was about the same error",
        r"error (?P<error>\d+) was merged into error (?P<into>\d+)",
    ),
    "muted": (r"for (?P<seconds>\d+) s", r"until it exceeds (?P<rate>\d+) an hour"),
    "email_sent": (MAIL,),
    "email_failed": (MAIL + r": (?P<reason>.+)",),
    "client_not_told": (r"no mail address of (?P<client>.+) is known",),
}
NUMBERS = (
    "folded",
    "pid",
    "kept",
    "younger",
    "error",
    "into",
    "seconds",
    "rate",
    "quiet_seconds",
    "seen_seconds",
)
FLAGS = ("late", "unverified", "digest")


def waiting(text: str) -> dict[str, Any]:
    """What a watch waited for, as facts; nothing where the text is none of ours."""
    if text in WAITING:
        return {"kind": WAITING[text]}
    held = HELD.fullmatch(text)
    return {"kind": "backlog", "pid": int(held[1]), "host": held[2]} if held else {}


def facts(action: str, text: str) -> dict[str, Any]:
    """What a history row said, as facts; nothing where the text is none of ours."""
    if action == "inconclusive":
        waits = waiting(text.removeprefix("silence proves nothing yet: waiting for "))
        return {"waiting": waits} if waits else {}
    for sentence in SENTENCES.get(action, ()):
        if found := re.fullmatch(sentence, text, re.DOTALL):
            return {name: _value(name, value) for name, value in found.groupdict().items()}
    return {}


def _value(name: str, value: str | None) -> Any:
    if name in FLAGS:
        return value is not None
    return int(value) if name in NUMBERS and value is not None else value


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds the columns and reads back what the old sentences say."""
    kind = "JSON" if isinstance(db, SqliteDatabase) else "JSONB"
    for table, column in (("support_ticket_history", "details"), ("watches", "waiting")):
        # Not through the migrator: it binds a default of {} as a dict, which SQLite refuses.
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL DEFAULT '{{}}'")
    place = "?" if isinstance(db, SqliteDatabase) else "%s"
    rows = db.execute_sql(
        "SELECT id, action, description FROM support_ticket_history WHERE description <> ''"
    )
    for row_id, action, text in rows.fetchall():
        if known := facts(action, text):
            db.execute_sql(
                f"UPDATE support_ticket_history SET details = {place} WHERE id = {place}",  # noqa: S608
                (json.dumps(known), row_id),
            )
    for error_id, text in db.execute_sql("SELECT error_id, waiting_for FROM watches").fetchall():
        if waits := waiting(text):
            db.execute_sql(
                f"UPDATE watches SET waiting = {place} WHERE error_id = {place}",  # noqa: S608
                (json.dumps(waits), error_id),
            )
