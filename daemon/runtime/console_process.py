"""The console beside the daemon: a process of its own, started again when it dies, gone when the daemon is."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec

import structlog

NEEDED = ("starlette", "uvicorn", "argon2", "authlib")
"""What the extra `console` brings, by import name."""
STOP_WITHIN = 8.0
"""Seconds it gets to answer what it was asked before it is killed."""
LONGEST_WAIT = 60.0

log = structlog.get_logger()


def is_installed() -> bool:
    """Whether what the console is made with is there."""
    return all(find_spec(name) for name in NEEDED)


def command(config_file: str | None) -> list[str]:
    """What starts it, with the configuration of this daemon."""
    named = ["--config", config_file] if config_file else []
    return [sys.executable, "-m", "tocsin.daemon", *named, "console", "--beside-daemon"]


class ConsoleProcess:
    """Watched by one thread of the daemon, which runs `serve`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def serve(self, stop: threading.Event) -> None:
        """Keeps it running until `stop`. What it cannot do, such as listen, it has logged itself."""
        wait = 1.0
        while not stop.is_set():
            # The pipe ends with the daemon, however that ends; the console waits for it.
            process = subprocess.Popen(self._arguments, stdin=subprocess.PIPE)  # noqa: S603  (our own)
            try:
                lived = self._wait(process, stop)
            finally:
                self._end(process)
            if stop.is_set():
                return
            wait = 1.0 if lived > LONGEST_WAIT else min(2 * wait, LONGEST_WAIT)
            log.warning("console_died", exit_code=process.returncode, again_in=wait)
            stop.wait(wait)

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], stop: threading.Event) -> float:
        """Seconds until it ended or `stop` was set, to half a second."""
        lived = 0.0
        while process.poll() is None and not stop.wait(0.5):
            lived += 0.5
        return lived

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
