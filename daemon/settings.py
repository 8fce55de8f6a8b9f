"""The sections of the configuration: each setting with its type, default and meaning. Reads no file.

The documentation's configuration reference is drawn from these classes.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s?([smhd])")

Port = Annotated[int, Meta(ge=1, le=65535)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
EVENTS = (
    "detection", "validated", "validation_failed", "reappeared", "reopened", "closing", "ready", "inconclusive",
    "old_code", "message", "reminder", "more_frequent", "weekly",
)  # fmt: skip
"""What a channel can be told; the names of the mails to admins."""


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Duration(float):
    """Seconds; written `90s`, `15m`, `1h`, `24h`, `7d`."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Seconds of a written duration. Raises ValueError with an example."""
        match = _DURATION.fullmatch(text.strip())
        if not match or not float(match[1]):
            raise ValueError('write a duration above zero such as "90s", "15m", "1h" or "7d"')
        return cls(float(match[1]) * _UNITS[match[2]])


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Daemon(_Section, frozen=True):
    """Where the daemon listens and keeps its state."""

    listen: Annotated[list[str], Meta(examples=[["ipc:///run/tocsin/tocsin.sock"]])] = []
    """ZeroMQ endpoints, `ipc://...` or `tcp://host:port`; default: the ipc socket handlers look for."""
    state_dir: Annotated[str, Meta(examples=["/var/lib/tocsin"])] = ""
    """Directory of database, lock and pages; default: /var/lib/tocsin or the user's state directory."""
    metrics_dir: Annotated[str, Meta(examples=["/run/tocsin/metrics"])] = ""
    """Directory of metrics.prom, for node_exporter; default: metrics/ in the state directory."""
    socket_group: Annotated[str | None, Meta(examples=["tocsin"])] = None
    """Group that may connect to the ipc socket; without it only the daemon's user may."""
    key: Annotated[str | None, Meta(examples=["/etc/tocsin/daemon.key"])] = None
    """File with the daemon's CURVE key pair; needed to listen on a TCP address other than loopback."""
    clients: Annotated[str | None, Meta(examples=["/etc/tocsin/clients"])] = None
    """Directory of the public keys that may connect over TCP."""


class Database(_Section, frozen=True):
    """Where everything is stored."""

    url: Annotated[str, Meta(examples=["sqlite:////var/lib/tocsin/tocsin.db"])] = ""
    """`sqlite:///file` or `postgresql://user@host/name`; default: tocsin.db in the state directory."""


class Tickets(_Section, frozen=True):
    """When a ticket is opened, and as what."""

    threshold: Count = 3
    """Occurrences within the window that open a ticket."""
    window: Duration = Duration(3600)
    """Length of the sliding window in which they are counted."""
    priority: Literal["low", "medium", "high", "critical"] = "high"
    """Priority of a ticket that is opened automatically."""
    category: str = "bug"
    """Category of a ticket that is opened automatically."""
    unknown_clients: Literal["admin", "create"] = "admin"
    """A client's name in an event that no client has: its tickets are the `admin`'s, or `create` the client."""
    new_per_place: Count = 20
    """New tickets an hour from one place (coarse signature); the rest is folded into one."""
    new_per_hour: Count = 200
    """New tickets an hour in all."""


class Watch(_Section, frozen=True):
    """What silence is worth."""

    duration: Duration = Duration(86400)
    """How long an error must stay away."""
    every: Duration = Duration(3600)
    """How often watches are checked."""
    evidence: Literal["seen", "clock"] = "seen"
    """`seen`: silence counts only while the application was seen alive. `clock`: the bare time is enough."""
    min_seen: Share = 0.9
    """Share of the watch the application must have been seen alive."""
    max_chance: Share = 1.0
    """Close a ticket without a correction only when the chance of the same silence anyway is at most this."""
    min_runs: Annotated[int, Meta(ge=0)] = 1
    """Runs without the error of the function in which it happens, at least, where every process counts them."""
    longest: Duration = Duration(7 * 86400)
    """How long a function may not have run before the admins are told that its ticket stays open."""
    unseen_after: Duration = Duration(72 * 3600)
    """So long unheard, an application makes its watches inconclusive, and a process of it is written off."""
    critical: Literal["by_hand", "auto"] = "by_hand"
    """Tickets of priority critical. `by_hand`: once the evidence is complete, the admins are told and close them."""


