"""`tocsin fix` on a machine without a database: through a console, with a token that corrects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.bug_records import BUGS, ROOT
from support.world import an_error

from tocsin.daemon import queries
from tocsin.daemon.accounts import tokens
from tocsin.daemon.corrections import tries
from tocsin.handler.protocol.event import Frame, Raised


class Runner:
    """A machine with a checkout, a configuration of its own and a token."""

    def __init__(self, api, address: str, here: Path) -> None:
        self.api, self.address, self.here = api, address, here
        self.project = here / "project"
        shutil.copytree(BUGS / "broken", self.project / "app")
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
            git = ["git", "-C", str(self.project), "-c", "user.name=d", "-c", "user.email=d@example.org"]
            subprocess.run([*git, *words], check=True)
        known = {"method": "Express", "grams": 2500}
        frame = Frame("/srv/x/app/wrong_key.py", "app.wrong_key", "postage", 8, {}, known)
        event = an_error(at=api.world.now, exception=Raised("KeyError", "'Express'", (frame,)))
        api.world.app("post").log(event, event, event)
        self.error_id = max(one.id for one in queries.errors(api.world.store))

    def fix(
        self, rule: str, scopes: tuple[str, ...] = ("read", "correct")
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tests" / "support" / "rule_agent.py"), rule, "wrong_key"]
        (self.here / "tocsin.toml").write_text(f'[agent]\nname = "ruler"\ncommand = {command!r}\n')
        token = tokens.add(self.api.world.store, f"runner {rule} {scopes}", scopes, "ana", self.api.world.now)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        return subprocess.run(
            [sys.executable, "-m", "tocsin.daemon", "fix", str(self.error_id), "--project", str(self.project),
             "--python", sys.executable, "--json"],
            cwd=self.here, env={**environ, "TOCSIN_URL": self.address, "TOCSIN_TOKEN": token},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def runner(api, address: str, tmp_path: Path) -> Runner:
    return Runner(api, address, tmp_path / "runner")


def test_a_correction_is_made_here_and_recorded_there(runner: Runner) -> None:
    done = runner.fix("right")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["state"], row["branch"]) == ("corrected", f"tocsin/error-{runner.error_id}")
    (correction,) = queries.corrections(runner.api.world.store, runner.error_id)
    assert (correction.applied_by, correction.test_status) == ("ruler", "passed")
    assert correction.test_results["revision"] == row["revision"]


def test_what_is_refused_is_kept_there_with_its_reasons(runner: Runner) -> None:
    done = runner.fix("protected")
    assert done.returncode == 1
    found = queries.tries(runner.api.world.store)
    assert [row.state for row in found] == ["refused", "refused"]
    assert found[0].reasons[0].said("fr").startswith("setup.cfg est protégé")


def test_the_try_of_another_runner_is_respected(runner: Runner) -> None:
    world = runner.api.world
    tries.begin(
        world.store, world.config, runner.error_id, agent="other", runner="b:2", by="bob", now=2e9, lease=4e9
    )
    done = runner.fix("right")
    assert (done.returncode, queries.corrections(world.store, runner.error_id)) == (1, [])
    assert f"other is at error {runner.error_id}" in done.stderr


def test_a_token_that_only_reads_corrects_nothing(runner: Runner) -> None:
    done = runner.fix("right", scopes=("read",))
    assert done.returncode == 1
    assert "403" in done.stderr
    assert queries.tries(runner.api.world.store) == []
