"""Runs a suite that others wrote under one CPython, with and without our handler, and compares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from support.interpreters import ROOT, found, path_for
from support.running import Daemon, until

HERE = Path(__file__).parent
DJANGO = ROOT / "build" / "django"
"""Django's source distribution, which holds its tests, and what Django needs: got once from the package index."""


@cache
def with_test_package() -> tuple[str, ...]:
    """The versions found here whose interpreter has CPython's own tests; Debian packs them apart."""
    ask = ["-c", "import importlib.util as u, sys; sys.exit(u.find_spec('test.test_logging') is None)"]
    return tuple(
        version
        for version, python in found().items()
        if subprocess.run([python, *ask], capture_output=True, check=False).returncode == 0
    )


def django_tests() -> tuple[Path, tuple[str, ...]]:
    """Django's `tests` directory, and the entries of PYTHONPATH that its tests need."""
    pin = next(
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("Django==")
    )
    source = DJANGO / f"django-{pin.partition('==')[2]}"
    needs = DJANGO / "needs"
    if not (DJANGO / f"{source.name}.done").exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run(
            [*pip, "download", "--no-deps", "--no-binary=:all:", "--dest", DJANGO, pin], check=True
        )
        subprocess.run(["tar", "-xzf", DJANGO / f"{source.name}.tar.gz", "-C", DJANGO], check=True)
        pip += ["install", "--upgrade", "--target", str(needs), "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, "asgiref", "sqlparse"], check=True)
        (DJANGO / f"{source.name}.done").touch()
    return source / "tests", (str(source), str(needs))


class SuiteRun:
    """One suite under one interpreter; its errors go to `daemon`."""

    def __init__(self, daemon: Daemon, version: str, program: str) -> None:
        self._daemon = daemon
        self._python = found()[version]
        self._path = path_for(version)
        self._program = HERE / program
        self._counted = daemon.place / "counted"

    def outcomes(
        self, how: str, *names: str, cwd: Path | None = None, path: tuple[str, ...] = ()
    ) -> Mapping[str, str]:
        """Each test's outcome with that handler on the root logger."""
        results = self._daemon.place / f"{how}.json"
        environ = {**self._daemon.environ, "PYTHONPATH": os.pathsep.join(filter(None, (*path, self._path)))}
        environ.pop("DJANGO_SETTINGS_MODULE", None)
        said = subprocess.run(
            [self._python, self._program, how, results, self._counted, *names],
            cwd=cwd or self._daemon.place, env=environ, capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
        assert results.exists(), said.stdout + said.stderr
        outcomes: dict[str, str] = json.loads(results.read_text())
        assert outcomes
        return outcomes

    @property
    def counted(self) -> int:
        """How many records have reached our handler, the first one included."""
        return self._counted.stat().st_size

    def arrived(self) -> bool:
        """Whether the daemon has counted as many, each once, and no loss."""
        if not until(lambda: self._daemon.total() >= self.counted, 10):
            self._daemon.tocsin("ship")
            until(lambda: self._daemon.total() >= self.counted)
        return (self._daemon.total(), self._daemon.lost(), self._daemon.quarantined()) == (
            self.counted,
            {},
            0,
        )
