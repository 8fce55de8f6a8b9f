"""The tables. Names of the first four, and of their columns, are fixed by the specification."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,  # fmt: skip
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from tocsin.daemon.store.table import MomentField, Table


class KeyValue(Table):
    """Single values about the whole: the database's id, the last hourly check."""

    key = CharField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "facts"


class ErrorLog(Table):
    """An error: every event of one signature in one service and environment."""

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
    client_text = TextField(default="")
    """What somebody wrote for clients about it, in the title's place."""
    assignee = TextField(default="")
    link = TextField(default="")
    """Its issue or pull request elsewhere: http or https."""
    level = IntegerField(default=40)
    components = JSONField(default=list)
    occurrences = BigIntegerField(default=0)
    first_seen = MomentField()
    last_seen = MomentField(index=True)
    recent = JSONField(default=list)
    """While it has no ticket: its newest occurrences as [moment, client id], for the exact threshold."""
    release = TextField(null=True)
    samples = IntegerField(default=0)
    """Full events kept."""
    sampled_at = MomentField(null=True)
    """Moment of the newest one."""
    resolved = BooleanField(default=False)
    resolved_at = MomentField(null=True)
    muted_until = MomentField(null=True)
    muted_rate = DoubleField(null=True)
    """Muted until it exceeds this many occurrences an hour."""
    merged_into = ForeignKeyField("self", null=True, column_name="merged_into")

    class Meta:
        table_name = "error_logs"
        indexes = ((("service", "environment", "signature"), True),)


class Ticket(Table):
    """One client's (or, without a client, the admin's) view of an error that must be dealt with."""

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
    assignee = TextField(default="")
    resolution = TextField(null=True)
    created_at = MomentField(index=True)
    closed_at = MomentField(null=True)
    metadata = JSONField(default=dict)

    class Meta:
        table_name = "support_tickets"


Ticket.add_index(
    SQL(
        "CREATE UNIQUE INDEX IF NOT EXISTS one_open_ticket ON support_tickets "
        "(error_id, coalesce(client_id, '')) WHERE status <> 'closed' AND error_id IS NOT NULL"
    )
)


class History(Table):
    """Every action on a ticket."""

    id = AutoField()
    ticket = ForeignKeyField(Ticket, backref="history")
    action = CharField()
    description = TextField(default="")
    """What happened, in English."""
    details = JSONField(default=dict)
    """The same as facts, worded for each reader (`ticket_wording`); empty: the description is all there is."""
    created_by = CharField(default="system")
    created_at = MomentField()

    class Meta:
        table_name = "support_ticket_history"


class ErrorHistory(Table):
    """What people did to an error itself, whether it has a ticket or not; like `History`."""

    id = AutoField()
    error = ForeignKeyField(ErrorLog)
    action = CharField()
    description = TextField(default="")
    details = JSONField(default=dict)
    created_by = CharField()
    created_at = MomentField()

    class Meta:
        table_name = "error_history"


class Message(Table):
    """What a ticket's client and the team write to each other."""

    id = AutoField()
    ticket = ForeignKeyField(Ticket)
    sender = CharField()  # `client` or `team`
    author = TextField()
    text = TextField()
    created_at = MomentField()

    class Meta:
        table_name = "support_ticket_messages"


class Correction(Table):
    """One change made to correct an error, and what its tests said."""

    id = AutoField()
    error = ForeignKeyField(ErrorLog, backref="corrections")
    file_path = TextField()
    old_code = TextField()
    new_code = TextField()
    description = TextField(default="")
    applied_by = CharField()
    applied_at = MomentField()
    recorded_at = MomentField()
    test_status = CharField(default="pending")
    test_results = JSONField(null=True)
    fixed_in = CharField(null=True)
    """The release that has it; NULL: the next one after it was applied."""

    class Meta:
        table_name = "error_corrections"


class WithdrawnCorrection(Table):
    """A correction that was taken back, under the number that it had."""

    id = IntegerField(primary_key=True)
    error = ForeignKeyField(ErrorLog)
    file_path = TextField()
    old_code = TextField()
    new_code = TextField()
    description = TextField(default="")
    applied_by = CharField()
    applied_at = MomentField()
    recorded_at = MomentField()
    test_status = CharField()
    test_results = JSONField(null=True)
    fixed_in = CharField(null=True)
    withdrawn_by = CharField()
    withdrawn_at = MomentField()

    class Meta:
        table_name = "withdrawn_corrections"


class Claim(Table):
    """Somebody is correcting the error, until then: nobody else begins."""

    error = ForeignKeyField(ErrorLog, primary_key=True)
    claimed_by = TextField()
    claimed_at = MomentField()
    ends_at = MomentField()

    class Meta:
        table_name = "claims"


