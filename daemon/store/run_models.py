"""The tables of how often the functions run in which errors happen."""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.table import Table


class ErrorFunction(Table):
    """A function whose runs are counted for an error: where it happens, or (`caller`) what called that."""

    error = ForeignKeyField(ErrorLog)
    caller = BooleanField()
    module = TextField()
    name = TextField()

    class Meta:
        table_name = "error_functions"
        primary_key = CompositeKey("error", "caller")


class CountedRuns(Table):
    """How often an error's function ran in processes of one kind and release."""

    error = ForeignKeyField(ErrorLog)
    caller = BooleanField()
    program = CharField(default="")
    role = CharField(default="")
    release = CharField(default="")
    begun = BigIntegerField(default=0)
    """How often it has begun, since it is counted."""
    before = BigIntegerField(default=0)
    """Of them, before the silence that is watched."""
    failed = BigIntegerField(default=0)
    """Occurrences of the error in runs that were counted."""
    estimated = BooleanField(default=False)
    """Counting was interrupted where it began too often."""

    class Meta:
        table_name = "counted_runs"
        primary_key = CompositeKey("error", "caller", "program", "role", "release")


class RunCount(Table):
    """How often an error's function began in one hour, as far as it was counted; hours as in `HourCount`."""

    error = ForeignKeyField(ErrorLog)
    caller = BooleanField()
    hour = IntegerField(index=True)
    begun = BigIntegerField()
    failed = BigIntegerField(default=0)

    class Meta:
        table_name = "run_counts"
        primary_key = CompositeKey("error", "caller", "hour")
