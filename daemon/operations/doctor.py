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
from tocsin.daemon.failure import Failed
from tocsin.daemon.operations import backup, environment
from tocsin.daemon.operations.environment import Finding, problem, well
from tocsin.daemon.operations.report_access import report_access
from tocsin.daemon.outgoing import channel
from tocsin.daemon.outgoing.mailcheck import check_templates, diagnose
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.status import CLOCK_APART, StatusFacts
from tocsin.daemon.reason import NONE, Reason, failed
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
        remedy = Reason("Correct that; `tocsin init DIR` writes an example with every key and its meaning")
        return [problem("configuration", Reason(str(error)), remedy)]
    found = [well("configuration", Reason(str(path)) if path else _DEFAULTS), *_daemons(config, environ)]
    found += environment.secrets(config, path)
    found += environment.directories(config)
    found += report_access(config)
    found += environment.software()
    store = None
    try:
        store = open_store(config.database.url, migrate=False) if _there(config) else None
        found += _database(config, store, now)
    except (StoreError, PeeweeException, OSError) as error:
        found.append(problem("database", _told(error), _remedy_of(error)))
    finally:
        if store is not None:
            store.close()
    return [*found, *_mail(config, now), *_channels(config)]


def _daemons(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each daemon of this user with its configuration; what this command looks at should be one that runs."""
    known = noted(environ)
    running = [one for one in known if one.running]
    for one in running or known[:1]:
        what = one.note.config or _DEFAULTS
        if one.running:
            text = Reason("pid %(pid)s runs on %(configuration)s", pid=one.note.pid, configuration=what)
        else:
            text = Reason(
                "none runs; the last, from %(moment)s, ran on %(configuration)s",
                moment=str(Moment(one.note.at)), configuration=what,
            )  # fmt: skip
        yield well("daemons", text)
    if running and not any(one.note.config == (config.file or "") for one in running):
        text = Reason(
            "your running daemon has another configuration: %(configuration)s",
            configuration=running[0].note.config or _DEFAULTS,
        )
        yield problem("configuration", text, Reason("Name the one you mean: --config FILE"))


def _there(config: Config) -> bool:
    """Whether there is a database to open; opening a SQLite file would make it."""
    file = environment.database_file(config)
    return file is None or file.is_file()


def _told(error: Exception) -> Reason:
    return failed(error) if isinstance(error, Failed) else Reason(str(error))


def _remedy_of(error: Exception) -> Reason:
    if "not a database" in str(error) or "malformed" in str(error):
        return Reason("Stop the daemon and restore a backup: tocsin restore FILE; the damaged file is kept")
    return Reason(
        "Start the database server, check database.url and its password, or start `tocsin daemon` once"
    )


def _database(config: Config, store: Store | None, now: float) -> Iterator[Finding]:
    """The database, and all that it knows of the daemon, the applications and the mails."""
    if store is None:
        text = Reason("%(path)s is not there", path=str(environment.database_file(config)))
        yield problem("database", text, Reason("Start `tocsin daemon` once: it makes the database"))
        return
    if fault := _damage(store):
        yield problem("database", fault, Reason("Stop the daemon and restore a backup: tocsin restore FILE"))
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


def _damage(store: Store) -> Reason:
    """What SQLite's own check says, '' when all is well; Postgres looks after itself."""
    if store.postgres:
        return NONE
    said = str(store.database.execute_sql("PRAGMA quick_check(1)").fetchone()[0])
    return NONE if said == "ok" else Reason("%(url)s is damaged: %(fault)s", url=store.url, fault=said)


def _schema(store: Store) -> Finding:
    if newer := schema.newer(store.database):
        remedy = Reason("Install that version again: pip install --upgrade tocsin")
        return problem("database", newer, remedy)
    if due := schema.due(store.database):
        text = Reason(
            "the tables are older than this tocsin: %(migrations)s is due", migrations=", ".join(due)
        )
        remedy = Reason("Restart the daemon: it makes a backup and brings them up to date")
        return problem("database", text, remedy)
    if fault := schema.lacking(store.database):
        remedy = Reason("Stop the daemon, then move the database away or install that one")
        return problem("database", fault, remedy)
    applied = schema.applied(store.database)
    where = "postgresql" if store.postgres else store.url
    return well("database", Reason("%(url)s, %(number)s migrations", url=where, number=len(applied)))


def _daemon(config: Config, store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    locked = environment.locked_by(config)
    if not status.alive and locked:
        text = Reason(
            "pid %(pid)s runs but was not seen alive since %(moment)s", pid=locked, moment=_since(status)
        )
        remedy = Reason(
            "systemctl restart tocsin; its log says thread_stuck, not_stored or job_failed, and why"
        )
        yield problem("daemon", text, remedy)
        return
    if not status.alive:
        text = Reason("it is not running; last seen %(moment)s", moment=_since(status))
        remedy = Reason("systemctl start tocsin, or tocsin daemon; journalctl -u tocsin says why it ended")
        yield problem("daemon", text, remedy)
        return
    started = str(status.daemon.started_at) if status.daemon else "?"
    yield well("daemon", Reason("running since %(moment)s", moment=started))
    yield from environment.sockets(config)
    yield _check(config, status, now)
    yield environment.pages(config, status.daemon.started_at if status.daemon else now, now)


def _since(status: StatusFacts) -> str:
    return str(status.daemon.alive_until) if status.daemon else Reason("never")


def _check(config: Config, status: StatusFacts, now: float) -> Finding:
    allowed = OVERDUE * config.watch.every
    started = status.daemon.started_at if status.daemon else now
    last = status.last_check or started
    if now - max(last, started) > allowed:
        ran = str(status.last_check) if status.last_check else Reason("never")
        text = Reason("the check of the watches is overdue, it last ran %(moment)s", moment=ran)
        remedy = Reason("Run `tocsin check`; the daemon's log says job_failed, and why")
        return problem("watches", text, remedy)
    if status.last_check is None:
        return well("watches", Reason("not checked yet"))
    return well("watches", Reason("last checked %(moment)s", moment=str(status.last_check)))


def _clocks(store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    with store.reading():
        newest = Run.select(fn.MAX(Run.alive_until)).scalar(as_tuple=False)
    latest = Moment(newest) if isinstance(newest, int | float) else None
    if latest is not None and latest - now > CLOCK_APART:
        text = Reason(
            "this machine's clock says %(now)s, but the daemon was up at %(moment)s already",
            now=str(Moment(now)), moment=str(latest),
        )  # fmt: skip
        remedy = Reason("Set the clock: timedatectl set-ntp true; then restart the daemon")
        yield problem("clock", text, remedy)
    apart = [one for one in _alive(store, status) if abs(one.clock_offset) > CLOCK_APART]
    for session in apart[:5]:
        text = Reason(
            "the clock of %(host)s (%(service)s) is %(seconds)s s off ours",
            host=session.host, service=session.service, seconds=f"{-session.clock_offset:+.0f}",
        )  # fmt: skip
        yield problem("clock", text, Reason("On %(host)s: timedatectl set-ntp true", host=session.host))
    if not apart:
        yield well("clock", Reason(str(Moment(now))))


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
            text = Reason("service %(name)r is declared but was never heard", name=service.name)
            yield problem("applications", text, _NEVER_HEARD)
        elif service.kind == "web" and now - last > config.watch.unseen_after:
            text = Reason(
                "service %(name)r was last heard %(moment)s: its silence proves nothing",
                name=service.name, moment=str(Moment(last)),
            )  # fmt: skip
            remedy = Reason("Start it, or take its [[service]] out of the configuration")
            yield problem("applications", text, remedy)
    silent = [one for one in status.sessions if one.backlog and not one.alive]
    left = sorted({f"{one.service} ({one.host})" for one in silent})
    if left:
        text = Reason("ended processes left undelivered errors: %(services)s", services=", ".join(left[:5]))
        yield problem("spool", text, Reason("On that machine, as the application's user: tocsin ship"))
    yield from environment.leftovers()
    alive = sum(session.alive for session in status.sessions)
    yield well("applications", Reason("%(number)s processes alive", number=alive))


def _outbox(store: Store, status: StatusFacts, now: float) -> Iterator[Finding]:
    if status.outbox.failed:
        text = Reason("%(number)s could not be delivered", number=status.outbox.failed)
        remedy = Reason("`tocsin mail outbox` says why; then `tocsin mail outbox retry --all`, or drop")
        yield problem("mails", text, remedy)
    for known in status.channels:
        if known.failed:
            text = Reason(
                "%(number)s could not be delivered: %(reason)s", number=known.failed, reason=known.why_failed
            )
            remedy = Reason(
                "tocsin channel test %(name)s; then `tocsin mail outbox retry --all`, or drop",
                name=known.name,
            )
            yield problem(f"channel {known.name}", text, remedy)
    with store.reading():
        held = Mail.select().where((Mail.state == "held") & (Mail.created_at < now - HELD_LONG)).count()
    if held:
        text = Reason("%(number)s mails to clients wait for your release since more than a day", number=held)
        yield problem("mails", text, Reason('tocsin mail outbox release --all, or mail.client = "auto"'))


def _channels(config: Config) -> Iterator[Finding]:
    for settings in config.channel:
        fault = channel.look_at(settings)
        if fault.text:
            yield problem(
                f"channel {settings.name}", fault.text, fault.remedy or Reason("Correct its [[channel]]")
            )
        else:
            text = Reason("is told %(events)s", events=", ".join(settings.events))
            yield well(f"channel {settings.name}", text)


def _kept(store: Store, status: StatusFacts) -> Iterator[Finding]:
    """What was lost or could not be read, and a restored backup."""
    for reason, count in status.lost.items():
        text = Reason("%(number)s events were lost: %(reason)s", number=count, reason=reason)
        remedy = _LOSSES.get(reason, Reason("docs/operations.md tells what each reason means"))
        yield problem("losses", text, remedy)
    if status.quarantined:
        text = Reason("%(number)s records could not be read; they are kept", number=status.quarantined)
        yield problem("quarantine", text, _QUARANTINED)
    if gap := backup.restored(store):
        text = Reason(
            "at %(moment)s a backup was restored; nothing is known since %(since)s",
            moment=str(Moment(gap.at)), since=str(Moment(gap.until)),
        )  # fmt: skip
        if gap.events is not None:
            missing = Reason("%(number)s events were counted in between", number=gap.events)
            text = Reason.joined(text, missing)
        yield well("restored", text)


def _for_clients(config: Config, store: Store) -> Iterator[Finding]:
    """What clients would miss in their mails; nothing while none is known."""
    if not queries.clients(store):
        return
    if config.report.url is None and config.console.url is None:
        text = Reason("neither console.url nor report.url is set: mails leave without a link to their ticket")
        remedy = Reason("Set console.url to the address under which people reach the console")
        yield problem("mail", text, remedy)
    if not config.organisation.name:
        text = Reason("organisation.name is not set: the clients' mails are not signed")
        yield problem("mail", text, Reason('Write name = "..." under [organisation]'))


_DEFAULTS = Reason("built-in defaults")
_NEVER_HEARD = Reason(
    "Add the handler there under that name; in the application's environment, "
    "`python -m tocsin.handler test` says whether the daemon can be reached"
)
_QUARANTINED = Reason(
    "Bring handler and daemon to one version; look at the table quarantine, "
    "and delete its rows when they are understood"
)
_LOSSES = {
    "not_held_any_more": Reason(
        "The database was restored from a backup older than what the applications keep; "
        "the one from before is kept beside it (before-restore)"
    ),
    "spool_full": Reason("Enlarge spool_limit of the handler, or keep the daemon running"),
}


def _mail(config: Config, now: float) -> Iterator[Finding]:
    if not config.mail.admin:
        remedy = Reason('Write admin = ["you@example.org"] under [mail]')
        yield problem("mail", Reason("mail.admin names nobody"), remedy)
    if config.organisation.logo is not None:
        try:
            logo.read(Path(config.organisation.logo))
        except logo.LogoError as error:
            said = Reason(f"organisation.logo = {config.organisation.logo!r}: {error}")
            remedy = Reason("Put a PNG, JPEG or GIF file there; until then mails leave without it")
            yield problem("mail", said, remedy)
    for line in check_templates(config.mail.templates):
        remedy = Reason("Correct the template; `tocsin mail preview NAME` shows it")
        yield problem("mail", Reason(line), remedy)
    to = config.mail.admin[0] if config.mail.admin else (config.smtp.sender if config.smtp else "")
    steps = list(diagnose(config, to, now, send=False))
    last = steps[-1]
    if last.ok:
        yield well("mail", steps[0].text)
    else:
        text = Reason("%(step)s: %(text)s", step=last.name, text=last.text)
        yield problem("mail", text, last.remedy)
