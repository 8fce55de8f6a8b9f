"""The tokens of scripts and agents: their table, and the queries that write it."""

from __future__ import annotations

from typing import Any

from peewee import AutoField, CharField, JSONField, TextField

from tocsin.daemon.store.table import MomentField, Table


class Token(Table):
    """What a script or an agent proves itself with, and what it may do."""

    id = AutoField()
    name = CharField(unique=True)
    token_hash = CharField(unique=True)
    scopes = JSONField(default=list)
    client_id = CharField(null=True)
    """It sees this client's tickets alone."""
    created_by = TextField()
    created_at = MomentField()
    ends_at = MomentField(null=True)
    used_at = MomentField(null=True)
    revoked_at = MomentField(null=True)

    class Meta:
        table_name = "tokens"


def add(**columns: Any) -> Token:
    """A new token."""
    row: Token = Token.create(**columns)
    return row


def note_use(token: Token, now: float) -> None:
    """Notes that it was used."""
    Token.update(used_at=now).where(Token.id == token.id).execute()


def revoke(token: Token, now: float) -> None:
    """It is good for nothing from now on; its row stays, so that its name is not given twice."""
    Token.update(revoked_at=now).where(Token.id == token.id).execute()
