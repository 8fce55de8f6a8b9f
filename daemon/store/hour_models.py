"""The table of the hours in which kinds of process were seen alive that are over."""

from __future__ import annotations

from peewee import CharField, CompositeKey, IntegerField, JSONField

from tocsin.daemon.store.table import MomentField, Table


class AliveHour(Table):
    """What is left of the sessions of one kind in one hour since the epoch, once they are folded."""

    service = CharField()
    environment = CharField(default="")
    program = CharField(default="")
    role = CharField(default="")
    arguments = CharField(default="")
    """Without what differs from run to run (`kinds.masked`)."""
    release = CharField(default="")
    hour = IntegerField(index=True)
    pieces = JSONField(default=list)
    """[start, end] in seconds of the hour, in order: where any of them was seen alive."""
    ended = IntegerField(default=0)
    """Sessions that began in this hour and ended in order."""
    began_at = MomentField(null=True)
    """When the last of those began."""

    class Meta:
        table_name = "alive_hours"
        primary_key = CompositeKey(
            "service", "environment", "program", "role", "arguments", "release", "hour"
        )
