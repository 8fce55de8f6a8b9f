"""Attempts to sign in that count against whoever made them: the table, and the queries that write it."""

from __future__ import annotations

from peewee import BigAutoField, CharField

from tocsin.daemon.store.table import MomentField, Table


class SignInAttempt(Table):
    """One attempt. `key` is a hash of who made it: addresses of strangers are nobody's to read."""

    id = BigAutoField()
    key = CharField()
    at = MomentField(index=True)

    class Meta:
        table_name = "sign_in_attempts"
        indexes = ((("key", "at"), False),)


def note(key: str, at: float, forget_until: float) -> None:
    """Notes an attempt, and forgets all that were made before."""
    SignInAttempt.delete().where(SignInAttempt.at <= forget_until).execute()
    SignInAttempt.create(key=key, at=at)


def forget(key: str) -> None:
    SignInAttempt.delete().where(SignInAttempt.key == key).execute()
