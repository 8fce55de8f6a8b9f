"""Is every part well? Each finding says what is wrong and what to do. Changes nothing and sends no mail.

The parts around the daemon (files, sockets, disk) are looked at in `surroundings`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from peewee import PeeweeException, fn

from tocsin.daemon import logo, queries
from tocsin.daemon.config import Config, load_file
from tocsin.daemon.config_file import ConfigError, find, noted
from tocsin.daemon.operations import backup, environment
from tocsin.daemon.operations.environment import Finding, problem, well
from tocsin.daemon.operations.report_access import report_access
from tocsin.daemon.outgoing import channel
from tocsin.daemon.outgoing.mailcheck import check_templates, diagnose
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.status import CLOCK_APART, StatusFacts
from tocsin.daemon.store import schema
from tocsin.daemon.store.database import Store, StoreError, open_store
from tocsin.daemon.store.models import Mail, Run, Session

HELD_LONG = 86400.0
OVERDUE = 2
"""The check of watches counts as overdue after this many of its periods."""


def examine(config_file: str | None, now: float, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Every finding, good and bad, at `now` (epoch seconds). Never raises for what it finds."""
    try:
        path = find(config_file, environ).path
        config = load_file(path, environ)
    except ConfigError as error:
        remedy = "Correct that; `tocsin init DIR` writes an example with every key and its meaning"
        return [problem("configuration", str(error), remedy)]
    found = [well("configuration", str(path or "built-in defaults")), *_daemons(config, environ)]
    found += environment.secrets(config, path)
    found += environment.directories(config)
    found += report_access(config)
    found += environment.software()
    store = None
    try:
        store = open_store(config.database.url, migrate=False) if _there(config) else None
        found += _database(config, store, now)
    except (StoreError, PeeweeException, OSError) as error:
        found.append(problem("database", str(error), _remedy_of(error)))
    finally:
        if store is not None:
            store.close()
    return [*found, *_mail(config, now), *_channels(config)]


