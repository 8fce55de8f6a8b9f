"""The table of errors that people have told apart."""

from __future__ import annotations

from peewee import CharField, CompositeKey, TextField

from tocsin.daemon.store.table import MomentField, Table


class Split(Table):
    """Events of this signature are told apart by more than the rule knows: `client`, `route`, `text:REGEX`."""

    service = CharField()
    environment = CharField(default="")
    signature = CharField()
    by = TextField()
    created_by = TextField()
    created_at = MomentField()

    class Meta:
        table_name = "error_splits"
        primary_key = CompositeKey("service", "environment", "signature")
