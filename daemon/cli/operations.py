"""`tocsin doctor`, `backup`, `restore`, `forget`: what an admin does beside the daemon."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
)
from tocsin.daemon.cli.tables import printable
from tocsin.daemon.language import language
from tocsin.daemon.operations import backup as backups
from tocsin.daemon.operations import doctor
from tocsin.daemon.operations.forget import forget as erase
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.copies import Contents
from tocsin.daemon.store.database import BACKUPS, claim, open_store, upgrade


@click.command("doctor")
@click.option("--all", "everything", is_flag=True, help="Also what is well.")
@as_json
@pass_context
def doctor_command(context: Context, everything: bool, as_json: bool) -> None:
    """Check every part; say of each problem what to do. Exit 1 when there is one."""
    looked = doctor.examine(context.config_file, clock.now())
    findings = [finding.said(context.known_language) for finding in looked]
    problems = [finding for finding in findings if not finding.ok]
    if as_json:
        say_json(findings)
    else:
        daemons = [finding for finding in findings if finding.part == "daemons"]
        for finding in findings if everything else [*daemons, *problems] if problems else []:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("FAIL", fg="red")
            click.echo(f"{mark}  {finding.part:<14} ", nl=False)
            say(finding.text)
            if finding.remedy:
                say(f"      {'':<14} {finding.remedy}")
        if not problems:
            running = "".join(f"; {finding.text}" for finding in daemons)
            well = context.said("all %(number)s checks are well", number=len(findings))
            click.secho(printable(well + running), fg="green")
    if problems:
        sys.exit(1)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(min=1), help="FILE is a directory: keep only so many backups in it."
)
@as_json
@pass_context
def backup(context: Context, file: Path, keep: int | None, as_json: bool) -> None:
    """Write a checked backup of the database to FILE, or to a new file in that directory.

    The daemon may run.
    """
    if keep is not None and not file.is_dir():
        raise click.UsageError(context.said("--keep wants a directory"))
    made = backups.make(context.store, file, clock.now())
    removed = backups.thin(file, keep) if keep is not None else []
    if as_json:
        say_json({"backup": made, "removed": [str(path) for path in removed]})
        return
    say(context.said("wrote %(file)s", file=f"{made.path}: {_said(context, made)}"))
    for path in removed:
        say(context.said("removed %(file)s", file=path))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@pass_context_to_change
def restore(context: Context, file: Path, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept aside. Stop the daemon first."""
    config = context.config
    now = clock.now()
    done = backups.restore(file, config.database.url, now)
    if as_json:
        kept = done.aside and str(done.aside)
        say_json({"backup": done.contents, "kept": kept, "events_missing": done.gap.events})
        return
    restored = f"{done.contents.path}: {_said(context, done.contents)}"
    say_changed(context, context.said("restored %(file)s", file=restored))
    if done.aside is not None:
        say(context.said("the database that was there is kept as %(file)s", file=done.aside))
    between = {"since": _moment(done.gap.until), "until": _moment(now)}
    say(context.said("it knows nothing of what came between %(since)s and %(until)s:", **between))
    if done.gap.events is not None:
        say(context.said("%(number)s events that the other one had counted.", number=done.gap.events))
    say(
        context.said(
            "What running applications still hold comes again; what they no longer hold shows in\n"
            "`tocsin status` as lost (not_held_any_more). Mails sent in between may be sent again."
        )
    )


@click.command()
@click.option("--no-backup", is_flag=True, help="You have made one yourself.")
@as_json
@pass_context_to_change
def migrate(context: Context, no_backup: bool, as_json: bool) -> None:
    """Bring an older database's tables up to date, after a backup. The daemon does it when it starts."""
    config = context.config
    directory = config.state_dir / BACKUPS
    store = open_store(config.database.url, migrate=False, made=False)
    lock = claim(store, config.state_dir)
    try:
        done = upgrade(store, None if no_backup else directory, clock.now())
    finally:
        store.close()
        os.close(lock)
    if as_json:
        say_json({"migrations": done.names, "backup": done.backup and str(done.backup)})
        return
    if done.backup is not None:
        say(context.said("wrote %(file)s", file=done.backup))
    for name in done.names:
        say(context.said("ran %(migration)s", migration=name))
    if not done.names:
        say_changed(context, context.said("the tables are up to date"))


@click.command()
@click.option("--client", "client_id", required=True, metavar="ID", help="Whom to forget.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@pass_context_to_change
def forget(context: Context, client_id: str, yes: bool, as_json: bool) -> None:
    """Erase a client's data: it cannot be undone. Counts stay, as nobody's."""
    if not yes:
        asked = context.said("Erase all that is known of client %(client)r?", client=client_id)
        click.confirm(asked, abort=True, err=True)
    erased = erase(context.store, context.config, client_id)
    if as_json:
        say_json(erased)
        return
    done = context.said(
        "erased client %(client)s: full events %(samples)s, mails %(mails)s, folders of pages %(folders)s",
        client=client_id, samples=erased.samples, mails=erased.mails, folders=erased.folders,
    )  # fmt: skip
    say_changed(context, done)
    say(
        context.said(
            "made nobody's: tickets %(tickets)s, hourly counts %(counts)s; blotted out in texts: %(texts)s",
            tickets=erased.tickets, counts=erased.counts, texts=erased.texts,
        )
    )  # fmt: skip
    say(context.said("backups made before now still hold it; so do the pages' and mails' copies elsewhere"))


def _said(context: Context, contents: Contents) -> str:
    size = context.said(
        "%(number)s MB", number=language(context.language).number(round(contents.size / 1e6, 1))
    )
    if contents.errors is None:
        return size
    return context.said(
        "%(size)s, errors %(errors)s, events %(events)s, tickets %(tickets)s",
        size=size, errors=contents.errors, events=contents.occurrences, tickets=contents.tickets,
    )  # fmt: skip


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