class Signature(Table):
    """Several signatures may point at one error: merges, and rules of different versions."""

    service = CharField()
    environment = CharField(default="")
    signature = CharField()
    error = ForeignKeyField(ErrorLog)
    counterpart = CharField(default="")
    """The other version's signature of the same events, where both were computed."""
    split_of = CharField(default="")
    """The signature that this one was split from (`Split`)."""
    provisional = BooleanField(default=False)
    """It means its error only while that has an open ticket."""

    class Meta:
        table_name = "error_signatures"
        primary_key = CompositeKey("service", "environment", "signature")


class HourCount(Table):
    """Occurrences of an error for one client in one hour; `hour` counts hours since the epoch."""

    error = ForeignKeyField(ErrorLog)
    client_id = CharField(default="")
    hour = IntegerField(index=True)
    count = BigIntegerField()

    class Meta:
        table_name = "error_counts"
        primary_key = CompositeKey("error", "client_id", "hour")


class Sample(Table):
    """A full event of an error, with the places its frames name."""

    id = AutoField()
    error = ForeignKeyField(ErrorLog)
    session_id = CharField()
    position = BigIntegerField()
    occurred_at = MomentField()
    client_id = CharField(default="")
    body = BlobField()
    """msgpack of `digest.SampleBody`."""

    class Meta:
        table_name = "error_samples"
        indexes = ((("error", "occurred_at"), False),)


class Session(Table):
    """One process of a service, and how far its stream is committed."""

    id = CharField(primary_key=True)
    service = CharField(index=True)
    environment = CharField(default="")
    release = TextField(null=True)
    host = TextField()
    pid = IntegerField()
    python = CharField()
    peer_key = CharField(default="")
    """CURVE public key of the connection that opened it, '' without CURVE."""
    started_at = MomentField()
    first_heard = MomentField()
    last_heard = MomentField(index=True)
    interval = DoubleField()
    clock_offset = DoubleField(default=0.0)
    """Seconds to add to the application's clock to get the daemon's."""
    watermark = BigIntegerField(default=0)
    events = BigIntegerField(default=0)
    backlog = BigIntegerField(default=0)
    live = BooleanField(default=True)
    """Last heard from the process itself, not from one that adopted its spool."""
    ended_at = MomentField(null=True)
    """When it said goodbye."""
    gone_at = MomentField(null=True)
    """When somebody wrote it off: it never comes back, what it held is lost."""
    runs = BlobField(null=True)
    """What it last told of the functions it was asked to count: msgpack of `runs.ReportedRun`s."""
    broken_off = BlobField(null=True)
    """Tracebacks logged line by line that its last batch broke off (`ingest.printed_lines`)."""
    program = CharField(default="")
    """What runs: `gunicorn`, `python -m shop.worker`; '' where the handler does not say."""
    role = CharField(default="")
    """What the process is of the program: '' for the program itself."""
    arguments = TextField(default="")
    """Its command line behind the program, scrubbed and shortened."""
    machine = CharField(default="")
    boot = CharField(default="")
    born = BigIntegerField(default=0)
    """With `pid` the process's identity: machine, kernel's boot, and its start in ticks since that."""
    caught_up_at = MomentField(null=True)
    """When it last said that all it had logged was delivered: what comes later happened later."""
    emptied_at = MomentField(null=True)
    """When another process had shipped all that it left."""
    folded_at = MomentField(null=True)
    """When its intervals became hours of its kind (`store.folding`); null again as soon as it is heard."""
    unheard = JSONField(default=dict)
    """Loggers whose records do not reach the handler now, each with the moment since when."""

    class Meta:
        table_name = "sessions"


class AliveInterval(Table):
    """An interval of time in which a session was seen alive."""

    id = AutoField()
    session = ForeignKeyField(Session)
    started_at = MomentField()
    ended_at = MomentField(index=True)

    class Meta:
        table_name = "session_intervals"


class Run(Table):
    """An interval of time in which a daemon was up."""

    id = AutoField()
    host = TextField()
    pid = IntegerField()
    started_at = MomentField()
    alive_until = MomentField(index=True)
    stopped = BooleanField(default=False)

    class Meta:
        table_name = "daemon_runs"


class Loss(Table):
    """Events known to be lost, by session and reason."""

    session = ForeignKeyField(Session)
    reason = CharField()
    count = BigIntegerField()
    last_at = MomentField(null=True)
    """When the daemon last heard of one; NULL: before this was kept."""

    class Meta:
        table_name = "losses"
        primary_key = CompositeKey("session", "reason")


class Quarantined(Table):
    """A record that could not be digested; counted, kept for a look, never in the way of the next."""

    id = AutoField()
    session_id = CharField()
    position = BigIntegerField()
    reason = TextField()
    body = BlobField()
    received_at = MomentField()

    class Meta:
        table_name = "quarantine"


