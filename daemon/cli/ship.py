"""`tocsin ship`: ships what dead processes left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tocsin.daemon.cli.context import as_json, say, say_json
from tocsin.daemon.cli.wording import told
from tocsin.handler.settings import resolve_settings
from tocsin.handler.shipping.leftover import Outcome, ship_spool
from tocsin.handler.shipping.watcher import SpoolWatcher, until_signalled


@click.command()
@click.argument("spool_dir", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--endpoint", help="Where to, instead of where the processes meant to.")
@click.option("--patience", type=float, default=10.0, show_default=True, help="Seconds without an answer.")
@click.option("--watch", is_flag=True, help="Go on until SIGTERM, also in the directories directly in it.")
@as_json
def ship(spool_dir: Path | None, endpoint: str | None, patience: float, watch: bool, as_json: bool) -> None:
    """Ship what dead processes left in the spool.

    SPOOL_DIR is by default TOCSIN_SPOOL or the user's state directory. Exit 1 when something stays there.
    """
    if watch:
        _watch(spool_dir, endpoint, patience, as_json)
        return
    outcomes: list[Outcome] = []
    try:
        settings, _, _ = resolve_settings({"spool": spool_dir, "endpoint": endpoint, "service": "ship"})
        for outcome in ship_spool(settings.spool, patience=patience, endpoint=endpoint):
            outcomes.append(outcome)
            if not as_json:
                say(_line(outcome))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except FileNotFoundError:
        if spool_dir is not None:
            raise click.ClickException(
                told("%(directory)s: no such directory", directory=spool_dir)
            ) from None
    except OSError as error:
        raise click.ClickException(f"{settings.spool}: {error.strerror}") from None
    if as_json:
        say_json([_shape(outcome) for outcome in outcomes])
    elif not outcomes:
        say(told("Nothing was left behind."))
    if any(outcome.reason for outcome in outcomes):
        sys.exit(1)


def _watch(spool_dir: Path | None, endpoint: str | None, patience: float, as_json: bool) -> None:
    """One line for each session that was shipped, or stays for another reason than before."""
    try:
        settings, _, _ = resolve_settings({"spool": spool_dir, "endpoint": endpoint, "service": "ship"})
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    watcher = SpoolWatcher(settings.spool, patience=patience, endpoint=endpoint)

    def watching(place: str) -> None:
        if not as_json:
            say(told("watching %(directory)s", directory=place))

    for outcome in until_signalled(watcher, watching):
        say(json.dumps(_shape(outcome)) if as_json else _line(outcome))


def _line(outcome: Outcome) -> str:
    became = told("stays: %(reason)s", reason=outcome.reason) if outcome.reason else told("shipped")
    return told(
        "%(service)s (pid %(pid)s, %(size)s bytes): %(became)s",
        service=outcome.service, pid=outcome.pid, size=outcome.size, became=became,
    )  # fmt: skip


def _shape(outcome: Outcome) -> dict[str, Any]:
    return {
        "session": outcome.session,
        "service": outcome.service,
        "pid": outcome.pid,
        "bytes": outcome.size,
        "shipped": not outcome.reason,
        "reason": outcome.reason,
    }
