"""The man page and the shells' completion are made of the commands, and work in the real tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tocsin.daemon.cli import tocsin
from tocsin.daemon.cli.commands import ENTRIES

SHARE = Path(__file__).parents[2] / "share"
MAN_PAGE = SHARE / "man" / "man1" / "tocsin.1"
BASH = shutil.which("bash")
FORMATTER = shutil.which("groff")
TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tocsin_completion tocsin
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str) -> list[str]:
    """What bash offers at TAB behind these words, the last of which may be begun."""
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [str(BASH), "-c", TAB, "bash", SHARE / "bash-completion" / "completions" / "tocsin", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tocsin", "err"], ["error", "errors"]),
        (["tocsin", "errors", "--s"], ["--service", "--since"]),
        (["tocsin", "mail", "outbox", "re"], ["release", "retry"]),
        (["tocsin", "ticket", "set", "1", "--priority", ""], ["low", "medium", "high", "critical"]),
    ],
)
def test_bash_completes_commands_options_and_choices(words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_every_command() -> None:
    assert completed("tocsin", "") == sorted(ENTRIES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_completion_is_printed_as_it_is_installed(shell: str) -> None:
    names = {
        "bash": "completions/tocsin",
        "zsh": "site-functions/_tocsin",
        "fish": "vendor_completions.d/tocsin.fish",
    }
    [installed] = SHARE.glob(f"{shell}*/{names[shell]}")
    assert CliRunner().invoke(tocsin, ["completion", shell]).stdout == installed.read_text() + "\n"


@pytest.mark.skipif(FORMATTER is None, reason="there is no groff")
def test_the_man_page_is_set_without_a_warning() -> None:
    command = [str(FORMATTER), "-man", "-ww", "-z", "-Tutf8", MAN_PAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(FORMATTER is None, reason="there is no groff")
def test_the_man_page_has_every_command() -> None:
    command = [str(FORMATTER), "-man", "-Tascii", "-P-cbu", "-rLL=200n", MAN_PAGE]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert not [name for name in ENTRIES if f"tocsin {name}" not in shown]
