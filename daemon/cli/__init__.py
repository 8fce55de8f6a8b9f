"""The command `tocsin`: a table of contents. Each command asks a module and prints; none decides anything."""

from __future__ import annotations

import sys

import click

from tocsin.daemon.cli import (
    clients,
    corrections,
    errors,
    keys,
    mail,
    operations,
    reporting,
    service,
    setup,
    ship,
    tickets,
    validation,
)
from tocsin.daemon.cli.context import Context
from tocsin.daemon.config import ConfigError
from tocsin.daemon.corrections.handoff.report import HandoffError
from tocsin.daemon.corrections.recording import CorrectionError
from tocsin.daemon.corrections.validation import ProjectError
from tocsin.daemon.ingest.intake import IntakeError
from tocsin.daemon.ingest.keys import KeysError
from tocsin.daemon.operations.forget import ForgetError
from tocsin.daemon.outgoing.alarm import AlarmError
from tocsin.daemon.runtime import logs
from tocsin.daemon.store.copies import BackupError
from tocsin.daemon.store.database import DatabaseError, StoreError
from tocsin.daemon.tickets.manual import ManualError
from tocsin.reports.writer import ReportError

WRONG_USE = (ConfigError,)
FAILED = (
    AlarmError,
    BackupError,
    CorrectionError,
    DatabaseError,
    ForgetError,
    HandoffError,
    IntakeError,
    KeysError,
    ManualError,
    ProjectError,
    ReportError,
    StoreError,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", "config_file", metavar="FILE", help="The configuration file.")
@click.version_option(package_name="tocsin")
@click.pass_context
def tocsin(context: click.Context, config_file: str | None) -> None:
    """Automatic error tickets for Python applications."""
    context.obj = Context(config_file)


for command in (
    setup.init,
    service.daemon,
    service.status,
    service.check,
    errors.errors,
    errors.error,
    errors.resolve,
    errors.mute,
    errors.unmute,
    errors.merge,
    tickets.tickets,
    tickets.ticket,
    clients.clients,
    corrections.correct,
    corrections.corrections,
    validation.autofix,
    validation.validate,
    reporting.metrics,
    reporting.report,
    reporting.signature,
    mail.mail,
    keys.keys,
    operations.doctor_command,
    operations.backup,
    operations.restore,
    operations.migrate,
    operations.forget,
    ship.ship,
):
    tocsin.add_command(command)


def main() -> None:
    """Runs a command. Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration."""
    # structlog's default is standard output, where it would spoil what --json prints.
    logs.configure()
    try:
        tocsin(prog_name="tocsin")
    except WRONG_USE as error:
        click.echo(f"tocsin: {error}", err=True)
        sys.exit(2)
    except FAILED as error:
        click.echo(f"tocsin: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
