"""The tables of who logged an error, and of what could not be heard."""

from __future__ import annotations

from peewee import AutoField, CharField, CompositeKey, ForeignKeyField

from tocsin.daemon.store.models import ErrorLog, Session
from tocsin.daemon.store.table import MomentField, Table


class ErrorSource(Table):
    """Who logged an error: which kind of process, with which arguments, by which logger, in which release."""

    error = ForeignKeyField(ErrorLog)
    program = CharField(default="")
    role = CharField(default="")
    arguments = CharField(default="")
    """Without what differs from run to run (`kinds.masked`)."""
    logger = CharField(default="")
    release = CharField(default="")
    first_at = MomentField()
    last_at = MomentField()

    class Meta:
        table_name = "error_sources"
        primary_key = CompositeKey("error", "program", "role", "arguments", "logger", "release")


class UnheardInterval(Table):
    """An interval of time in which a logger's records did not reach the handler of a session."""

    id = AutoField()
    session = ForeignKeyField(Session)
    logger = CharField()
    started_at = MomentField()
    ended_at = MomentField(index=True)

    class Meta:
        table_name = "unheard_intervals"
