"""`tocsin report` and `signature`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click
import msgspec
from rich.progress import Progress

from tocsin.daemon.cli.context import Context, as_json, pass_context, say, say_json
from tocsin.daemon.grouping import recorded
from tocsin.daemon.runtime import clock
from tocsin.reports.writer import ReportWriter


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where; default: report.dir.")
@pass_context
def report(context: Context, out: Path | None) -> None:
    """Write the HTML pages."""
    config = context.config
    if out is not None:
        config = msgspec.structs.replace(
            config, report=msgspec.structs.replace(config.report, dir=str(out.absolute()))
        )
    writer = ReportWriter(context.store, config)
    if sys.stdout.isatty():
        with Progress() as bar:
            pages = bar.add_task("pages", total=None)
            written = writer.write(
                clock.now(), progress=lambda done, of: bar.update(pages, completed=done, total=of)
            )
    else:
        written = writer.write(clock.now())
    page = config.report_dir / "admin" / "index.html"
    say(context.said("%(count)s pages written; open %(page)s", count=written, page=page))


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8", errors="surrogateescape"))
@as_json
def signature(file: TextIO, as_json: bool) -> None:
    """Signatures of recorded events in FILE.jsonl; of pairs, which fail (exit 1)."""
    found = recorded.check(file)
    if as_json:
        say_json(found)
    else:
        say(recorded.text(found))
    if found.failed:
        sys.exit(1)