class Mail(_Section, frozen=True):
    """Who is mailed, and how."""

    admin: Annotated[list[str], Meta(examples=[["ops@example.org"]])] = []
    """Addresses of the admins."""
    client: Literal["auto", "review"] = "auto"
    """`auto`: a client's mail is sent at once. `review`: it waits for the admin's release, but for messages."""
    language: Literal["en", "fr"] = "en"
    """Language of the mails to admins, and to clients without one of their own."""
    templates: Annotated[str | None, Meta(examples=["/etc/tocsin/templates"])] = None
    """Directory of templates that replace built-in ones, file by file."""
    gather: Duration = Duration(600)
    """A client's first detection leaves at once; what comes within this time is one mail (below 1s: none waits)."""
    per_hour: Count = 20
    """Mails an hour, to one recipient and in all; what is over goes into one digest."""
    password_file: Annotated[str | None, Meta(examples=["/etc/tocsin/smtp-password"])] = None
    """File that holds the SMTP password, instead of SMTP_PASS; default: systemd's tocsin.smtp-password."""
    oauth2_file: Annotated[str | None, Meta(examples=["/etc/tocsin/oauth2.json"])] = None
    """yagmail's OAuth2 file for Gmail."""


class Reminders(_Section, frozen=True):
    """What the admins are reminded of, each fact once."""

    enabled: bool = True
    """Whether they are."""
    untouched: Duration = Duration(3 * 86400)
    """After so long an open ticket that nobody touched is called to mind."""
    held: Duration = Duration(86400)
    """After so long a client's mail that waits for its release is."""
    inconclusive: Duration = Duration(3 * 86400)
    """After so long a watch that proves nothing, of which the admins were told, is."""
    times: Annotated[float, Meta(ge=2)] = 10.0
    """An open error is told that becomes so many times as frequent as it was."""


class Weekly(_Section, frozen=True):
    """The weekly report to the admins."""

    enabled: bool = True
    """Whether there is one."""
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    """Day on which it leaves."""
    hour: Annotated[int, Meta(ge=0, le=23)] = 8
    """Hour at which it leaves."""
    timezone: Annotated[str | None, Meta(examples=["Europe/Paris"])] = None
    """Time zone of day and hour; default: organisation.timezone, else the server's."""


class Organisation(_Section, frozen=True):
    """Who writes to the clients."""

    name: Annotated[str, Meta(max_length=100, examples=["Acme Web Agency"])] = ""
    """Name of the team: it signs the clients' mails and is their sender's name."""
    logo: Annotated[str | None, Meta(examples=["/etc/tocsin/logo.png"])] = None
    """Picture above the clients' mails: a PNG, JPEG or GIF file of at most 200 KB; it travels in the mail."""
    reply_to: Annotated[str | None, Meta(examples=["support@example.org"])] = None
    """Address that a client's answer goes to; default: SMTP_FROM."""
    site: Annotated[str | None, Meta(examples=["https://www.example.org"])] = None
    """Web address of the team, linked at the foot of the clients' mails."""
    timezone: Annotated[str | None, Meta(examples=["Europe/Paris"])] = None
    """Time zone of the moments that people read; default: the server's."""


class Report(_Section, frozen=True):
    """Where the HTML pages are written."""

    dir: Annotated[str, Meta(examples=["/var/lib/tocsin/report"])] = ""
    """Directory of the pages; default: report/ in the state directory."""
    group: Annotated[str | None, Meta(examples=["www-data"])] = None
    """Group that may read the pages, a web server's, whatever the umask is; default: whom the umask lets."""
    every: Duration = Duration(5)
    """How soon a change shows on the pages."""
    url: Annotated[str | None, Meta(examples=["https://errors.example.org"])] = None
    """Address under which a web server serves the directory; mails link to it."""
    language: Annotated[Literal["en", "fr"] | None, Meta(examples=["en"])] = None
    """Language of the pages; default: mail.language."""