def _daemons(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each daemon of this user with its configuration; what this command looks at should be one that runs."""
    known = noted(environ)
    running = [one for one in known if one.running]
    for one in running or known[:1]:
        what = one.note.config or "built-in defaults"
        when = (
            f"pid {one.note.pid} runs"
            if one.running
            else f"none runs; the last, from {Moment(one.note.at)}, ran"
        )
        yield well("daemons", f"{when} on {what}")
    if running and not any(one.note.config == (config.file or "") for one in running):
        text = (
            f"your running daemon has another configuration: {running[0].note.config or 'built-in defaults'}"
        )
        yield problem("configuration", text, "Name the one you mean: --config FILE")


def _there(config: Config) -> bool:
    """Whether there is a database to open; opening a SQLite file would make it."""
    file = environment.database_file(config)
    return file is None or file.is_file()


def _remedy_of(error: Exception) -> str:
    if "not a database" in str(error) or "malformed" in str(error):
        return "Stop the daemon and restore a backup: tocsin restore FILE; the damaged file is kept"
    return "Start the database server, check database.url and its password, or start `tocsin daemon` once"


def _database(config: Config, store: Store | None, now: float) -> Iterator[Finding]:
    """The database, and all that it knows of the daemon, the applications and the mails."""
    if store is None:
        text = f"{environment.database_file(config)} is not there"
        yield problem("database", text, "Start `tocsin daemon` once: it makes the database")
        return
    if fault := _damage(store):
        yield problem("database", fault, "Stop the daemon and restore a backup: tocsin restore FILE")
        return
    schema = _schema(store)
    yield schema
    if not schema.ok:
        return
    status = queries.status(store, config, now)
    yield from _daemon(config, store, status, now)
    yield from _clocks(store, status, now)
    yield from _applications(config, store, status, now)
    yield from _outbox(store, status, now)
    yield from _kept(store, status)
    yield from _for_clients(config, store)


def _damage(store: Store) -> str:
    """What SQLite's own check says, '' when all is well; Postgres looks after itself."""
    if store.postgres:
        return ""
    said = str(store.database.execute_sql("PRAGMA quick_check(1)").fetchone()[0])
    return "" if said == "ok" else f"{store.url} is damaged: {said}"


def _schema(store: Store) -> Finding:
    if newer := schema.newer(store.database):
        return problem("database", newer, "Install that version again: pip install --upgrade tocsin")
    if due := schema.due(store.database):
        text = f"the tables are older than this tocsin: {', '.join(due)} is due"
        return problem("database", text, "Restart the daemon: it makes a backup and brings them up to date")
    if fault := schema.lacking(store.database):
        return problem("database", fault, "Stop the daemon, then move the database away or install that one")
    applied = schema.applied(store.database)
    return well("database", f"{'postgresql' if store.postgres else store.url}, {len(applied)} migrations")


def _daemon(config: Config, store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    locked = environment.locked_by(config)
    if not status.alive and locked:
        text = f"pid {locked} runs but was not seen alive since {_since(status)}"
        remedy = "systemctl restart tocsin; its log says thread_stuck, not_stored or job_failed, and why"
        yield problem("daemon", text, remedy)
        return
    if not status.alive:
        remedy = "systemctl start tocsin, or tocsin daemon; journalctl -u tocsin says why it ended"
        yield problem("daemon", f"it is not running; last seen {_since(status)}", remedy)
        return
    yield well("daemon", f"running since {status.daemon.started_at if status.daemon else '?'}")
    yield from environment.sockets(config)
    yield _check(config, status, now)
    yield environment.pages(config, status.daemon.started_at if status.daemon else now, now)


def _since(status: StatusFacts) -> str:
    return str(status.daemon.alive_until) if status.daemon else "never"


def _check(config: Config, status: StatusFacts, now: float) -> Finding:
    allowed = OVERDUE * config.watch.every
    started = status.daemon.started_at if status.daemon else now
    last = status.last_check or started
    if now - max(last, started) > allowed:
        text = f"the check of the watches is overdue, it last ran {status.last_check or 'never'}"
        return problem("watches", text, "Run `tocsin check`; the daemon's log says job_failed, and why")
    return well("watches", f"last checked {status.last_check or 'not yet'}")


def _clocks(store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    with store.reading():
        newest = Run.select(fn.MAX(Run.alive_until)).scalar(as_tuple=False)
    latest = Moment(newest) if isinstance(newest, int | float) else None
    if latest is not None and latest - now > CLOCK_APART:
        text = f"this machine's clock says {Moment(now)}, but the daemon was up at {latest} already"
        yield problem("clock", text, "Set the clock: timedatectl set-ntp true; then restart the daemon")
    apart = [one for one in _alive(store, status) if abs(one.clock_offset) > CLOCK_APART]
    for session in apart[:5]:
        text = f"the clock of {session.host} ({session.service}) is {-session.clock_offset:+.0f} s off ours"
        yield problem("clock", text, f"On {session.host}: timedatectl set-ntp true")
    if not apart:
        yield well("clock", f"{Moment(now)}")


def _alive(store: Store, status: StatusFacts) -> list[Session]:
    ids = [session.id for session in status.sessions if session.alive][:400]
    with store.reading():
        return list(Session.select().where(Session.id.in_(ids)).order_by(Session.service)) if ids else []


def _applications(config: Config, store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    for service in config.service:
        with store.reading():
            newest = Session.select(fn.MAX(Session.last_heard))
            last = newest.where(Session.service == service.name).scalar()
        if last is None:
            text = f"service {service.name!r} is declared but was never heard"
            yield problem("applications", text, _NEVER_HEARD)
        elif service.kind == "web" and now - last > config.watch.unseen_after:
            text = f"service {service.name!r} was last heard {Moment(last)}: its silence proves nothing"
            yield problem("applications", text, "Start it, or take its [[service]] out of the configuration")
    silent = [one for one in status.sessions if one.backlog and not one.alive]
    left = sorted({f"{one.service} on {one.host}" for one in silent})
    if left:
        text = f"ended processes left undelivered errors: {', '.join(left[:5])}"
        yield problem("spool", text, "On that machine, as the application's user: tocsin ship")
    yield from environment.leftovers()
    alive = sum(session.alive for session in status.sessions)
    yield well("applications", f"{alive} processes alive")


def _outbox(store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    if status.outbox.failed:
        remedy = "`tocsin mail outbox` says why; then `tocsin mail outbox retry --all`, or drop"
        yield problem("mails", f"{status.outbox.failed} could not be delivered", remedy)
    for known in status.channels:
        if known.failed:
            text = f"{known.failed} could not be delivered: {known.why_failed}"
            remedy = f"tocsin channel test {known.name}; then `tocsin mail outbox retry --all`, or drop"
            yield problem(f"channel {known.name}", text, remedy)
    with store.reading():
        held = Mail.select().where((Mail.state == "held") & (Mail.created_at < now - HELD_LONG)).count()
    if held:
        text = f"{held} mails to clients wait for your release since more than a day"
        yield problem("mails", text, 'tocsin mail outbox release --all, or mail.client = "auto"')


def _channels(config: Config) -> Iterator[Finding]:
    for settings in config.channel:
        fault = channel.look_at(settings)
        if fault.text:
            yield problem(f"channel {settings.name}", fault.text, fault.remedy or "Correct its [[channel]]")
        else:
            yield well(f"channel {settings.name}", f"is told {', '.join(settings.events)}")


def _kept(store: Store, status: StatusFacts) -> Iterator[Finding]:
    """What was lost or could not be read, and a restored backup."""
    for reason, count in status.lost.items():
        text = f"{count} events were lost: {reason}"
        yield problem("losses", text, _LOSSES.get(reason, "docs/operations.md tells what each reason means"))
    if status.quarantined:
        text = f"{status.quarantined} records could not be read; they are kept"
        yield problem("quarantine", text, _QUARANTINED)
    if gap := backup.restored(store):
        missing = "" if gap.events is None else f" ({gap.events} events were counted in between)"
        text = f"at {Moment(gap.at)} a backup was restored; nothing is known since {Moment(gap.until)}"
        yield well("restored", text + missing)


def _for_clients(config: Config, store: Store) -> Iterator[Finding]:
    """What clients would miss in their mails; nothing while none is known."""
    if not queries.clients(store):
        return
    if config.report.url is None and config.console.url is None:
        text = "neither console.url nor report.url is set: mails leave without a link to their ticket"
        yield problem("mail", text, "Set console.url to the address under which people reach the console")
    if not config.organisation.name:
        text = "organisation.name is not set: the clients' mails are not signed"
        yield problem("mail", text, 'Write name = "..." under [organisation]')


_NEVER_HEARD = (
    "Add the handler there under that name; in the application's environment, "
    "`python -m tocsin.handler test` says whether the daemon can be reached"
)
_QUARANTINED = (
    "Bring handler and daemon to one version; look at the table quarantine, "
    "and delete its rows when they are understood"
)
_LOSSES = {
    "not_held_any_more": "The database was restored from a backup older than what the applications keep; "
    "the one from before is kept beside it (before-restore)",
    "spool_full": "Enlarge spool_limit of the handler, or keep the daemon running",
}


def _mail(config: Config, now: float) -> Iterator[Finding]:
    if not config.mail.admin:
        yield problem("mail", "mail.admin names nobody", 'Write admin = ["you@example.org"] under [mail]')
    if config.organisation.logo is not None:
        try:
            logo.read(Path(config.organisation.logo))
        except logo.LogoError as error:
            said = f"organisation.logo = {config.organisation.logo!r}: {error}"
            yield problem(
                "mail", said, "Put a PNG, JPEG or GIF file there; until then mails leave without it"
            )
    for line in check_templates(config.mail.templates):
        yield problem("mail", line, "Correct the template; `tocsin mail preview NAME` shows it")
    to = config.mail.admin[0] if config.mail.admin else (config.smtp.sender if config.smtp else "")
    steps = list(diagnose(config, to, now, send=False))
    last = steps[-1]
    if last.ok:
        yield well("mail", steps[0].text)
    else:
        yield problem("mail", f"{last.name}: {last.text}", last.remedy)
