"""An agent that edits by rule, on the example bugs: what is right ends tested on its branch, nothing else passes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.bug_records import BUGS, NAMES

from tocsin.daemon.corrections.validation import Options

from .conftest import Bench, git, hashed

SHORT = ("async_generator", "flask_view", "object_argument", "wrong_key")
EACH = [name if name in SHORT else pytest.param(name, marks=pytest.mark.soak) for name in NAMES]
"""All twenty are for `make fix-bugs`; the suite takes one of each kind of call."""


@pytest.mark.parametrize("bug", EACH)
def test_a_right_correction_ends_on_its_branch_with_its_verdict(bench: Bench, bug: str) -> None:
    before = hashed(bench.project)
    ended = bench.at(bug).fix("right")
    assert ended.state == "corrected", ended.reasons
    (correction,) = bench.corrections()
    assert (correction.applied_by, correction.file_path) == ("ruler", f"app/{bug}.py")
    assert correction.test_status == "passed"
    assert correction.test_results["reproduced"] is True
    branch = f"tocsin/error-{bench.error_id}"
    assert (
        git(bench.project, "show", f"{branch}:app/{bug}.py") == (BUGS / "corrected" / f"{bug}.py").read_text()
    )
    assert git(bench.project, "log", "--format=%s", "-1", branch).startswith(
        f"Correct error {bench.error_id}: "
    )
    after = hashed(bench.project)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {
        name for name in changed if not name.startswith((".git/objects/", ".git/refs/heads/tocsin"))
    } == set()
    assert not {name for name in changed if name in before and before[name] != after[name]}


@pytest.mark.parametrize("bug", EACH)
def test_a_wrong_correction_never_passes(bench: Bench, bug: str) -> None:
    before = hashed(bench.project)
    ended = bench.at(bug).fix("wrong")
    assert (ended.state, bench.corrections(), bench.branches()) == ("failed", [], []), ended
    assert hashed(bench.project) == before


@pytest.mark.parametrize("bug", EACH)
def test_code_that_was_only_emptied_never_passes(bench: Bench, bug: str) -> None:
    ended = bench.at(bug).fix("deletes")
    assert ended.state in ("refused", "failed"), ended
    assert (bench.corrections(), bench.branches()) == ([], [])


@pytest.mark.parametrize(
    ("rule", "state", "said"),
    [
        ("empty", "refused", "changed nothing"),
        ("protected", "refused", "setup.cfg is protected"),
        ("link", "refused", "app/passwd is a link"),
        ("tests_only", "refused", "only tests were changed"),
        ("swallows", "refused", "catches every exception"),
        ("repository", "refused", "a repository of its own"),
        ("fails", "failed", "exit code 3"),
    ],
)
def test_what_may_not_be_accepted_is_refused_with_its_reason(
    bench: Bench, rule: str, state: str, said: str
) -> None:
    before = hashed(bench.project)
    ended = bench.at("wrong_key").fix(rule)
    assert (ended.state, len(bench.tries())) == (state, 2)
    assert said in " ".join(ended.reasons)
    assert (bench.corrections(), hashed(bench.project)) == ([], before)


def test_a_change_beside_the_project_is_refused(bench: Bench) -> None:
    bench.project = bench.project / "part"
    (bench.project).mkdir()
    git(bench.project, "mv", "../app", "app")
    git(
        bench.project,
        "-c",
        "user.name=d",
        "-c",
        "user.email=d@example.org",
        "commit",
        "--quiet",
        "-m",
        "moved",
    )
    ended = bench.at("wrong_key").fix("outside")
    assert (ended.state, ended.reasons) == ("refused", ["elsewhere.py is outside the project"])


def test_a_project_in_a_part_of_its_repository_is_corrected(bench: Bench) -> None:
    bench.project = bench.project / "part"
    (bench.project).mkdir()
    git(bench.project, "mv", "../app", "app")
    git(
        bench.project,
        "-c",
        "user.name=d",
        "-c",
        "user.email=d@example.org",
        "commit",
        "--quiet",
        "-m",
        "moved",
    )
    assert bench.at("wrong_key").fix("right").state == "corrected"
    assert [one.file_path for one in bench.corrections()] == ["app/wrong_key.py"]


def test_what_cannot_be_brought_back_is_left_to_a_person(bench: Bench) -> None:
    bench.at("wrong_key")
    ended = bench.fix("right", options=Options(pytest=False, python=sys.executable, reproduce=False))
    assert (ended.state, ended.branch) == ("unproved", f"tocsin/error-{bench.error_id}")
    assert "prove nothing" in ended.reasons[0]
    assert [one.test_status for one in bench.corrections()] == ["pending"]


def test_the_second_try_is_told_of_the_first_and_may_do_better(bench: Bench) -> None:
    assert bench.at("wrong_key").fix("wrong,right").state == "corrected"
    assert [row.state for row in bench.tries()] == ["failed", "corrected"]


def test_a_third_try_is_not_begun(bench: Bench) -> None:
    bench.at("wrong_key").fix("wrong")
    with pytest.raises(Exception, match="was tried 2 times and not corrected"):
        bench.fix("right")
    assert bench.fix("right", again=True).state == "corrected"


def test_an_agent_that_never_ends_is_ended_with_all_that_it_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.daemon.agent.fixing.MINUTE", 0.05)
    ended = bench.at("wrong_key").fix("endless", again=True)
    assert (ended.state, ended.reasons) == (
        "failed",
        ["the agent was ended after 20 minutes (agent.minutes)"],
    )
    assert left_behind(bench.scratch) == (3, [])


def test_nothing_that_an_agent_leaves_behind_runs_on(bench: Bench) -> None:
    assert bench.at("wrong_key").fix("forks").state == "corrected"
    assert left_behind(bench.scratch) == (3, [])


def left_behind(scratch: Path) -> tuple[int, list[int]]:
    """How many processes were started, and those that live."""
    started = [int(line) for line in (scratch / "left-behind").read_text().split()]
    living = []
    for pid in started:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        living.append(pid)
    return len(started), living


def test_an_agent_that_prints_without_end_is_ended(bench: Bench) -> None:
    ended = bench.at("wrong_key").fix("prints", again=True)
    assert (ended.state, ended.reasons) == ("failed", ["the agent printed more than 10 MB (agent.output)"])
    assert len(ended.output) <= 8000


def test_nothing_that_an_agent_writes_for_git_is_run(bench: Bench) -> None:
    ended = bench.at("wrong_key").fix("git")
    assert (ended.state, ended.reasons) == ("corrected", [])
    assert not (bench.scratch / "ran").exists()


def test_the_agent_is_given_nothing_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TOCSIN_TOKEN",
        "SMTP_PASS",
        "PGPASSWORD",
        "DATABASE_URL",
        "AWS_SECRET_ACCESS_KEY",
        "OTHER_KEY",
    ):
        monkeypatch.setenv(name, "hunter2-secret")
    bench.settings = {"environment": ["GIVEN_KEY"]}
    monkeypatch.setenv("GIVEN_KEY", "for-the-agent")
    seen = bench.at("wrong_key").fix("reads_secrets", again=True).output
    assert "GIVEN_KEY=" in seen
    assert "hunter2-secret" not in seen
    assert str(bench.store.url).removeprefix("sqlite:///") not in seen
