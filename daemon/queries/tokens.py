"""The tokens of scripts and agents, without what they are: read-only queries into small frozen values."""

from __future__ import annotations

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.tokens import Token


class TokenFacts(Struct, frozen=True):
    """A token that was made: what it may do, for whom, and until when."""

    name: str
    scopes: list[str]
    client_id: str | None
    created_by: str
    created_at: Moment
    ends_at: Moment | None
    used_at: Moment | None
    revoked_at: Moment | None


def tokens(store: Store) -> list[TokenFacts]:
    """Every token, in the order in which they were made."""
    with store.reading():
        return [
            TokenFacts(
                row["name"], row["scopes"], row["client_id"], row["created_by"], moment(row["created_at"]),
                moment(row["ends_at"]), moment(row["used_at"]), moment(row["revoked_at"]),
            )
            for row in dicts(Token.select().order_by(Token.id))
        ]  # fmt: skip
