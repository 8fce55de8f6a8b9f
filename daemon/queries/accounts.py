"""The users of the console: read-only queries into small frozen values."""

from __future__ import annotations

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import User


class UserFacts(Struct, frozen=True):
    """Somebody who may sign in; its JSON is the documented shape. `role`: admin or client."""

    id: int
    email: str
    name: str
    role: str
    client_id: str | None
    language: str | None
    timezone: str | None
    created_at: Moment
    disabled_at: Moment | None
    has_password: bool


def users(store: Store) -> list[UserFacts]:
    """Every user, by address."""
    with store.reading():
        return [_facts(row) for row in dicts(User.select().order_by(User.email))]


def _facts(row: dict[str, object]) -> UserFacts:
    values = {name: row[name] for name in UserFacts.__struct_fields__ if name in row}
    values["created_at"] = moment(row["created_at"])  # type: ignore[call-overload]
    values["disabled_at"] = moment(row["disabled_at"])  # type: ignore[call-overload]
    return UserFacts(**values, has_password=row["password_hash"] is not None)  # type: ignore[arg-type]
