"""What git knows of a project's commits. Runs git, and nothing that a project's configuration names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from tocsin.daemon.corrections.recording import CorrectionError

TIMEOUT = 60.0
"""Seconds for one answer of git."""
_PLAIN = (
    "-c", "core.quotepath=false", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "log.showSignature=false", "-c", "core.pager=cat", "-c", "protocol.allow=never",
)  # fmt: skip
"""A checkout's own settings may name programs; none of them is run."""


class Commit(Struct, frozen=True):
    """`diff` is a unified diff against the first parent, its paths relative to the project."""

    diff: bytes
    author: str
    subject: str


def commit(project: Path, revision: str) -> Commit:
    """A commit of the checkout that the project is in. Raises CorrectionError."""
    found = _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not found:
        raise CorrectionError(f"there is no commit {revision!r} in {project.resolve()} (--commit)")
    sha = found.decode("ascii").strip()
    diff = _git(
        project, "diff-tree", "-p", "-M", "--root", "-m", "--first-parent", "--no-commit-id", "--relative",
        "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", sha,
    )  # fmt: skip
    said = _git(project, "show", "-s", "--no-show-signature", "--format=%an%n%s", sha)
    author, _, subject = (said or b"").decode("utf-8", "replace").partition("\n")
    return Commit(diff or b"", author.strip(), subject.strip())


def author(project: Path) -> str | None:
    """Who writes commits in this checkout, as git's settings name them; None where there is nobody."""
    try:
        name = _git(project, "config", "--get", "user.name")
    except CorrectionError:
        return None
    return name.decode("utf-8", "replace").strip() or None if name else None


def _git(project: Path, *words: str) -> bytes | None:
    """Git's answer; None where it says no without a word. Raises CorrectionError with what it says."""
    program = shutil.which("git")
    if program is None:
        raise CorrectionError("git is not installed; give --diff FILE, or --file, --old and --new")
    try:
        done = subprocess.run(  # noqa: S603
            (program, "-C", str(project), "--no-pager", *_PLAIN, *words),
            capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CorrectionError(f"git does not answer within {TIMEOUT:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    if reason := " ".join(done.stderr.decode("utf-8", "replace").split()):
        raise CorrectionError(f"git: {reason[:300]}")
    return None
