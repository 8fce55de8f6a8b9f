"""The database that the example bugs left, a repository with the broken code, and an agent that edits by rule."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.bug_records import ROOT, make_project, record_bugs

from tocsin.daemon import queries
from tocsin.daemon.agent.fixing import Fixer, Work
from tocsin.daemon.agent.repository import Repository
from tocsin.daemon.cli.source import Local
from tocsin.daemon.config import Config, parse
from tocsin.daemon.corrections.validation import Options
from tocsin.daemon.store.database import Store, open_store


def has_bubblewrap() -> bool:
    """Whether it is there and this machine lets it make its namespaces."""
    found = shutil.which("bwrap")
    return found is not None and subprocess.run([found, "--ro-bind", "/", "/", "true"]).returncode == 0


collect_ignore = [] if has_bubblewrap() else ["test_sandbox.py"]
AGENT = ROOT / "tests" / "support" / "rule_agent.py"
NOW = 4_000_000_000.0


def git(project: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(project), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def hashed(directory: Path) -> dict[str, str]:
    """Every file below a directory, `.git` with it, by what it holds; links by where they lead."""
    found = {}
    for here, names, files in os.walk(directory):
        for name in (*names, *files):
            path = Path(here, name)
            what = os.readlink(path).encode() if path.is_symlink() else b""
            what = what or (path.read_bytes() if path.is_file() else b"directory")
            found[str(path.relative_to(directory))] = (
                f"{path.lstat().st_mode:o} {hashlib.sha256(what).hexdigest()}"
            )
    return found


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_bugs(tmp_path_factory.mktemp("b"))


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that database."""
    shutil.copy(recorded, tmp_path / "tocsin.db")
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield store
    store.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The developer's repository: the broken code committed, a change and a new file that are not."""
    project = tmp_path / "project"
    make_project(project)
    (project / "notes.txt").write_text("committed\n")
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", "--all")
    git(
        project,
        "-c",
        "user.name=dev",
        "-c",
        "user.email=dev@example.org",
        "commit",
        "--quiet",
        "-m",
        "all of it",
    )
    (project / "notes.txt").write_text("changed, and not committed\n")
    (project / "new.txt").write_text("not known to git\n")
    return project


class Bench:
    """One bug, its database and its repository; `fix` has the agent by rule correct it."""

    def __init__(self, store: Store, project: Path, scratch: Path) -> None:
        self.store, self.project, self.scratch = store, project, scratch
        self.bug = ""
        self.settings: dict[str, Any] = {}

    def at(self, bug: str) -> Bench:
        self.bug = bug
        self.error_id = next(e.id for e in queries.errors(self.store) if e.module == f"app.{bug}")
        return self

    def config(self, rule: str) -> Config:
        command = [sys.executable, str(AGENT), rule, self.bug]
        agent = {"command": command, "name": "ruler", "per_day": 1000, **self.settings}
        return parse({"mail": {"admin": ["ops@tocsin.example"]}, "agent": agent}, {})

    def fix(self, rule: str, **more: Any) -> queries.TryFacts:
        config = self.config(rule)
        desk = Local(self.store, config)
        options = Options(pytest=False, python=sys.executable)
        work = Work(config.agent, "here:1", "dev", **{"options": options, **more})
        return Fixer(desk, Repository(self.project, "HEAD"), work, lambda: NOW, lambda *_: None).fix(
            self.error_id
        )

    def corrections(self) -> list[queries.CorrectionFacts]:
        return queries.corrections(self.store, self.error_id)

    def tries(self) -> list[queries.TryFacts]:
        """Oldest first."""
        return queries.tries(self.store, error_ids=[self.error_id])[::-1]

    def branches(self) -> list[str]:
        return git(self.project, "branch", "--list", "tocsin/*", "--format=%(refname:short)").split()


@pytest.fixture
def bench(store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return Bench(store, project, scratch)
