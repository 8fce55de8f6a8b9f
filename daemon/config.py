"""TOML, the environment and `.env` become one frozen, validated `Config`; knows nothing of the rest.

Whatever is wrong raises `ConfigError` with the key's name, the value and what would be right.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

import dotenv
import msgspec
from msgspec import Struct

from tocsin.daemon import config_agent, config_channels, config_console, logo
from tocsin.daemon.config_file import SYSTEM, ConfigError, find
from tocsin.daemon.mail_address import mail_address
from tocsin.daemon.settings import (
    SECTIONS,
    Agent,
    Channel,
    Client,
    Console,
    Daemon,
    Database,
    Duration,
    Grouping,
    GroupingRule,
    Mail,
    OpenId,
    Organisation,
    Reminders,
    Report,
    Retention,
    Service,
    Smtp,
    Tickets,
    Watch,
    Weekly,
)
from tocsin.daemon.time_zone import is_time_zone
from tocsin.daemon.wrong_setting import explain
from tocsin.handler.paths import default_endpoint, state_directory

EPHEMERAL_UNSEEN_AFTER = 1800.0
"""Seconds: a container that is gone is soon replaced, and its disk never comes back."""
_PATHS = {
    "daemon": ("state_dir", "metrics_dir", "key", "clients"),
    "mail": ("templates", "password_file", "oauth2_file"),
    "organisation": ("logo",),
    "openid": ("secret_file",),
    "report": ("dir",),
}
"""Settings that are paths, relative to the configuration file."""


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings. What exists is valid; `smtp` is None while no mail server is set."""

    daemon: Daemon = Daemon()
    database: Database = Database()
    tickets: Tickets = Tickets()
    watch: Watch = Watch()
    mail: Mail = Mail()
    reminders: Reminders = Reminders()
    weekly: Weekly = Weekly()
    organisation: Organisation = Organisation()
    report: Report = Report()
    console: Console = Console()
    agent: Agent = Agent()
    openid: OpenId = OpenId()
    retention: Retention = Retention()
    grouping: Grouping = Grouping()
    client: list[Client] = []
    service: list[Service] = []
    channel: list[Channel] = []
    smtp: Smtp | None = None
    file: str | None = None
    """The file it was read from; None for the built-in defaults."""

    @property
    def command(self) -> str:
        """How `tocsin` is to be called for this configuration, from whatever directory."""
        known = self.file is None or self.file == str(SYSTEM)
        return "tocsin" if known else f"tocsin --config {shlex.quote(self.file or '')}"

    def service_named(self, name: str) -> Service:
        """The service's settings; the defaults for one that is not declared."""
        return next((service for service in self.service if service.name == name), Service(name=name))

    def threshold(self, service: str) -> tuple[int, float]:
        """(occurrences, window in seconds) that open a ticket for the service."""
        own = self.service_named(service)
        return own.threshold or self.tickets.threshold, own.window or self.tickets.window

    def unseen_after(self, service: str) -> float:
        """Seconds after which an unheard process of the service is written off."""
        own = self.service_named(service)
        return own.unseen_after or (EPHEMERAL_UNSEEN_AFTER if own.ephemeral else self.watch.unseen_after)

    @property
    def state_dir(self) -> Path:
        return Path(self.daemon.state_dir)

    @property
    def report_dir(self) -> Path:
        return Path(self.report.dir)

    @property
    def report_language(self) -> str:
        return self.report.language or self.mail.language


