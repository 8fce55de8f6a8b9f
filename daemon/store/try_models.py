"""The tables of what coding agents tried, and of what was handed to them."""

from __future__ import annotations

from peewee import AutoField, CharField, ForeignKeyField, JSONField, TextField

from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.table import MomentField, Table


class Try(Table):
    """An agent's one go at one error. While `running` it is its runner's until `lease_until`, which is renewed."""

    id = AutoField()
    error = ForeignKeyField(ErrorLog)
    agent = TextField()
    runner = TextField()
    """The process that works on it."""
    started_by = TextField()
    state = CharField(default="running")
    step = CharField(default="begun")
    """What it is at."""
    begun_at = MomentField(index=True)
    lease_until = MomentField()
    ended_at = MomentField(null=True)
    reasons = JSONField(default=list)
    """Why it did not end as a tested correction: each a `Reason` as its parts."""
    output = TextField(default="")
    """The end of what the agent printed."""
    branch = TextField(default="")
    revision = TextField(default="")
    """The commit on that branch."""

    class Meta:
        table_name = "agent_tries"


class AgentRequest(Table):
    """An error that somebody handed to an agent; gone once its tries are over."""

    error = ForeignKeyField(ErrorLog, primary_key=True)
    asked_by = TextField()
    asked_at = MomentField()

    class Meta:
        table_name = "agent_requests"
