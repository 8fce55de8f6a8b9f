"""An operation of the API: what it takes, what it gives, who may; and one call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed
from tocsin.daemon.store.database import Store

LARGEST_NUMBER = 2_147_483_647
"""Of a row, as every database has it."""


class Call(Struct, frozen=True):
    """One call of an operation, already permitted and checked. `now` in epoch seconds."""

    store: Store
    config: Config
    now: float
    by: str
    """Who it is, for the history."""
    client_id: str | None
    """The client to whose tickets it is limited."""
    scopes: frozenset[str]
    path: Mapping[str, Any]
    query: Any
    """The operation's `query`."""
    body: Any
    """The operation's `body`."""

    @property
    def error_id(self) -> int:
        return int(self.path["error_id"])

    @property
    def ticket_id(self) -> int:
        return int(self.path["ticket_id"])


class Page(Struct, frozen=True):
    """A part of a listing, and the cursor of the next one, None where it is the last."""

    items: list[Any]
    cursor: str | None


class Operation(Struct, frozen=True):
    """One method of one path."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    """Behind `/api/v1`; numbers as `{ticket_id:int}`."""
    scope: Literal["read", "correct", "act", "send"]
    call: Callable[[Call], Any]
    returns: Any
    """Type of the answer; None for none, `str` for Markdown."""
    summary: str
    of: Literal["everything", "listing", "ticket"] = "everything"
    """What one client's token sees of it: nothing, a list of its own, or one ticket of its own."""
    query: type[Struct] | None = None
    body: Any = None
    status: int = 200


class InvalidValue(Failed):
    """A key's value cannot be; `key` names it."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key
