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
    findings = doctor.examine(context.config_file, clock.now())
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
            click.secho(printable(f"all {len(findings)} checks are well{running}"), fg="green")
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
        raise click.UsageError("--keep wants a directory")
    made = backups.make(context.store, file, clock.now())
    removed = backups.thin(file, keep) if keep is not None else []
    if as_json:
        say_json({"backup": made, "removed": [str(path) for path in removed]})
        return
    say(f"wrote {made.path}: {_said(made)}")
    for path in removed:
        say(f"removed {path}")


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
    say_changed(context, f"restored {done.contents.path}: {_said(done.contents)}")
    if done.aside is not None:
        say(f"the database that was there is kept as {done.aside}")
    say(f"it knows nothing of what came between {_moment(done.gap.until)} and {_moment(now)}:")
    if done.gap.events is not None:
        say(f"{done.gap.events} events that the other one had counted.")
    say("What running applications still hold comes again; what they no longer hold shows in")
    say("`tocsin status` as lost (not_held_any_more). Mails sent in between may be sent again.")


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
        say(f"wrote {done.backup}")
    for name in done.names:
        say(f"ran {name}")
    if not done.names:
        say_changed(context, "the tables are up to date")


@click.command()
@click.option("--client", "client_id", required=True, metavar="ID", help="Whom to forget.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@pass_context_to_change
def forget(context: Context, client_id: str, yes: bool, as_json: bool) -> None:
    """Erase a client's data: it cannot be undone. Counts stay, as nobody's."""
    if not yes:
        click.confirm(f"Erase all that is known of client {client_id!r}?", abort=True, err=True)
    erased = erase(context.store, context.config, client_id)
    if as_json:
        say_json(erased)
        return
    say_changed(
        context,
        f"erased client {client_id}: {erased.samples} full events, {erased.mails} mails, "
        f"{erased.folders} folder of pages",
    )
    say(
        f"made nobody's: {erased.tickets} tickets, {erased.counts} hourly counts; "
        f"blotted out in {erased.texts} texts"
    )
    say("backups made before now still hold it; so do the pages' and mails' copies elsewhere")


def _said(contents: Contents) -> str:
    size = f"{contents.size / 1e6:.1f} MB"
    if contents.errors is None:
        return size
    return f"{size}, {contents.errors} errors, {contents.occurrences} events, {contents.tickets} tickets"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
