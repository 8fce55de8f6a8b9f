"""`tocsin init`: a commented configuration that starts as it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from tocsin.daemon.cli.context import say
from tocsin.daemon.cli.wording import told


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(directory: Path) -> None:
    """Write a commented tocsin.toml and .env into DIRECTORY."""
    templates = files("tocsin.daemon.cli") / "templates" / "init"
    for name, template, mode in (("tocsin.toml", "tocsin.toml", 0o644), (".env", "env", 0o600)):
        target = directory / name
        if target.exists():
            raise click.ClickException(told("%(file)s is there already; it was left as it is", file=target))
        try:
            directory.mkdir(parents=True, exist_ok=True)
            target.touch(mode=mode)
            target.write_text((templates / template).read_text("utf-8"), "utf-8")
        except OSError as error:
            raise click.ClickException(f"{target}: {error.strerror}") from None
        say(told("wrote %(file)s", file=target))
    say(told("next: tocsin daemon"))
