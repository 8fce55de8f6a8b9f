"""The CPythons of this machine that the handler supports, and how to run a program under each."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED = ("3.11", "3.12", "3.13")
PREFERRED = "3.13"
"""Development and CI use it where it is found: there runs are counted, which 3.11 cannot."""
_ASK = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"


@cache
def found() -> dict[str, str]:
    """Executables by version: the running one, on PATH, of pyenv. What is not there is left out."""
    executables = {OURS: sys.executable}
    for version in SUPPORTED:
        candidates = [shutil.which(f"python{version}") or ""]
        candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
        for candidate in filter(None, candidates):
            asked = subprocess.run([candidate, "-c", _ASK], capture_output=True, text=True, check=False)
            if asked.returncode == 0 and asked.stdout.split()[:2] == ["cpython", version]:
                executables.setdefault(version, asked.stdout.split()[2])
    return dict(sorted(executables.items()))


def path_for(version: str) -> str:
    """PYTHONPATH under which that version finds the handler and what it needs; made once, under build/."""
    if version == OURS:
        return os.environ.get("PYTHONPATH", "")
    home = ROOT / "build" / "interpreters" / version
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            pip += ["--only-binary=:all:", "--python-version", version, "--target", str(home / "packages")]
            pip += ["--upgrade", "-c", str(ROOT / "constraints.txt"), "pyzmq", "msgspec"]
            subprocess.run(pip, check=True)
            (home / "packages" / "tocsin").mkdir(exist_ok=True)
            (home / "packages" / "tocsin" / "handler").symlink_to(ROOT / "handler")
            (home / "done").touch()
    return str(home / "packages")


if __name__ == "__main__":
    print(found().get(PREFERRED, sys.executable))