class Watch(Table):
    """The watch over an error, shared by its tickets; there while one of them is not closed."""

    error = ForeignKeyField(ErrorLog, primary_key=True)
    quiet_since = MomentField()
    """Latest of opening, last occurrence, correction, passed validation."""
    checked_at = MomentField(null=True)
    seen_seconds = DoubleField(default=0.0)
    waiting_for = TextField(default="")
    """What the closing waits for, in English."""
    waiting = JSONField(default=dict)
    """The same as facts: `evidence.Waiting`, empty for nothing."""
    found = JSONField(default=dict)
    """What else the last check found: `earliest_close` (null: nobody knows), `chance`, `runs`; empty before one."""
    reappeared_at = MomentField(null=True)
    """When the last `reappeared` row was written."""
    inconclusive_at = MomentField(null=True)
    """When the admin was told that silence proves nothing here."""
    ready_at = MomentField(null=True)
    """When the admin was told that the evidence is complete and that a person closes."""

    class Meta:
        table_name = "watches"


class Client(Table):
    """Somebody the errors concern."""

    id = CharField(primary_key=True)
    name = TextField(default="")
    email = TextField(null=True)
    language = CharField(null=True)
    timezone = CharField(null=True)
    folder = CharField(unique=True)
    """Unguessable name of the client's report folder."""
    links_from = MomentField(null=True)
    """Mailed links to its tickets that were written before this are revoked."""

    class Meta:
        table_name = "clients"


class Mail(Table):
    """A mail, or a channel's message, that must be sent: written in the transaction that makes it true."""

    id = AutoField()
    kind = CharField()
    """Name of the function in `mail` that writes it: detection, notice, closing, ..."""
    ticket = ForeignKeyField(Ticket, null=True)
    ticket_id: int | None
    audience = CharField()
    """`client` or `admin`."""
    recipient = TextField()
    language = CharField()
    message_id = TextField(unique=True)
    facts = JSONField(default=dict)
    """What the mail says, as known when it became true."""
    channel = CharField(null=True)
    """Name of the `[[channel]]` that the message is for; NULL for a mail."""
    state = CharField(default="waiting", index=True)
    """waiting, held (for the admin's release), sent, failed, dropped, digested."""
    created_at = MomentField()
    due_at = MomentField(index=True)
    gathered_until = MomentField(null=True)
    """Until when it waits for others of its kind, to become one mail with them; NULL: it waits for none."""
    attempts = IntegerField(default=0)
    leased_until = MomentField(null=True)
    trying_since = MomentField(null=True)
    """When it was first tried; it is given up three days later."""
    tried_at = MomentField(null=True, index=True)
    """When the server last took it or may have taken it; the caps count these."""
    sent_at = MomentField(null=True)
    last_error = TextField(default="")
    """Why it was not sent, in English."""
    error_parts = JSONField(null=True)
    """The same as the parts of a `Reason`, which reads in any language; NULL where only the text is known."""

    class Meta:
        table_name = "outbox"


class User(Table):
    """Somebody who may sign in to the console."""

    id = AutoField()
    email = CharField(unique=True)
    """In lower case."""
    name = TextField(default="")
    role = CharField()
    """`admin`, or `client` (of `client_id`)."""
    client_id = CharField(null=True)
    password_hash = TextField(null=True)
    """argon2id; NULL until the user has set one through a one-time link."""
    openid_account = TextField(null=True, unique=True)
    """The provider's address and its name for the user, after the first sign-in by OpenID Connect."""
    language = CharField(null=True)
    timezone = CharField(null=True)
    created_at = MomentField()
    disabled_at = MomentField(null=True)

    class Meta:
        table_name = "users"


class OneTimeLink(Table):
    """A link that can be used once; the row goes with its use."""

    token_hash = CharField(primary_key=True)
    purpose = CharField()
    """`first_admin`, `password` (of a user) or `sign_in` (of a client)."""
    user = ForeignKeyField(User, null=True)
    client_id = CharField(null=True)
    email = TextField(default="")
    ends_at = MomentField()

    class Meta:
        table_name = "one_time_links"


class BrowserSession(Table):
    """A browser that has signed in: as a user, as a client by its address, or for one ticket by a mailed link."""

    token_hash = CharField(primary_key=True)
    user = ForeignKeyField(User, null=True)
    client_id = CharField(null=True)
    email = TextField(default="")
    """The client's address at that time: when it changes, the session is over."""
    ticket_id = IntegerField(null=True)
    signed_in_at = MomentField()
    ends_at = MomentField()

    class Meta:
        table_name = "browser_sessions"
