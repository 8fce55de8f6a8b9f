"""Which runs of a batch service count for a silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.tickets.ended_runs import Ended, EndedRuns
from tocsin.daemon.tickets.kinds import Kind, Run

JOB = Run.of(Kind("job.py"), "--day 2026-01-01")


def test_a_run_counts_that_began_in_the_silence():
    ended = EndedRuns([Ended(JOB, 10.0, ""), Ended(JOB, 10.5, ""), Ended(JOB, 12.0, "")])
    assert ended.count(10.0) == 2


def test_only_runs_of_what_logged_the_error_count():
    for other in (
        JOB._replace(arguments="--help"),
        JOB._replace(role="ForkPoolWorker"),
        JOB._replace(program="other.py"),
        Run("", "", ""),
    ):
        assert EndedRuns([Ended(other, 11.0, "")]).count(10.0, {JOB}) == 0
        assert EndedRuns([Ended(other, 11.0, ""), Ended(JOB, 11.0, "")]).count(10.0, {JOB}) == 1


def test_each_job_that_logged_the_error_must_have_ended_in_order():
    other = Run.of(Kind("other.py"), "")
    assert EndedRuns([Ended(JOB, 11.0, ""), Ended(JOB, 12.0, "")]).count(10.0, {JOB, other}) == 0


def test_runs_of_older_releases_do_not_count():
    ended = EndedRuns([Ended(JOB, 11.0, "1"), Ended(JOB, 12.0, "2")])
    assert ended.count(10.0, {JOB}, frozenset({"1"})) == 1


runs = st.sampled_from([JOB, Run("a", "", ""), Run("b", "", "")])


@given(
    st.lists(st.builds(Ended, runs, st.integers(0, 20).map(float), st.sampled_from(["", "1", "2"]))),
    st.integers(0, 20).map(float),
    st.frozensets(runs),
    st.frozensets(st.sampled_from(["1", "2"])),
)
def test_it_counts_what_going_through_all_of_them_counts(ended, since, of, older):
    found = [one.run for one in ended if one.began_at > since and one.release not in older]
    expected = min(found.count(one) for one in of) if of else len(found)
    assert EndedRuns(ended).count(since, of, older) == expected
