"""`tocsin autofix` and `validate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
)
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import read_batch, write_batch
from tocsin.daemon.corrections.validation import Options, Outcome, case_of
from tocsin.daemon.corrections.validation import validate as run_validation
from tocsin.daemon.corrections.validation.outcome import PASSED, results
from tocsin.daemon.corrections.validation.sandbox import Limits
from tocsin.daemon.queries.moment import moment
from tocsin.daemon.runtime import clock

_BUNDLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("error_ids", type=int, nargs=-1, metavar="[ERROR_ID]...")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a JSON bundle for work away from the server, instead of the report.",
)
@pass_context
def autofix(context: Context, error_ids: tuple[int, ...], bundle: Path | None) -> None:
    """Print one report (Markdown) over the open errors, or those given, for a coding agent."""
    errors = context.source.chosen(error_ids)
    if bundle is None:
        command = context.config.command if context.remote is None else "tocsin"
        click.echo(report.report(errors, command=command), nl=False)
        return
    report.write_bundle(bundle, report.bundle(errors, moment(clock.now()).iso))
    say(context.said("errors in %(bundle)s: %(number)s", bundle=bundle, number=len(errors)))


@click.command()
@click.argument("error_ids", type=int, nargs=-1, metavar="ERROR_ID...")
@click.option(
    "--project",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's directory: the checkout with the corrected code.",
)
@click.option("--write", is_flag=True, help="Leave the test in the project's test folder, for good.")
@click.option("--folder", help="The folder of the project's tests; default: tests or test.")
@click.option("--command", help="The project's own tests, such as 'make test'; they must pass.")
@click.option("--no-call", is_flag=True, help="Do not call the failing function again.")
@click.option("--network", is_flag=True, help="Leave the network to the call that is made again.")
@click.option("--python", help="The project's interpreter; default: its .venv, else this one.")
@click.option("--timeout", default=120.0, type=click.FloatRange(1), help="Seconds for each run.")
@click.option("--memory", default=2048, type=click.IntRange(64), help="Megabytes for each run.")
@click.option("--bundle", type=_BUNDLE, help="Without a database, on a bundle of `tocsin autofix --bundle`.")
@by_option
@as_json
@pass_context_to_change
def validate(
    context: Context,
    error_ids: tuple[int, ...],
    project: Path,
    write: bool,
    folder: str | None,
    command: str | None,
    no_call: bool,
    network: bool,
    python: str | None,
    timeout: float,
    memory: int,
    bundle: Path | None,
    by: str,
    as_json: bool,
) -> None:
    """Generate the test of ERROR_ID's correction, run it on the old and the new code, record the result.

    The exit code is 0 only when every one has passed: 1 stands for failed and for nothing proved.
    """
    options = Options(
        python=python,
        command=command,
        limits=Limits(timeout, memory),
        write=write,
        folder=folder,
        reproduce=not no_call,
        network=network,
    )
    if bundle is not None:
        outcomes = _away(bundle, error_ids, project, options)
    elif error_ids:
        outcomes = [_here(context, error_id, project, options, by) for error_id in dict.fromkeys(error_ids)]
    else:
        raise click.UsageError(context.said("give ERROR_ID, or --bundle FILE"))
    if as_json:
        say_json(outcomes[0] if len(error_ids) == 1 else outcomes)
    else:
        for outcome in outcomes:
            _show(outcome)
            if bundle is None:
                say_changed(context, context.said("recorded"), error_name(context, outcome.error_id))
    if not all(outcome.status == PASSED for outcome in outcomes):
        sys.exit(1)


def _here(context: Context, error_id: int, project: Path, options: Options, by: str) -> Outcome:
    case = case_of(context.source.chosen([error_id])[0])
    outcome = run_validation(case, project, options, moment(clock.now()).iso)
    context.source.judge(error_id, outcome.change_ids, outcome.status, results(outcome), by)
    return outcome


def _away(bundle: Path, error_ids: tuple[int, ...], project: Path, options: Options) -> list[Outcome]:
    """Validates what the bundle and its batch file hold; the results go into the batch file."""
    path = report.batch_of(bundle)
    kept = read_batch(path) if path.exists() else []
    outcomes = []
    for case in report.cases(bundle, kept, error_ids):
        outcome = run_validation(case, project, options, moment(clock.now()).iso)
        kept = report.with_results(case, kept, outcome)
        write_batch(path, kept)
        outcomes.append(outcome)
    say_next = f"results kept in {path}; on the server: tocsin correct --batch {path.name} --project DIR"
    click.echo(say_next, err=True)
    return outcomes


def _show(outcome: Outcome) -> None:
    colour = {"passed": "green", "failed": "red"}.get(outcome.status, "yellow")
    click.secho(f"error {outcome.error_id}: {outcome.status}", fg=colour, bold=True)
    say(f"  {outcome.summary}")
    for check in outcome.checks:
        say(f"  {check.status:<8} {check.name}{': ' + check.detail if check.detail else ''}")
    for run in outcome.runs:
        code = "out of time" if run.exit_code is None else f"exit code {run.exit_code}"
        say(f"  ran      {run.name} in {run.seconds:.1f} s, {code}")
    if outcome.written is not None:
        say(f"  written  {outcome.written} and its data")