class Console(_Section, frozen=True):
    """The pages served to those who have signed in, with buttons that act."""

    listen: Annotated[str, Meta(examples=["127.0.0.1:7580"])] = "127.0.0.1:7580"
    """Address and port, `127.0.0.1:7580`; empty: the daemon starts no console."""
    url: Annotated[str | None, Meta(examples=["https://tocsin.example.org"])] = None
    """Address under which people reach it; mails link to it. Needed to listen on more than this machine."""
    proxies: Annotated[list[str], Meta(examples=[["127.0.0.1"]])] = []
    """Addresses of the web servers before it: who asks, and whether by https, is believed of these only."""


PROTECTED = (
    "migrations/", ".gitlab-ci.yml", "conftest.py", "pyproject.toml", "setup.cfg", "tox.ini", "Makefile",
)  # fmt: skip
"""What decides how a project is built, tested and deployed."""


class Agent(_Section, frozen=True):
    """The coding agent that `tocsin fix` runs, and what it may do."""

    command: Annotated[list[str], Meta(examples=[["claude", "-p", "--permission-mode", "acceptEdits"]])] = []
    """Program and arguments; it reads the report on standard input, or in the file `{report}`, and edits files."""
    name: Annotated[str, Meta(max_length=100, examples=["claude"])] = ""
    """Who its corrections are by; default: the program's name."""
    sandbox: Annotated[list[str], Meta(examples=[["bwrap", "--ro-bind", "/usr", "/usr", "..."]])] = []
    """Put before the command; `{project}` is its directory, `{report}` the report, `{tmp}` for temporary files."""
    environment: Annotated[list[str], Meta(examples=[["ANTHROPIC_API_KEY"]])] = []
    """Variables it is given besides PATH, HOME, USER, SHELL, the language and the time zone; none of Tocsin's."""
    minutes: Count = 20
    """How long one try of it may take."""
    output: Count = 10
    """Megabytes it may print."""
    files: Count = 20
    """Files it may change."""
    protected: list[str] = field(default_factory=lambda: list(PROTECTED))
    """What it may not change: `name/` a directory, else a file's name or path, with `*`; and never `.git*`."""
    tests: Annotated[str, Meta(examples=["make test"])] = ""
    """Command of the project's own tests, which must pass; default: pytest, where a tests folder has any."""
    per_day: Count = 10
    """Tries in 24 hours, of all runners together."""
    pull_request: Annotated[
        list[str], Meta(examples=[["gh", "pr", "create", "--fill", "--head", "{branch}"]])
    ] = []
    """What `--pr` runs in the project; `{branch}`, `{title}` and `{body}` (a file) are put in."""


class OpenId(_Section, frozen=True):
    """Signing in to the console with an account at an OpenID Connect provider."""

    issuer: Annotated[str | None, Meta(examples=["https://login.example.org"])] = None
    """Address of the provider, as it names itself; without one nobody signs in so."""
    client_id: Annotated[str, Meta(examples=["tocsin"])] = ""
    """What the provider calls the console, which it sends people back to at `/sign-in/openid/return`."""
    secret_file: Annotated[str | None, Meta(examples=["/etc/tocsin/openid-secret"])] = None
    """File with the client's secret, where the provider gave one."""
    name: Annotated[str, Meta(max_length=60, examples=["Acme"])] = "OpenID Connect"
    """What people know the provider as: it stands on the button."""
    admins_from: Annotated[list[str], Meta(examples=[["example.org"]])] = []
    """Mail domains whose verified addresses become admins when they first sign in; others must be users already."""


class Retention(_Section, frozen=True):
    """What is kept, and how long."""

    samples: Count = 50
    """Full events kept per error."""
    counts: Duration = Duration(400 * 86400)
    """Age at which hourly counts are dropped."""


class GroupingRule(_Section, frozen=True):
    """A logging call of a library that logs for your code; what of its records names your code."""

    logger: str = ""
    """The logger, with those below it; empty: any."""
    template: str = ""
    """The call's template, `*` for anything; empty: any."""
    module: str = ""
    """The module of the call, with those below it; empty: any."""
    text: str = ""
    """A regular expression found in the text; its groups become part of what the error is known by."""
    context: list[str] = []
    """Names of bound or `extra=` values that become part of what the error is known by."""


class Grouping(_Section, frozen=True):
    """What errors are known by, beyond the rule."""

    rule: Annotated[list[GroupingRule], Meta(examples=[[]])] = []
    """Library calls that log for your code, each a `[[grouping.rule]]`; the first that matches counts."""


