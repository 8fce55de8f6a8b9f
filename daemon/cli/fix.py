"""`tocsin fix` and `tries`."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from tocsin.daemon import queries
from tocsin.daemon.agent.fixing import Fixer, Work
from tocsin.daemon.agent.repository import Repository
from tocsin.daemon.agent.serving import Runner
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    say,
    say_facts,
    say_json,
)
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.cli.options import narrowing
from tocsin.daemon.cli.tables import printable
from tocsin.daemon.config_agent import filled
from tocsin.daemon.corrections.handoff.report import urgency
from tocsin.daemon.corrections.tries import RECORDED
from tocsin.daemon.corrections.validation import Options
from tocsin.daemon.corrections.validation.sandbox import Limits
from tocsin.daemon.failure import Failed, WrongUse
from tocsin.daemon.queries.selection import EVERYTHING, Selection
from tocsin.daemon.reason import failed, said
from tocsin.daemon.runtime import clock

_COLOURS = {"corrected": "green", "unproved": "yellow", "refused": "red", "failed": "red", "broken": "red"}


@click.command()
@click.argument("error_ids", type=int, nargs=-1, metavar="[ERROR_ID]...")
@click.option(
    "--project",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's directory, in a git repository.",
)
@click.option("--revision", default="HEAD", metavar="REV", help="The commit that the branch begins at.")
@click.option("--command", help="The project's own tests, which must pass; default: agent.tests.")
@click.option("--python", help="The project's interpreter; default: its .venv, else this one.")
@click.option("--timeout", default=120.0, type=click.FloatRange(1), help="Seconds for each run of the tests.")
@click.option("--memory", default=2048, type=click.IntRange(64), help="Megabytes for each run of the tests.")
@click.option("--again", is_flag=True, help="Try once more, though as many tries failed as may.")
@click.option(
    "--push", metavar="REMOTE", is_flag=False, flag_value="origin", help="Push the branch; default: origin."
)
@click.option("--pr", is_flag=True, help="Push it, and run agent.pull_request.")
@click.option("--serve", is_flag=True, help="Wait for errors that are handed to the agent in the console.")
@by_option
@as_json
@pass_context_to_change
def fix(
    context: Context,
    /,
    error_ids: tuple[int, ...],
    project: Path,
    revision: str,
    push: str | None,
    pr: bool,
    serve: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Have a coding agent correct errors, each on a branch of its own, tested: those given, or the open ones.

    The exit code is 0 only when every one ended as a tested correction.
    """
    agent = context.config.agent
    if not agent.command:
        raise WrongUse(
            context.said(
                'agent.command is not set: name the coding agent\'s program in tocsin.toml, such as ["claude", "-p"]'
            )
        )
    if pr and not agent.pull_request:
        raise WrongUse(context.said("--pr runs agent.pull_request, which is not set in tocsin.toml"))
    if serve and error_ids:
        raise click.UsageError(context.said("--serve waits for what is handed over: name no ERROR_ID"))
    work = _work(context, **given)
    remote = push or ("origin" if pr else None)

    def fixed(error_id: int) -> queries.TryFacts:
        # Opened anew for each error: a runner's project moves on.
        repository = Repository(project, revision)
        return Fixer(context.source, repository, work, clock.now, partial(_say_step, context)).fix(error_id)

    def tell(row: queries.TryFacts) -> None:
        ended.append(row)
        if not as_json:
            _show(context, row)
        if row.branch and remote:
            _send(context, Repository(project, revision), row, remote, pr=pr)

    ended: list[queries.TryFacts] = []
    if serve:
        _serve(context, fixed, tell)
        return
    refused = False
    for error_id in error_ids or _open(context):
        try:
            tell(fixed(error_id))
        except Failed as error:
            refused = True
            _say_refusal(context, error_id, error)
    if as_json:
        say_json(ended)
    elif not ended and not refused:
        say(context.said("No open error is left for the agent."))
    if refused or any(row.state != "corrected" for row in ended):
        sys.exit(1)


@click.command()
@click.argument("error_id", type=int, required=False)
@narrowing("limit")
@as_json
@pass_context
def tries(context: Context, error_id: int | None, selection: Selection, as_json: bool) -> None:
    """List what coding agents tried, the newest first: how each try ended, and why."""
    found = context.source.tries(error_id, selection)
    if as_json:
        say_json(found)
        return
    if not found:
        say(context.said("No tries."))
    for row in found:
        _show(context, row)


