"""`tocsin correct` and `corrections`."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from pathlib import Path

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    printable,
    say,
    say_changed,
    say_json,
)
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import NewCorrection, read_batch, record
from tocsin.daemon.runtime import clock


class Moment(click.ParamType[float]):
    """An ISO 8601 moment, UTC when it names no zone; becomes epoch seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write it as 2026-01-31T14:05:00Z", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command()
@click.argument("error_id", type=int, required=False)
@click.option("--file", "file_path", help="The corrected file, relative to the project.")
@click.option("--old", help="The code that was there.")
@click.option("--new", help="The code that is there now.")
@click.option("--by", help="Who applied it.")
@click.option("--description", default="", help="What was wrong, and what was done.")
@click.option(
    "--project",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's directory.",
)
@click.option("--applied-at", type=Moment(), help="When the new code began to run; default: now.")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A JSON file with many of them.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Without a database: keep it in the batch file beside this bundle (see autofix).",
)
@as_json
@pass_context_to_change
def correct(
    context: Context,
    error_id: int | None,
    file_path: str | None,
    old: str | None,
    new: str | None,
    by: str | None,
    description: str,
    project: Path,
    applied_at: float | None,
    batch: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Record a correction of ERROR_ID, or a batch of them, all or nothing."""
    if batch is not None:
        changes = read_batch(batch)
    elif error_id is None or file_path is None or old is None or new is None or by is None:
        raise click.UsageError("give ERROR_ID, --file, --old, --new and --by, or --batch FILE.json")
    else:
        changes = [NewCorrection(error_id, file_path, old, new, description, by)]
    if bundle is not None:
        path = report.keep(bundle, changes, project)
        say(f"kept in {path}; next: tocsin validate --bundle {bundle} --project {project}")
        return
    ids = record(
        context.store, context.config, changes, project=project, now=clock.now(), applied_at=applied_at
    )
    if as_json:
        say_json([c for c in queries.corrections(context.store) if c.id in ids])
        return
    for number, change in zip(ids, changes, strict=True):
        said = f"recorded correction {number} of error {change.error_id}; its watch has begun anew"
        say_changed(context, said, error_name(context, change.error_id))


@click.command()
@click.argument("error_id", type=int, required=False)
@as_json
@pass_context
def corrections(context: Context, error_id: int | None, as_json: bool) -> None:
    """List the corrections with their diffs and test status."""
    found = queries.corrections(context.store, error_id)
    if as_json:
        say_json(found)
        return
    if not found:
        say("No corrections.")
    for one in found:
        head = f"correction {one.id} of error {one.error_id} by {one.applied_by}, {one.applied_at}"
        click.secho(printable(f"{head}, tests {one.test_status}"), bold=True)
        if one.description:
            say(f"  {one.description}")
        if one.test_results:
            say(f"  {one.test_results.get('summary', '')}")
        _show_diff(one.file_path, one.old_code, one.new_code)


def _show_diff(path: str, old: str, new: str) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, lineterm=""):
        click.secho(printable(line), fg=colours.get(line[:1]))
    say()
