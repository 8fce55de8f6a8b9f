"""A Debian 12 tree with systemd as process 1 of name spaces of its own, and commands typed in it.

Needs root, debootstrap and systemd-nspawn.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 90.0
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,postgresql"
"""Beside what Debian calls minimal. Postgres is for docs/postgres.md alone."""
ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
           "LANG": "C.UTF-8"}  # fmt: skip
POWER_OFF = 36 + 1
"""SIGRTMIN+3, to systemd."""


class Container:
    """The tree `directory/root`, a fresh copy of `directory/base`, and what runs in it."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self._base = directory / "base"
        self._log = directory / "boot.log"
        self._leader = 0

    def make(self) -> None:
        """A tree as Debian installs it; the downloaded one is kept for the next time."""
        if not (self._base / "usr/bin/systemctl").exists():
            shutil.rmtree(self._base, ignore_errors=True)
            self._base.parent.mkdir(parents=True, exist_ok=True)
            include = f"--include={PACKAGES}"
            subprocess.run(
                ["debootstrap", "--variant=minbase", include, "bookworm", str(self._base)], check=True
            )
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--reflink=auto", self._base, self.root], check=True)

    def inside(self, path: str) -> Path:
        """A file of the tree. Raises ValueError where a link leads out of it, into the machine around."""
        target = self.root / path
        if not target.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"/{path} is a link: seen from here it leads to {target.resolve()}")
        return target

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(mode)

    def read(self, path: str) -> str:
        return self.inside(path).read_text()

    def chroot(self, *command: str) -> None:
        """Runs a command before the machine is started."""
        subprocess.run(["chroot", str(self.root), *command], env=ENVIRON, check=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """systemd is process 1 and has come up."""
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
                   "--console=pipe", "--machine=tocsin-try", f"--directory={self.root}"]  # fmt: skip
        with open(self._log, "w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._leader = int(until("systemd starts", lambda: _child(process.pid)))
            up = ("running", "degraded")
            until("systemd is up", lambda: self("systemctl", "is-system-running") in up)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(self._leader, POWER_OFF)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()

    def __call__(self, *command: str) -> str:
        """Runs a command in there; its output."""
        return self.run(command).stdout.strip()

    def run(self, command: Sequence[str], keys: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command in root's home; `keys` are typed into it."""
        spaces = ("mount", "uts", "ipc", "net", "pid", "cgroup")
        enter = ["nsenter", f"--target={self._leader}", *(f"--{space}" for space in spaces)]
        home = ["/usr/bin/env", "--chdir=/root"]
        return subprocess.run(
            [*enter, *home, *command], env=ENVIRON, input=keys, capture_output=True, text=True, check=False
        )

    def script(self, text: str, keys: str = "") -> subprocess.CompletedProcess[str]:
        """Root types these lines; the first that fails ends it."""
        return self.run(["bash", "-euo", "pipefail", "-c", text], keys)

    def show(self, unit: str, *properties: str) -> list[str]:
        """Properties of a unit."""
        names = [f"--property={name}" for name in properties]
        lines = self("systemctl", "show", unit, *names).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        return [found.get(name, "") for name in properties]

    def journal(self, unit: str) -> list[dict[str, str]]:
        """All that the journal has of a unit."""
        text = self("journalctl", "--unit", unit, "--output=json", "--all", "--no-pager")
        return [json.loads(line) for line in text.splitlines()]


def until(what: str, fact: Callable[[], object], seconds: float = PATIENCE) -> str:
    """Waits for a fact and returns it. Ends the program when it does not come."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := fact()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain: {what}")
        pause.wait(0.2)
    return str(found)


def _child(pid: int) -> str:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children[0] if children else ""