def _serve(
    context: Context, fix: Callable[[int], queries.TryFacts], tell: Callable[[queries.TryFacts], None]
) -> None:
    """Runs until it is stopped; a try that is going on then is ended, and its error waits for another runner."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say(context.said("waiting for errors that are handed to the agent; Ctrl-C ends it"))

    def told(row: queries.TryFacts) -> None:
        try:
            tell(row)
        except Failed as error:
            _say_refusal(context, row.error_id, error)

    def lost(error: Failed) -> None:
        click.echo(f"tocsin: {printable(failed(error).said(context.language))}", err=True)

    try:
        Runner(context.source, fix, told, partial(_say_refusal, context)).serve(threading.Event(), lost)
    except KeyboardInterrupt:
        say(context.said("stopped"))


def _say_refusal(context: Context, error_id: int, error: Failed) -> None:
    why = failed(error).said(context.language)
    text = context.said("error %(error)s: %(state)s", error=error_id, state=why)
    click.echo(f"tocsin: {printable(text)}", err=True)


def _work(
    context: Context,
    *,
    command: str | None,
    python: str | None,
    timeout: float,
    memory: int,
    again: bool,
    by: str,
) -> Work:
    options = Options(python=python, command=command, limits=Limits(timeout, memory))
    return Work(context.config.agent, _runner(), by, options, again)


def _runner() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


def _open(context: Context) -> list[int]:
    """The open errors, most pressing first, but for those that are corrected already as far as anybody knows."""
    known = {
        one.error_id: one
        for one in reversed(context.source.corrections(None, EVERYTHING))
        if not one.withdrawn_at
    }
    errors = sorted(context.source.errors(True, EVERYTHING), key=urgency)
    return [one.id for one in errors if one.id not in known or one.last_seen > known[one.id].applied_at]


def _say_step(context: Context, error_id: int, step: str) -> None:
    steps = {
        "clone": context.said("clones the project"),
        "agent": context.said("the agent works"),
        "look": context.said("looks at what it changed"),
        "test": context.said("tests the old code and the new"),
        "record": context.said("makes the branch and records"),
    }
    click.echo(
        context.said("error %(error)s: %(step)s", error=error_id, step=steps.get(step, step)), err=True
    )


def _show(context: Context, row: queries.TryFacts) -> None:
    states = {
        "running": context.said("is being corrected"),
        "corrected": context.said("corrected and tested"),
        "unproved": context.said("corrected, and not proved"),
        "refused": context.said("not accepted"),
        "failed": context.said("failed"),
        "broken": context.said("could not be tried"),
        "abandoned": context.said("given up: its runner is gone"),
    }
    text = context.said(
        "error %(error)s: %(state)s", error=row.error_id, state=states.get(row.state, row.state)
    )
    click.secho(text, fg=_COLOURS.get(row.state), bold=True)
    say(f"  {error_name(context, row.error_id)}")
    say(f"  {row.agent}, {row.begun_at.iso}")
    for reason in row.reasons:
        say(f"  - {said(reason, context.language)}")
    if row.state in RECORDED:
        say_facts(
            context,
            (context.said("branch"), row.branch),
            (context.said("commit"), row.revision[:12]),
            (context.said("next"), f"git diff HEAD...{row.branch}; git merge {row.branch}"),
        )


def _send(context: Context, repository: Repository, row: queries.TryFacts, remote: str, *, pr: bool) -> None:
    """Pushes the branch, and has a pull request made by the user's command. Raises Failed."""
    repository.push(remote, row.branch)
    say(context.said("pushed %(branch)s to %(remote)s", branch=row.branch, remote=remote))
    if not pr:
        return
    title = f"Correct error {row.error_id}"
    with tempfile.NamedTemporaryFile("w", prefix="tocsin-", suffix=".md", encoding="utf-8") as body:
        reasons = "".join(f"- {reason}\n" for reason in row.reasons)
        body.write(f"{error_name(context, row.error_id)}\n\n{row.agent}, {row.state}.\n{reasons}")
        body.flush()
        values = {"branch": row.branch, "title": title, "body": body.name}
        command = filled(context.config.agent.pull_request, values)
        program = shutil.which(command[0])
        if program is None:
            raise WrongUse(
                context.said("agent.pull_request: %(program)s is not installed", program=command[0])
            )
        done = subprocess.run([program, *command[1:]], cwd=repository.project, check=False)  # noqa: S603
    if done.returncode:
        raise Failed(
            context.said("agent.pull_request ended with exit code %(exit_code)s", exit_code=done.returncode)
        )
