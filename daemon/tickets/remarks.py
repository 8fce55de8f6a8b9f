"""What people say of an error itself: who sees to it, a note, where it is dealt with elsewhere.

Each is kept in the error's own history: an error needs no ticket to have one.
"""

from __future__ import annotations

import re

from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.conversation import TEXT_LIMIT, person
from tocsin.daemon.tickets.manual import ManualError, locked_error
from tocsin.handler.capture.values import clean

_WEB_ADDRESS = re.compile(r"https?://[^\s\"'<>\x00-\x20\x7f]{1,2000}")


def assign(store: Store, error_id: int, name: str, by: str, now: float) -> None:
    """Says who sees to an error; '' for nobody. Nothing happens where it is so already. Raises ManualError."""
    name = person(name)
    with store.transaction():
        error = locked_error(store, error_id)
        if error.assignee != name:
            errors.annotate(error, "assigned", by, now, {"before": error.assignee, "after": name})
            errors.set_assignee(error, name)


def note(store: Store, error_id: int, text: str, by: str, now: float) -> None:
    """Adds a note for the team to an error's history. Raises ManualError."""
    text = clean(text).strip()
    if not text:
        raise ManualError("the note is empty")
    if len(text) > TEXT_LIMIT:
        raise ManualError(
            "the note has %(count)s characters; at most %(limit)s are kept", count=len(text), limit=TEXT_LIMIT
        )
    with store.transaction():
        errors.annotate(locked_error(store, error_id), "note", by, now, text=text)


def link(store: Store, error_id: int, url: str, by: str, now: float) -> None:
    """Names the issue or pull request in which an error is dealt with; '' takes it away. Raises ManualError."""
    url = url.strip()
    if url and not _WEB_ADDRESS.fullmatch(url):
        raise ManualError(
            "link %(url)r: write https://... , the address of an issue or a pull request", url=url[:100]
        )
    with store.transaction():
        error = locked_error(store, error_id)
        if error.link != url:
            errors.annotate(error, "linked", by, now, {"before": error.link, "after": url})
            errors.set_link(error, url)
