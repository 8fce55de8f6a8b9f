"""Clients by hand: one added, or a file of them, checked whole before anything is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tocsin.daemon.mail_address import mail_address
from tocsin.daemon.reason import Reason
from tocsin.daemon.settings import Client
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.manual import ManualError
from tocsin.daemon.time_zone import is_time_zone

COLUMNS = ("id", "name", "email", "language", "timezone")
FILE_LIMIT = 10 * 1024 * 1024


def add(store: Store, clients: Sequence[Client]) -> int:
    """Adds the clients, or completes those already known, all or none; returns how many."""
    with store.transaction():
        for one in clients:
            rows.remember_client(one.id, one.name, one.email, one.language, one.timezone)
    return len(clients)


def read(path: Path) -> list[Client]:
    """The clients of a CSV file with a header line, or of a JSON array. Raises ManualError with the row."""
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise ManualError(
                "%(path)s is larger than %(megabytes)s MB", path=path, megabytes=FILE_LIMIT // 1024 // 1024
            )
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else Reason("it is not UTF-8 text")
        raise ManualError("%(path)s cannot be read: %(reason)s", path=path, reason=reason) from None
    found = _from_json(path, text) if text.lstrip().startswith(("[", "{")) else _from_csv(path, text)
    if not found:
        raise ManualError("%(path)s: no client in it", path=path)
    return [client(row, f"{path}, {where}") for where, row in found]


def _from_json(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        rows_ = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise ManualError(
            "%(path)s: not a JSON array of clients: %(reason)s", path=path, reason=error
        ) from None
    return [(f"entry {number}", row) for number, row in enumerate(rows_, 1)]


def _from_csv(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    if "id" not in header:
        raise ManualError(
            "%(path)s: the first line must name the columns: %(known)s", path=path, known=", ".join(COLUMNS)
        )
    reader.fieldnames = header
    try:
        return [(f"line {reader.line_num}", row) for row in reader if any(row.values())]
    except csv.Error as error:
        raise ManualError(
            "%(path)s, line %(line_num)s: %(reason)s", path=path, line_num=reader.line_num, reason=error
        ) from None


def client(row: dict[str, Any], where: str = "client") -> Client:
    """A client of its columns; empty ones are left out. Raises ManualError."""
    given = {key: value.strip() if isinstance(value, str) else value for key, value in row.items()}
    given = {key: value for key, value in given.items() if value not in (None, "")}
    if unknown := sorted(str(key) for key in given if key not in COLUMNS):
        raise ManualError(
            "%(where)s: unknown column %(column)r; known are %(known)s",
            where=where,
            column=unknown[0],
            known=", ".join(COLUMNS),
        )
    try:
        made = msgspec.convert(given, Client)
    except msgspec.ValidationError as error:
        raise ManualError("%(where)s: %(reason)s", where=where, reason=error) from None
    try:
        if made.email is not None:
            mail_address(made.email)
    except ValueError as error:
        raise ManualError(
            "%(where)s: email %(email)r is not a mail address: %(reason)s",
            where=where,
            email=made.email,
            reason=error,
        ) from None
    if made.timezone is not None and not is_time_zone(made.timezone):
        raise ManualError(
            "%(where)s: timezone %(timezone)r is no time zone; write a name such as Europe/Paris",
            where=where,
            timezone=made.timezone,
        )
    return made