def load(explicit: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration: the file found, else defaults; SMTP from the environment or the `.env` beside it.

    Without a file no `.env` is read: one that lies around is another program's. Raises ConfigError.
    """
    return load_file(find(explicit, environ).path, environ)


def load_file(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in that file and the `.env` beside it; None: the defaults. Raises ConfigError."""
    if path is None:
        return parse({}, environ, name="built-in defaults")
    beside = path.parent / ".env"
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        variables = {k: v for k, v in dotenv.dotenv_values(beside).items() if v is not None}
    except OSError as error:
        raise ConfigError(f"{beside}: cannot be read: {error.strerror}") from None
    config = parse(data, {**variables, **environ}, name=str(path), base=path.absolute().parent)
    return msgspec.structs.replace(config, file=str(path.absolute()))


def parse(
    data: dict[str, Any],
    environ: Mapping[str, str],
    *,
    name: str = "configuration",
    base: Path = Path("."),
) -> Config:
    """A Config from parsed TOML and environment variables; paths are relative to `base`. Raises ConfigError."""
    if "smtp" in data:
        raise ConfigError(
            f"{name}: smtp: SMTP is set by SMTP_HOST, SMTP_PORT, ... in the environment or .env"
        )
    try:
        _check_keys(data)
        config = msgspec.convert(data, Config, dec_hook=_decode)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {explain(str(error), data, Config, _value)}") from None
    return _complete(_anchored(config, base.absolute()), environ, name)


def _anchored(config: Config, base: Path) -> Config:
    """With each path made absolute: a command may be run from any directory."""
    sections: dict[str, dict[str, Any]] = {
        section: {
            key: str(base / Path(value).expanduser()) for key in keys if (value := _get(config, section, key))
        }
        for section, keys in _PATHS.items()
    }
    url = config.database.url
    if url.startswith("sqlite:///") and not url.startswith(("sqlite:////", "sqlite:///~")):
        sections["database"] = {"url": f"sqlite:///{quote(str(base))}/{url.removeprefix('sqlite:///')}"}
    channels = [config_channels.anchored(channel, base) for channel in config.channel]
    sections["daemon"]["listen"] = [_socket(address, base) for address in config.daemon.listen]
    changed = {
        section: msgspec.structs.replace(getattr(config, section), **values)
        for section, values in sections.items()
    }
    return msgspec.structs.replace(config, **changed, channel=channels)


def _socket(address: str, base: Path) -> str:
    relative = address.startswith("ipc://") and not address.startswith("ipc:///")
    return f"ipc://{base}/{address.removeprefix('ipc://')}" if relative else address


def _get(config: Config, section: str, key: str) -> str | None:
    found: str | None = getattr(getattr(config, section), key)
    return found


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Duration:
        if not isinstance(value, str):
            raise ValueError('write a duration in quotes, such as "90s", "15m", "1h" or "7d"')
        return Duration.parse(value)
    raise TypeError(f"no way to read a {wanted}")


def _check_keys(data: dict[str, Any]) -> None:
    for section, values in data.items():
        if section not in SECTIONS:
            raise ConfigError(f"unknown section [{section}]{_nearest(section, SECTIONS)}")
        known = SECTIONS[section].__struct_fields__
        for table in values if isinstance(values, list) else [values]:
            for key in table if isinstance(table, dict) else ():
                if key not in known:
                    value = _value(f"{section}.{key}", table[key])
                    raise ConfigError(f"unknown key {section}.{key}{value}{_nearest(key, known)}")


def _value(key: str, value: Any) -> str:
    """` = value`, but of a channel only what cannot be the address, which is a secret."""
    section, _, name = key.rpartition(".")
    secret = section.startswith("channel") and name not in config_channels.SHOWN
    return "" if secret or (key.startswith("channel") and isinstance(value, dict)) else f" = {value!r}"


def _nearest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _complete(config: Config, environ: Mapping[str, str], name: str) -> Config:
    """Fills in the defaults that depend on the machine and checks what spans several keys."""
    state = Path(config.daemon.state_dir) if config.daemon.state_dir else state_directory(environ)
    listen = config.daemon.listen or [default_endpoint(environ, state)]
    for address in listen:
        if not re.fullmatch(r"ipc:///?\S+|tcp://\S+:\d{1,5}", address):
            raise ConfigError(f"{name}: daemon.listen = {address!r}: write ipc:///path or tcp://host:port")
    url = config.database.url or f"sqlite:///{state / 'tocsin.db'}"
    if urlsplit(url).scheme not in ("sqlite", "postgresql", "postgres"):
        raise ConfigError(
            f"{name}: database.url = {url!r}: write sqlite:///file or postgresql://user@host/name"
        )
    for rule in config.grouping.rule:
        _check_rule(rule, name)
    try:
        config_channels.check(config.channel)
        config_console.check(config.console)
        config_agent.check(config.agent)
        config_console.check_openid(config.openid)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    seen = [client.id for client in config.client]
    for what, ids in (("client.id", seen), ("service.name", [service.name for service in config.service])):
        for one in ids:
            if ids.count(one) > 1:
                raise ConfigError(f"{name}: {what} = {one!r} is declared twice; keep one")
    hosts = [host.lower() for client in config.client for host in client.hosts]
    for host in hosts:
        if hosts.count(host) > 1:
            raise ConfigError(f"{name}: client.hosts: {host!r} is given to two clients; keep one")
    _check_addresses(config, name)
    _check_organisation(config, name)
    return msgspec.structs.replace(
        config,
        daemon=msgspec.structs.replace(
            config.daemon,
            state_dir=str(state),
            metrics_dir=config.daemon.metrics_dir or str(state / "metrics"),
            listen=listen,
            key=config.daemon.key or _credential(environ, "tocsin.key"),
        ),
        database=msgspec.structs.replace(config.database, url=url),
        report=msgspec.structs.replace(config.report, dir=config.report.dir or str(state / "report")),
        smtp=_smtp(environ, config, name),
    )


def _check_addresses(config: Config, name: str) -> None:
    reply_to = [config.organisation.reply_to] if config.organisation.reply_to else []
    clients = [client.email for client in config.client if client.email]
    for address in [*config.mail.admin, *clients, *reply_to]:
        try:
            mail_address(address)
        except ValueError as error:
            raise ConfigError(f"{name}: {address!r} is not a mail address: {error}") from None


def _check_organisation(config: Config, name: str) -> None:
    own = config.organisation
    zones = [("organisation.timezone", own.timezone), ("weekly.timezone", config.weekly.timezone)]
    zones += [(f"client.timezone of {client.id}", client.timezone) for client in config.client]
    for key, zone in zones:
        if zone is not None and not is_time_zone(zone):
            close = difflib.get_close_matches(zone, available_timezones(), 1)
            hint = f"did you mean {close[0]}?" if close else 'write a name such as "Europe/Paris"'
            raise ConfigError(f"{name}: {key} = {zone!r} is no time zone; {hint}")
    if own.site is not None and not re.fullmatch(r"https?://[^\s\"'<>]+", own.site):
        raise ConfigError(f"{name}: organisation.site = {own.site!r}: write https://...")
    if own.logo is not None and Path(own.logo).exists():
        try:
            logo.read(Path(own.logo))
        except logo.LogoError as error:
            raise ConfigError(f"{name}: organisation.logo = {own.logo!r}: {error}") from None


def _check_rule(rule: GroupingRule, name: str) -> None:
    if not (rule.text or rule.context):
        raise ConfigError(f"{name}: grouping.rule: it needs text or context, which name your code")
    try:
        re.compile(rule.text)
    except re.error as error:
        raise ConfigError(f"{name}: grouping.rule.text = {rule.text!r}: {error}") from None


def _credential(environ: Mapping[str, str], name: str) -> str | None:
    """The file systemd's LoadCredential= put there for this service, if it did."""
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(directory) / name
    return str(path) if directory and path.is_file() else None


def _smtp(environ: Mapping[str, str], config: Config, name: str) -> Smtp | None:
    host = environ.get("SMTP_HOST", "").strip()
    if not host:
        return None
    security = environ.get("SMTP_SECURITY", "").strip().lower()
    port = environ.get("SMTP_PORT", "").strip() or {"ssl": "465", "none": "25"}.get(security, "587")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError(f"SMTP_PORT = {port!r}: write a port number, usually 587 (starttls) or 465 (ssl)")
    security = security or ("ssl" if port == "465" else "starttls")
    if security not in ("starttls", "ssl", "none"):
        raise ConfigError(f"SMTP_SECURITY = {security!r}: write starttls, ssl or none")
    password = environ.get("SMTP_PASS") or None
    password_file = config.mail.password_file or _credential(environ, "tocsin.smtp-password")
    if password_file:
        try:
            password = Path(password_file).expanduser().read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}: mail.password_file = {password_file!r}: {error}") from None
    user = environ.get("SMTP_USER") or None
    sender = environ.get("SMTP_FROM") or user or ""
    if not re.fullmatch(r"[^\r\n\x00]*[^@\s]+@[^@\s]+", sender):
        raise ConfigError(f"SMTP_FROM = {sender!r}: write the sender's address, such as tocsin@example.org")
    return Smtp(host=host, port=int(port), user=user, password=password, sender=sender, security=security)  # type: ignore[arg-type]
