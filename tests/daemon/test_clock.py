"""Jobs run when real time has passed, whatever the wall clock does."""

import pytest
from structlog.testing import capture_logs

from tocsin.daemon.failure import Failed
from tocsin.daemon.runtime.clock import Job, Ticker, remaining


class Clocks:
    """A monotonic and a wall clock that a test moves."""

    def __init__(self):
        self.steady, self.wall = 1000.0, 1_800_000_000.0

    def pass_(self, seconds):
        self.steady += seconds
        self.wall += seconds

    def ticker(self, job):
        return Ticker(job, monotonic=lambda: self.steady, wall=lambda: self.wall)


@pytest.mark.parametrize("step", [-6 * 3600, 6 * 3600, -3 * 365 * 86400, 3 * 365 * 86400])
def test_a_step_of_the_wall_clock_makes_one_run_per_real_hour_no_more_no_less(step):
    clocks, runs = Clocks(), []
    ticker = clocks.ticker(Job("round", 3600.0, runs.append))
    for minute in range(10 * 60):
        if minute == 200:
            clocks.wall += step
        clocks.pass_(60.0)
        ticker.wake()
    assert len(runs) == 10


def test_a_job_that_raises_runs_again_at_its_next_time():
    clocks, runs = Clocks(), []

    def work(now):
        runs.append(now)
        raise RuntimeError("always")

    ticker = clocks.ticker(Job("bad", 60.0, work))
    for _ in range(5):
        ticker.wake()
        clocks.pass_(60.0)
    assert len(runs) == 5


def test_what_a_person_can_mend_is_logged_once_in_a_line_until_it_changes():
    clocks, said = Clocks(), iter(["no such group"] * 3 + ["not a member"] + [None, "no such group"])

    def work(now):
        if (text := next(said)) is not None:
            raise Failed(text)

    ticker = clocks.ticker(Job("pages", 5.0, work))
    with capture_logs() as logs:
        for _ in range(6):
            ticker.wake()
            clocks.pass_(5.0)
    assert [entry["error"] for entry in logs] == ["no such group", "not a member", "no such group"]
    assert not any("exc_info" in entry for entry in logs)


def test_a_restart_goes_on_from_the_last_run():
    assert remaining(3600.0, 1000.0, 1600.0) == 3000.0
    assert remaining(3600.0, 1000.0, 9000.0) == 0.0


def test_a_last_run_in_the_future_or_unknown_means_now():
    assert remaining(3600.0, 9000.0, 1000.0) == 0.0
    assert remaining(3600.0, None, 1000.0) == 0.0
