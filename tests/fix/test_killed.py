"""`tocsin fix` killed at each of its steps: nothing is half recorded, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.daemon.corrections.tries import LEASE
from tocsin.daemon.store.try_models import Try

from .conftest import AGENT, Bench, git, hashed

STEPS = ("clone", "agent", "look", "test", "record", "branch_made", "ended")


def tocsin(bench: Bench, directory: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command, with the rule "right"."""
    config = directory / "tocsin.toml"
    command = [sys.executable, str(AGENT), "right", bench.bug]
    config.write_text(
        f'[daemon]\nstate_dir = "{directory}"\n[agent]\nname = "ruler"\ncommand = {command!r}\n'
    )
    return subprocess.run(
        [sys.executable, "-m", "tocsin.daemon", "--config", str(config), *words],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_it_leaves_nothing_half_recorded(bench: Bench, tmp_path: Path, step: str) -> None:
    bench.at("wrong_key")
    before = hashed(bench.project)
    mark = tmp_path / "killed"
    words = ("fix", str(bench.error_id), "--project", str(bench.project), "--python", sys.executable)
    done = tocsin(bench, tmp_path, *words, TOCSIN_FAILPOINT=f"fix_{step}:1:{mark}", TMPDIR=str(bench.scratch))
    assert (done.returncode, mark.exists()) == (-9, True), done.stderr
    recorded = step == "ended"
    assert [one.test_status for one in bench.corrections()] == (["passed"] if recorded else [])
    assert bench.tries()[0].state == ("corrected" if recorded else "running")
    touched = {name for name in hashed(bench.project).items() ^ before.items()}
    if step not in ("branch_made", "ended"):
        assert touched == set()
    if recorded:
        return
    with bench.store.transaction():
        Try.update(lease_until=Try.begun_at).execute()
    again = tocsin(bench, tmp_path, *words, TMPDIR=str(bench.scratch))
    assert again.returncode == 0, again.stderr
    assert [row.state for row in bench.tries()] == ["abandoned", "corrected"]
    assert [one.test_status for one in bench.corrections()] == ["passed"]
    assert bench.branches() == [f"tocsin/error-{bench.error_id}"]
    assert (
        git(
            bench.project, "log", "--format=%(trailers:key=Tocsin-Try,valueonly)", "-1", bench.branches()[0]
        ).strip()
        == "2"
    )


def test_a_run_beside_another_one_is_refused_until_the_lease_ends(bench: Bench, tmp_path: Path) -> None:
    bench.at("wrong_key")
    words = ("fix", str(bench.error_id), "--project", str(bench.project))
    tocsin(bench, tmp_path, *words, TOCSIN_FAILPOINT=f"fix_agent:1:{tmp_path / 'killed'}")
    done = tocsin(bench, tmp_path, *words)
    assert done.returncode == 1
    assert f"ruler is at error {bench.error_id}" in done.stderr
    assert LEASE <= 600
