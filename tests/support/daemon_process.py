"""The real daemon as a process that tests configure, start, await, kill and start again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from support.killed import KillAt
from support.waiting import until

PROGRAM = Path(__file__).with_name("daemon_program.py")
"""`tocsin` without the limit on new errors, so that tests can tell each record from every other."""
TOCSIN = (sys.executable, "-m", "tocsin.daemon")


def undisturbed_environ() -> dict[str, str]:
    """This process's environment without the developer's own settings of Tocsin."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "SMTP_"))}


class DaemonProcess:
    """`tocsin daemon` in `place`: its configuration is `place/tocsin.toml`, its database `place/state`.

    As a context manager it is up inside and killed at the end.
    """

    program: Sequence[str | Path] = TOCSIN
    """What its command begins with."""

    def __init__(self, place: Path, config: str = "", name: str = "daemon") -> None:
        """`config`: the text of its configuration file."""
        self.place = place
        self.config = place / ("tocsin.toml" if name == "daemon" else f"{name}.toml")
        self.log_path = place / f"{name}.log"
        self.log = self.log_path.open("ab")
        """Open, for the output of other processes too."""
        self.process: subprocess.Popen[bytes] | None = None
        if config:
            # Many run beside each other: a console is there where a test asks for one.
            console = "" if "[console]" in config else '\n[console]\nlisten = ""\n'
            self.config.write_text(config + console)

    def __enter__(self) -> Self:
        return self.up()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def environ(self) -> dict[str, str]:
        """What the daemon and its commands see."""
        return undisturbed_environ()

    def command(self, *arguments: str) -> list[str | Path]:
        """`tocsin ARGUMENTS...` with this daemon's configuration."""
        return [*self.program, "--config", self.config, *arguments]

    def tocsin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command, done; its exit code is the caller's to look at."""
        return subprocess.run(
            self.command(*arguments), env=self.environ, cwd=self.place,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, **environ: str) -> Self:
        """Starts it, with more in its environment, and does not wait."""
        self.process = subprocess.Popen(
            self.command("daemon"), env={**self.environ, **environ}, cwd=self.place,
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        return self

    def up(self, **environ: str) -> Self:
        """Starts it and waits until it takes connections."""
        before = self.said("daemon_up")
        process = self.start(**environ).process
        assert process is not None
        assert until(lambda: self.said("daemon_up") > before or process.poll() is not None)
        assert process.poll() is None, self.written()
        return self

    def dies_at(self, point: str, times: int = 1) -> None:
        """Starts it and waits until it has killed itself at that point of its work, at that passing of it."""
        kill = KillAt(point, self.place / "failpoint", times)
        process = self.start(**kill.environ).process
        assert process is not None
        assert until(lambda: process.poll() is not None), f"{point} was not reached {times} times"
        kill.check(process.returncode)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it by a signal, if it runs, and waits for its end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        """Kills it and closes its log."""
        self.kill()
        self.log.close()

    def written(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text(errors="replace")

    def said(self, event: str) -> int:
        """How often it has logged that event."""
        return self.written().count(f'"event": "{event}"')
