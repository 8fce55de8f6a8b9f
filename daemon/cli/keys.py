"""`tocsin keys`: the CURVE keys of those who speak over TCP."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from tocsin.daemon.cli.context import Context, as_json, pass_context, say, say_json, say_table
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.ingest import keys as files

_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the public keys; default: daemon.clients.",
)


@click.group()
def keys() -> None:
    """Keys for TCP: make the daemon's, make and revoke those of applications."""


@keys.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@as_json
@pass_context
def daemon(context: Context, file: Path | None, as_json: bool) -> None:
    """Make the daemon's key pair in FILE (default: daemon.key) and print its public key."""
    if file is None:
        if context.config.daemon.key is None:
            raise click.UsageError(context.said("name a FILE, or set daemon.key in the configuration"))
        file = Path(context.config.daemon.key).expanduser()
    public = files.make_pair(file.absolute(), "the Tocsin daemon")
    if as_json:
        say_json({"file": str(file.absolute()), "public_key": public})
        return
    say(context.said("wrote %(file)s", file=file))
    say(context.said('daemon:    [daemon] key = "%(file)s"', file=file.absolute()))
    say(context.said('handlers:  server_key="%(key)s"', key=public))


@keys.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The pair's file; default: NAME.key here."
)
@_directory
@as_json
@pass_context
def client(context: Context, name: str, out: Path | None, directory: Path | None, as_json: bool) -> None:
    """Make a key pair for the application NAME and admit its public key."""
    file = (out or Path(f"{name}.key")).absolute()
    public = files.make_client(name, file, _admitted(context, directory))
    if as_json:
        say_json({"name": name, "file": str(file), "public_key": public})
        return
    say(
        context.said(
            "wrote %(file)s: bring it to the application's machine, readable by its user alone", file=file
        )
    )
    made = f'TocsinHandler("tcp://HOST:7571", key="{file.name}", server_key="...")'
    say(context.said("handler:   %(handler)s", handler=made))
    _say_reload(context)


@keys.command("list")
@_directory
@as_json
@pass_context
def list_keys(context: Context, directory: Path | None, as_json: bool) -> None:
    """List the public keys that may connect."""
    found = files.clients(_admitted(context, directory))
    if as_json:
        say_json([msgspec.to_builtins(one) for one in found])
        return
    rows = [[one.name, one.public_key, one.problem] for one in found]
    _ = context.words.gettext
    columns = [Column(_("name")), Column(_("public key")), Column(_("problem"), text=True)]
    say_table(context, columns, rows, _("No key may connect; see tocsin keys client."))


@keys.command()
@click.argument("name")
@_directory
@as_json
@pass_context
def revoke(context: Context, name: str, directory: Path | None, as_json: bool) -> None:
    """Admit the application NAME no more."""
    gone = files.revoke(name, _admitted(context, directory))
    if as_json:
        say_json({"name": gone.name, "public_key": gone.public_key})
        return
    say(context.said("revoked %(name)s (%(key)s)", name=gone.name, key=gone.public_key))
    _say_reload(context)


def _say_reload(context: Context) -> None:
    say(context.said("a running daemon takes this up at SIGHUP: systemctl reload tocsin"))


def _admitted(context: Context, directory: Path | None) -> Path:
    if directory is not None:
        return directory
    if context.config.daemon.clients is None:
        raise click.UsageError(
            context.said("name a directory with --dir, or set daemon.clients in the configuration")
        )
    return Path(context.config.daemon.clients).expanduser()
