"""Commands on a real terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

SEPARATOR = "\x1e"
SETTINGS = re.compile("\x1b\\[[0-9;]*m")
RUN_ALL = f"""
import json, sys
from tocsin.daemon.cli import tocsin
for words in json.loads(sys.argv[1]):
    try:
        tocsin(words, prog_name="tocsin")
    except SystemExit:
        pass
    print({SEPARATOR!r}, end="", flush=True)
"""


def on_terminal(program: list[str], columns: int, directory: Path, environ: dict[str, str]) -> str:
    """What the program shows on a terminal so wide, colours aside, lines ending with a line feed."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    known = {key: value for key, value in environ.items() if key not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        program, cwd=directory, env=known, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    try:
        while part := _read(controller):
            shown += part
    finally:
        os.close(controller)
        process.wait(60)
    return SETTINGS.sub("", shown.decode()).replace("\r\n", "\n")


def commands_on_terminal(commands: str, columns: int, directory: Path, environ: dict[str, str]) -> list[str]:
    """What each of the commands, a JSON array of arrays of words, shows: in one process, which is quicker."""
    program = [sys.executable, "-c", RUN_ALL, commands]
    return on_terminal(program, columns, directory, environ).split(SEPARATOR)[:-1]


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # Linux's word for: the other side has closed it
        return b""
