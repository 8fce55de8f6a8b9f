"""`tocsin correct` and `corrections`."""

from __future__ import annotations

import difflib
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
from msgspec import structs

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    refuse_unknown,
    say,
    say_changed,
    say_cut,
    say_facts,
    say_json,
)
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.cli.options import Moment, narrowing
from tocsin.daemon.cli.tables import printable
from tocsin.daemon.cli.wording import told
from tocsin.daemon.corrections import git
from tocsin.daemon.corrections.diff import read_diff
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import FILE_LIMIT, NewCorrection, Recorded, read_batch
from tocsin.daemon.queries.selection import EVERYTHING, Selection


@click.command()
@click.argument("error_id", type=int, required=False)
@click.option("--file", "file_path", help="The corrected file, relative to the project.")
@click.option("--old", help="The code that was there.")
@click.option("--new", help="The code that is there now; '' for a deletion.")
@click.option("--commit", "revision", metavar="REV", help="What this commit of the project changed.")
@click.option(
    "--diff", type=click.File("rb"), help="What a unified diff changed; '-' reads it from standard input."
)
@click.option("--by", help="Who applied it; default: the commit's author, else git's user.name.")
@click.option("--description", help="What was wrong, and what was done; default: the commit's subject.")
@click.option(
    "--project",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's directory.",
)
@click.option(
    "--fixed-in", metavar="RELEASE", help="The release that has it; default: the service's next one."
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
    /,
    project: Path,
    fixed_in: str | None,
    applied_at: float | None,
    batch: Path | None,
    bundle: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Record a correction of ERROR_ID: what a commit or a diff changed, or one change; or a batch, all or nothing."""
    changes = read_batch(batch) if batch is not None else _changes(project, **given)
    if fixed_in:
        changes = [structs.replace(change, fixed_in=change.fixed_in or fixed_in) for change in changes]
    if bundle is not None:
        path = report.keep(bundle, changes, project)
        command = f"tocsin validate --bundle {bundle} --project {project}"
        say(context.said("kept in %(file)s; next: %(command)s", file=path, command=command))
        return
    kept = context.source.record(changes, project, applied_at)
    if as_json:
        say_json(context.source.recorded([one.id for one in kept]))
        return
    for one in kept:
        of = {"correction": one.id, "error": one.error_id}
        said = (
            context.said(
                "recorded correction %(correction)s of error %(error)s; %(follows)s",
                follows=_follows(context, one),
                **of,
            )
            if one.fresh
            else context.said("correction %(correction)s of error %(error)s is recorded already", **of)
        )
        say_changed(context, said, error_name(context, one.error_id))


@click.command()
@click.argument("correction_id", type=int)
@by_option
@as_json
@pass_context_to_change
def withdraw(context: Context, correction_id: int, by: str, as_json: bool) -> None:
    """Take a correction back: it is kept as withdrawn and counts nowhere as applied."""
    error_id = context.source.withdraw(correction_id, by)
    if as_json:
        known = context.source.corrections(error_id, EVERYTHING)
        say_json(next(one for one in known if one.id == correction_id))
        return
    said = context.said(
        "correction %(correction)s of error %(error)s is withdrawn; the error's watch has begun again",
        correction=correction_id,
        error=error_id,
    )
    say_changed(context, said, error_name(context, error_id))


def _changes(
    project: Path,
    *,
    error_id: int | None,
    file_path: str | None,
    old: str | None,
    new: str | None,
    revision: str | None,
    diff: BinaryIO | None,
    by: str | None,
    description: str | None,
) -> list[NewCorrection]:
    """What the options name. Raises CorrectionError or UsageError."""
    quoted = {"--file": file_path, "--old": old, "--new": new}
    named = {"--commit": revision, "--diff": diff} | quoted
    if error_id is None:
        raise click.UsageError(told("ERROR_ID is missing; or give --batch FILE.json"))
    if revision is None and diff is None:
        by = by or git.author(project)
        if file_path is None or old is None or new is None or by is None:
            wanted = {**quoted, "--by": by}
            raise click.UsageError(_missing([name for name, value in wanted.items() if value is None]))
        return [NewCorrection(error_id, file_path, old, new, description or "", by)]
    if len(together := [name for name, value in named.items() if value is not None]) > 1:
        raise click.UsageError(told("these do not go together: %(options)s", options=", ".join(together)))
    if diff is not None:
        data, author, subject = diff.read(FILE_LIMIT + 1), git.author(project), ""
    else:
        assert revision is not None
        commit = git.commit(project, revision)
        data, author, subject = commit.diff, commit.author, commit.subject
    by = by or author
    if by is None:
        raise click.UsageError(_missing(["--by"]))
    found = read_diff(data, error_id, by, subject if description is None else description)
    for text in found.passed_over:
        click.echo(told("tocsin: %(file)s: not recorded", file=printable(text)), err=True)
    return found.changes


def _follows(context: Context, one: Recorded) -> str:
    """What becomes of the error's watch."""
    if not one.watched:
        return context.said("it has no open ticket, so nothing is watched")
    if one.waits_for is None:
        return context.said("its watch has begun again")
    if one.waits_for:
        return context.said("its watch begins when release %(release)s is out", release=one.waits_for)
    return context.said("its watch begins when the next release is out")


def _missing(names: list[str]) -> str:
    if len(names) == 1:
        return told("%(option)s is missing", option=names[0])
    return told("%(options)s are missing; or give --commit REV or --diff FILE", options=", ".join(names))


@click.command()
@click.argument("error_id", type=int, required=False)
@narrowing("service", "client", "since", "limit", what="applied")
@as_json
@pass_context
def corrections(context: Context, error_id: int | None, selection: Selection, as_json: bool) -> None:
    """List the corrections with their diffs and test status."""
    found = context.source.corrections(error_id, selection)
    if as_json:
        say_json(found)
    else:
        _show_list(context, found)
    if not found:
        refuse_unknown(context, selection)
    say_cut(context, len(found), partial(context.source.correction_count, error_id, selection), selection)


def _show_list(context: Context, found: list[queries.CorrectionFacts]) -> None:
    _ = context.words.gettext
    if not found:
        say(_("No corrections."))
    for one in found:
        results = one.test_results.get("summary", "") if one.test_results else ""
        tests = context.page_words.word(f"tests_{one.test_status}")
        say_facts(
            context,
            (_("correction"), one.id),
            (_("error"), f"{one.error_id}, {one.service}: {one.title}"),
            (_("applied by"), one.applied_by),
            (_("applied"), one.applied_at),
            (_("withdrawn"), one.withdrawn_at),
            (_("withdrawn by"), one.withdrawn_by),
            (_("in release"), one.fixed_in),
            (_("tests"), f"{tests}: {results}" if results else tests),
            (_("description"), one.description),
        )
        _show_diff(one.file_path, one.old_code, one.new_code)


def _show_diff(path: str, old: str, new: str) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, lineterm=""):
        click.secho(printable(line), fg=colours.get(line[:1]))
    say()
