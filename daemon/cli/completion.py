"""`tocsin completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")
NAME = "tocsin"
VARIABLE = "_TOCSIN_COMPLETE"
"""By which the shell's script asks `tocsin` what may follow."""


class _AnyBash(BashComplete):
    """Without click's look at the version of the bash that happens to be here."""

    @staticmethod
    def _check_version() -> None:
        pass


def script(shell: str) -> str:
    """The shell's script; it asks `tocsin` at each TAB, so that it never falls behind the commands."""
    kind = _AnyBash if shell == "bash" else get_completion_class(shell)
    assert kind is not None
    return kind(click.Command(NAME), {}, NAME, VARIABLE).source()


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion for SHELL: eval "$(tocsin completion bash)"."""
    click.echo(script(shell))
