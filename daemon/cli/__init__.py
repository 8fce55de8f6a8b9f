"""The command `tocsin`: its top level and its exit codes. Each command asks a module and prints; none decides."""

from __future__ import annotations

import sys

import click

from tocsin.daemon.cli.commands import CONFIG, Commands
from tocsin.daemon.failure import Failed, WrongUse


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", "config_file", metavar="FILE", help="The configuration file.")
@click.version_option(package_name="tocsin")
@click.pass_context
def tocsin(context: click.Context, config_file: str | None) -> None:
    """Automatic error tickets for Python applications.

    The configuration is --config FILE (here or after the command), else $TOCSIN_CONFIG, ./tocsin.toml,
    /etc/tocsin/tocsin.toml, or the one of the daemon that you run or ran last.
    """
    context.meta[CONFIG] = config_file


def main() -> None:
    """Runs a command. Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration."""
    try:
        tocsin(prog_name="tocsin")
    except WrongUse as error:
        click.echo(f"tocsin: {error}", err=True)
        sys.exit(2)
    except Failed as error:
        click.echo(f"tocsin: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if not _of_the_database(error):
            raise
        click.echo(f"tocsin: {error}", err=True)
        sys.exit(1)


def _of_the_database(error: Exception) -> bool:
    """Whether it is the database's; Peewee is there only if a command has loaded it."""
    peewee = sys.modules.get("peewee")
    return peewee is not None and isinstance(error, peewee.DatabaseError)
