"""The table of what the admins were reminded of."""

from __future__ import annotations

from peewee import CharField, CompositeKey, DoubleField

from tocsin.daemon.store.table import MomentField, Table


class Reminder(Table):
    """What the admins were reminded of, so that each fact is said once."""

    kind = CharField()
    """`untouched`, `held`, `inconclusive` or `more_frequent`."""
    subject = CharField()
    """Which fact: a ticket and since when, a mail, an error, ..."""
    said_at = MomentField()
    value = DoubleField(null=True)
    """How large it was said to be, where it may be said again of something larger."""

    class Meta:
        table_name = "reminders"
        primary_key = CompositeKey("kind", "subject")