class Client(_Section, frozen=True):
    """A client, told of the errors it meets."""

    id: Annotated[str, Meta(min_length=1, max_length=200, examples=["acme"])]
    """The id that applications bind: `bind(client="acme")`."""
    name: Annotated[str, Meta(examples=["Acme Ltd"])] = ""
    """How it is addressed."""
    email: Annotated[str | None, Meta(examples=["it@acme.example"])] = None
    """Where its mails go; without one it gets none, and the admins' mails say so."""
    language: Annotated[Literal["en", "fr"] | None, Meta(examples=["fr"])] = None
    """Language of its mails and pages; default: mail.language."""
    timezone: Annotated[str | None, Meta(examples=["Europe/Paris"])] = None
    """Time zone of its mails; default: organisation.timezone."""
    hosts: Annotated[list[str], Meta(examples=[["acme.example.org"]])] = []
    """Names of the sites it is known by: what a request's Host header says becomes this client."""


class Service(_Section, frozen=True):
    """An application that logs, where it needs settings of its own."""

    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["shop"])]
    """The name that its handler gives: `TocsinHandler(service="shop")`."""
    kind: Literal["web", "batch"] = "web"
    """`web`: it runs all the time. `batch`: it runs, ends, and is not missed in between."""
    client: Annotated[str | None, Meta(examples=["acme"])] = None
    """Client of events that name none."""
    threshold: Annotated[Count | None, Meta(examples=[5])] = None
    """Default: tickets.threshold."""
    window: Annotated[Duration | None, Meta(examples=["30m"])] = None
    """Default: tickets.window."""
    ephemeral: bool = False
    """Its processes live in containers whose disk goes with them: one that is not heard of is soon written off."""
    unseen_after: Annotated[Duration | None, Meta(examples=["2h"])] = None
    """Default: 30 minutes where `ephemeral`, else watch.unseen_after."""


class Channel(_Section, frozen=True):
    """A chat, or a program of yours, that is told beside the mails."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,39}$", examples=["team"])]
    """What logs, `tocsin status` and `tocsin channel test` call it: letters a-z, digits, - and _."""
    url: Annotated[str, Meta(examples=["ntfy://ntfy.example.org/errors"])] = ""
    """Address of a chat as Apprise writes it: `slack://…`, `ntfy://…`, `discord://…`; needs tocsin[channels]."""
    url_file: Annotated[str, Meta(examples=[""])] = ""
    """File that holds the `url`, which mostly is a secret."""
    webhook: Annotated[str, Meta(examples=[""])] = ""
    """`https://` address that gets each message as signed JSON, in the place of `url`."""
    secret_file: Annotated[str, Meta(examples=[""])] = ""
    """File with the webhook's signing secret: `whsec_` and at least 24 bytes in base64."""
    on: Annotated[list[str], Meta(examples=[["detection", "reopened"]])] = []
    """What it is told, names of the admins' mails; empty: everything."""
    language: Annotated[Literal["en", "fr"] | None, Meta(examples=["en"])] = None
    """Language of its messages; default: mail.language."""
    per_hour: Annotated[Count | None, Meta(examples=[20])] = None
    """Messages an hour; what is over goes into one message. Default: mail.per_hour."""
    own_network: bool = False
    """Permit a webhook on this machine or in its private networks, and `http://`."""

    def __repr__(self) -> str:
        return f"Channel({self.name!r})"

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self.on) or EVENTS


class Smtp(_Section, frozen=True):
    """The mail server, from SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASS, SMTP_FROM, SMTP_SECURITY."""

    host: str
    port: Port
    user: str | None = None
    password: str | None = None
    sender: str = ""
    security: Literal["starttls", "ssl", "none"] = "starttls"

    def __repr__(self) -> str:
        return f"Smtp({self.security}://{self.user or ''}@{self.host}:{self.port})"


SECTIONS = {"daemon": Daemon, "database": Database, "tickets": Tickets, "watch": Watch, "mail": Mail,
            "reminders": Reminders, "weekly": Weekly, "organisation": Organisation, "report": Report,
            "console": Console, "openid": OpenId, "agent": Agent, "retention": Retention,
            "grouping": Grouping,
            "client": Client, "service": Service, "channel": Channel}  # fmt: skip
