"""Runners: what is handed to the agent is corrected once, by one of them, whatever happens to the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from support.waiting import until

from tocsin.daemon import queries
from tocsin.daemon.agent.serving import Runner
from tocsin.daemon.corrections import requests, tries
from tocsin.daemon.failure import Failed
from tocsin.daemon.store.try_models import Try

from .conftest import AGENT, NOW, Bench

PATIENCE = 500.0
EARLIER = 1.0


def serve(bench: Bench, directory: Path, name: str, **environ: str) -> subprocess.Popen[str]:
    config = directory / "tocsin.toml"
    command = [sys.executable, str(AGENT), "right", "-"]
    config.write_text(f'[daemon]\nstate_dir = "{directory}"\n[agent]\nper_day = 100\ncommand = {command!r}\n')
    output = (directory / f"{name}.out").open("w")
    words = ["fix", "--serve", "--project", str(bench.project), "--python", sys.executable, "--by", name]
    return subprocess.Popen(
        [sys.executable, "-m", "tocsin.daemon", "--config", str(config), *words],
        env={**os.environ, "TMPDIR": str(bench.scratch), **environ}, stdout=output, stderr=output, text=True,
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_of_two_runners_one_is_killed_and_no_error_is_lost_or_tried_twice(
    bench: Bench, tmp_path: Path
) -> None:
    wanted = [error.id for error in queries.errors(bench.store)][:10]
    requests.hand_over(bench.store, wanted, "ana", EARLIER)
    doomed = serve(bench, tmp_path, "doomed", TOCSIN_FAILPOINT=f"fix_test:2:{tmp_path / 'killed'}")
    other = serve(bench, tmp_path, "other")
    try:
        assert until(lambda: doomed.poll() is not None, PATIENCE)
        assert doomed.returncode == -signal.SIGKILL
        with bench.store.transaction():  # the lease of the dead one's try is over
            of_the_dead = (Try.state == "running") & (Try.started_by == "doomed")
            Try.update(lease_until=Try.begun_at).where(of_the_dead).execute()
        assert until(lambda: not queries.requests(bench.store, NOW), PATIENCE)
        other.send_signal(signal.SIGTERM)
        assert other.wait(60) == 0
    finally:
        for process in (doomed, other):
            process.kill()
            process.wait()
    assert sorted(one.error_id for one in queries.corrections(bench.store)) == sorted(wanted)
    assert {one.test_status for one in queries.corrections(bench.store)} == {"passed"}
    found = queries.tries(bench.store)[::-1]
    states = [row.state for row in found]
    assert (states.count("corrected"), states.count("abandoned"), len(states)) == (10, 1, 11)
    for error_id in wanted:
        own = [row for row in found if row.error_id == error_id]
        assert all(before.ended_at <= after.begun_at for before, after in pairwise(own))
    assert {row.started_by for row in found} == {"doomed", "other"}


class Waiting:
    """A desk with errors that wait. It stands for a database."""

    def __init__(self, *error_ids: int) -> None:
        self.left = list(error_ids)
        self.down = False

    def requests(self) -> list[queries.RequestFacts]:
        if self.down:
            raise Failed("down")
        at = queries.moment(NOW)
        return [
            queries.RequestFacts(one, "", "", "ana", at, "", "at it" if one < 0 else "") for one in self.left
        ]


def test_an_error_that_somebody_is_at_and_one_that_is_refused_hold_nobody_up() -> None:
    desk, refused = Waiting(-1, 2, 3), []

    def fix(error_id: int) -> queries.TryFacts:
        if error_id == 2:
            raise Failed("no")
        desk.left.remove(error_id)
        return None  # type: ignore[return-value]

    ended: list[object] = []
    runner = Runner(desk, fix, ended.append, lambda *why: refused.append(why[0]))
    assert runner.step()
    assert not runner.step()
    assert (len(ended), refused) == (1, [2])


def test_what_keeps_a_runner_from_asking_is_said_once() -> None:
    desk, said, over = Waiting(), [], threading.Event()
    desk.down = True
    looks = iter(range(3))

    class Over(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if next(looks, None) is None:
                self.set()
            return True

    over = Over()
    Runner(desk, lambda _: None, lambda _: None, lambda *_: None).serve(over, said.append)  # type: ignore[arg-type]
    assert [str(error) for error in said] == ["down"]


@pytest.mark.parametrize("rule", ["right", "wrong"])
def test_a_request_ends_with_its_correction_or_after_two_tries(bench: Bench, rule: str) -> None:
    requests.hand_over(bench.store, [bench.at("wrong_key").error_id], "ana", EARLIER)
    bench.fix(rule)
    assert queries.requests(bench.store, NOW) == []


def test_handed_over_again_an_error_is_tried_again(bench: Bench) -> None:
    bench.at("wrong_key").fix("wrong")
    with pytest.raises(tries.TriedEnough):
        bench.fix("right")
    requests.hand_over(
        bench.store, [bench.error_id], "ana", Try.select().order_by(Try.id.desc()).get().ended_at + 1
    )
    with bench.store.transaction():
        Try.update(begun_at=1.0).execute()
    assert bench.fix("right").state == "corrected"
