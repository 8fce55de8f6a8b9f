"""The first tables: a frozen copy of the models; later migrations change them step by step."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    Database,
    DateTimeField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Makes every table."""

    class Fact(db.Model):
        key = CharField(primary_key=True)
        value = TextField()

        class Meta:
            legacy_table_names = False
            table_name = "facts"

    class ErrorLog(db.Model):
        id = AutoField()
        signature = CharField()
        coarse = CharField(index=True)
        service = CharField()
        environment = CharField(default="")
        source = TextField()
        line = IntegerField()
        module = TextField(default="")
        function = TextField(default="")
        title = TextField()
        message = TextField()
        level = IntegerField(default=40)
        components = JSONField(default=list)
        occurrences = BigIntegerField(default=0)
        first_seen = DateTimeField()
        last_seen = DateTimeField(index=True)
        recent = JSONField(default=list)
        release = TextField(null=True)
        samples = IntegerField(default=0)
        sampled_at = DateTimeField(null=True)
        resolved = BooleanField(default=False)
        resolved_at = DateTimeField(null=True)
        muted_until = DateTimeField(null=True)
        muted_rate = DoubleField(null=True)
        merged_into = ForeignKeyField("self", null=True, column_name="merged_into")

        class Meta:
            legacy_table_names = False
            table_name = "error_logs"
            indexes = ((("service", "environment", "signature"), True),)

    class Ticket(db.Model):
        id = AutoField()
        client_id = CharField(null=True)
        client_email = TextField(null=True)
        subject = TextField()
        message = TextField()
        priority = CharField(default="high")
        status = CharField(default="open", index=True)
        category = CharField(default="bug")
        error_signature = CharField(null=True)
        error = ForeignKeyField(ErrorLog, null=True, backref="tickets")
        source = CharField()
        resolution = TextField(null=True)
        created_at = DateTimeField(index=True)
        closed_at = DateTimeField(null=True)
        metadata = JSONField(default=dict)

        class Meta:
            legacy_table_names = False
            table_name = "support_tickets"

    Ticket.add_index(
        SQL(
            "CREATE UNIQUE INDEX IF NOT EXISTS one_open_ticket ON support_tickets (error_id, coalesce(client_id, '')) WHERE status <> 'closed' AND error_id IS NOT NULL"
        )
    )

    class History(db.Model):
        id = AutoField()
        ticket = ForeignKeyField(Ticket, backref="history")
        action = CharField()
        description = TextField(default="")
        created_by = CharField(default="system")
        created_at = DateTimeField()

        class Meta:
            legacy_table_names = False
            table_name = "support_ticket_history"

    class Correction(db.Model):
        id = AutoField()
        error = ForeignKeyField(ErrorLog, backref="corrections")
        file_path = TextField()
        old_code = TextField()
        new_code = TextField()
        description = TextField(default="")
        applied_by = CharField()
        applied_at = DateTimeField()
        recorded_at = DateTimeField()
        test_status = CharField(default="pending")
        test_results = JSONField(null=True)

        class Meta:
            legacy_table_names = False
            table_name = "error_corrections"

    class Signature(db.Model):
        service = CharField()
        environment = CharField(default="")
        signature = CharField()
        error = ForeignKeyField(ErrorLog)

        class Meta:
            legacy_table_names = False
            table_name = "error_signatures"
            primary_key = CompositeKey("service", "environment", "signature")

    class HourCount(db.Model):
        error = ForeignKeyField(ErrorLog)
        client_id = CharField(default="")
        hour = IntegerField(index=True)
        count = BigIntegerField()

        class Meta:
            legacy_table_names = False
            table_name = "error_counts"
            primary_key = CompositeKey("error", "client_id", "hour")

    class Sample(db.Model):
        id = AutoField()
        error = ForeignKeyField(ErrorLog)
        session_id = CharField()
        position = BigIntegerField()
        occurred_at = DateTimeField()
        client_id = CharField(default="")
        body = BlobField()

        class Meta:
            legacy_table_names = False
            table_name = "error_samples"
            indexes = ((("error", "occurred_at"), False),)

    class Session(db.Model):
        id = CharField(primary_key=True)
        service = CharField(index=True)
        environment = CharField(default="")
        release = TextField(null=True)
        host = TextField()
        pid = IntegerField()
        python = CharField()
        peer_key = CharField(default="")
        started_at = DateTimeField()
        first_heard = DateTimeField()
        last_heard = DateTimeField(index=True)
        interval = DoubleField()
        clock_offset = DoubleField(default=0.0)
        watermark = BigIntegerField(default=0)
        events = BigIntegerField(default=0)
        backlog = BigIntegerField(default=0)
        live = BooleanField(default=True)
        ended_at = DateTimeField(null=True)

        class Meta:
            legacy_table_names = False
            table_name = "sessions"

    class Interval(db.Model):
        id = AutoField()
        session = ForeignKeyField(Session)
        started_at = DateTimeField()
        ended_at = DateTimeField(index=True)

        class Meta:
            legacy_table_names = False
            table_name = "session_intervals"

    class Run(db.Model):
        id = AutoField()
        host = TextField()
        pid = IntegerField()
        started_at = DateTimeField()
        alive_until = DateTimeField(index=True)
        stopped = BooleanField(default=False)

        class Meta:
            legacy_table_names = False
            table_name = "daemon_runs"

    class Loss(db.Model):
        session = ForeignKeyField(Session)
        reason = CharField()
        count = BigIntegerField()

        class Meta:
            legacy_table_names = False
            table_name = "losses"
            primary_key = CompositeKey("session", "reason")

    class Quarantined(db.Model):
        id = AutoField()
        session_id = CharField()
        position = BigIntegerField()
        reason = TextField()
        body = BlobField()
        received_at = DateTimeField()

        class Meta:
            legacy_table_names = False
            table_name = "quarantine"

    class Watch(db.Model):
        error = ForeignKeyField(ErrorLog, primary_key=True)
        quiet_since = DateTimeField()
        checked_at = DateTimeField(null=True)
        seen_seconds = DoubleField(default=0.0)
        waiting_for = TextField(default="")
        reappeared_at = DateTimeField(null=True)
        inconclusive_at = DateTimeField(null=True)

        class Meta:
            legacy_table_names = False
            table_name = "watches"

    class Client(db.Model):
        id = CharField(primary_key=True)
        name = TextField(default="")
        email = TextField(null=True)
        language = CharField(null=True)
        folder = CharField(unique=True)

        class Meta:
            legacy_table_names = False
            table_name = "clients"

    class Mail(db.Model):
        id = AutoField()
        kind = CharField()
        ticket = ForeignKeyField(Ticket, null=True)
        audience = CharField()
        recipient = TextField()
        language = CharField()
        message_id = TextField(unique=True)
        facts = JSONField(default=dict)
        state = CharField(default="waiting", index=True)
        created_at = DateTimeField()
        due_at = DateTimeField(index=True)
        attempts = IntegerField(default=0)
        leased_until = DateTimeField(null=True)
        trying_since = DateTimeField(null=True)
        tried_at = DateTimeField(null=True, index=True)
        sent_at = DateTimeField(null=True)
        last_error = TextField(default="")

        class Meta:
            legacy_table_names = False
            table_name = "outbox"

    tables = [
        Fact,
        ErrorLog,
        Ticket,
        History,
        Correction,
        Signature,
        HourCount,
        Sample,
        Session,
        Interval,
        Run,
        Loss,
        Quarantined,
        Watch,
        Client,
        Mail,
    ]
    db.create_tables(tables)
