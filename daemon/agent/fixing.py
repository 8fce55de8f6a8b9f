"""One error from its report to a tested correction on a branch: begun, worked on, looked at, tested, recorded.

Until the end nothing is recorded; then the corrections, their verdict and the try's end are one transaction. The
branch is there before it: a kill between the two leaves a branch that the next try replaces.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from msgspec import Struct, structs

from tocsin.daemon import config_agent
from tocsin.daemon.agent import program
from tocsin.daemon.agent.acceptance import Place, Rules, doubts, refusals
from tocsin.daemon.agent.instructions import instructions
from tocsin.daemon.agent.lease import EVERY, Lease
from tocsin.daemon.agent.program import Ran
from tocsin.daemon.agent.repository import TRAILER, Clone, Repository, RepositoryError
from tocsin.daemon.corrections.diff import read_diff
from tocsin.daemon.corrections.recording import CorrectionError, NewCorrection
from tocsin.daemon.corrections.tries import FAILED, MOST, RECORDED, TryEnd
from tocsin.daemon.corrections.try_reasons import Because, because
from tocsin.daemon.corrections.validation import (
    Case,
    Change,
    Options,
    Outcome,
    ProjectError,
    case_of,
    validate,
)
from tocsin.daemon.corrections.validation.outcome import FAILED as RED
from tocsin.daemon.corrections.validation.outcome import PASSED, PENDING, results
from tocsin.daemon.corrections.validation.project import interpreter, locate
from tocsin.daemon.corrections.validation.run import OWN_TESTS
from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.moment import moment
from tocsin.daemon.queries.tries import TryFacts
from tocsin.daemon.settings import Agent
from tocsin.daemon.visible_text import visible
from tocsin.handler.failpoints import reach

MINUTE = 60.0
TITLE = 60
"""Characters of an error's title in a commit's first line."""


class Desk(Protocol):
    """What is asked and told: in a database of this machine, or through a console."""

    def chosen(self, error_ids: Sequence[int]) -> list[ErrorDetail]: ...

    def tries(self, error_id: int) -> list[TryFacts]: ...

    def begin_try(self, error_id: int, agent: str, runner: str, by: str, again: bool) -> int: ...

    def renew_try(self, try_id: int, runner: str, step: str) -> None: ...

    def end_try(self, try_id: int, runner: str, end: TryEnd) -> TryFacts: ...

    def leave(self) -> None:
        """This thread asks no more."""


class Work(Struct, frozen=True):
    """How errors are corrected. `runner` names this process among all."""

    agent: Agent
    runner: str
    by: str
    options: Options = Options()
    again: bool = False
    renew_every: float = EVERY


Say = Callable[[int, str], None]
"""Told the error and the step that it is at."""


class Fixer:
    """Corrects errors of one repository, one after the other."""

    def __init__(
        self, desk: Desk, repository: Repository, work: Work, now: Callable[[], float], say: Say
    ) -> None:
        self._desk = desk
        self._repository = repository
        self._work = work
        self._now = now
        self._say = say
        self._name = config_agent.name(work.agent)

    def fix(self, error_id: int) -> TryFacts:
        """Tries until the error is corrected, a person has to look, or as many tries failed as may.

        Raises TryError, TriedEnough, BudgetSpent, ClaimError, ManualError when the first may not begin.
        """
        again = self._work.again
        for left in reversed(range(MOST)):
            number = self._desk.begin_try(error_id, self._name, self._work.runner, self._work.by, again)
            ended = self._try(error_id, number)
            before = [row for row in self._desk.tries(error_id) if row.state in FAILED]
            if ended.state not in FAILED or not left or again or len(before) >= MOST:
                break
        return ended

    def _try(self, error_id: int, number: int) -> TryFacts:
        work = self._work

        def renew(step: str) -> None:
            self._desk.renew_try(number, work.runner, step)

        with Lease(renew, every=work.renew_every, done=self._desk.leave) as lease:
            try:
                with tempfile.TemporaryDirectory(prefix="tocsin-fix-", ignore_cleanup_errors=True) as scratch:
                    end = self._attempt(error_id, number, Path(scratch).resolve(), lease)
            except (RepositoryError, ProjectError, CorrectionError, OSError) as error:
                end = TryEnd("broken", [because("broken", error=error)])
            except KeyboardInterrupt:
                self._desk.end_try(number, work.runner, TryEnd("broken", [because("stopped")]))
                raise
            try:
                ended = self._desk.end_try(number, work.runner, end)
                reach("fix_ended")
                return ended
            except BaseException:
                if end.branch:
                    with suppress(RepositoryError):
                        self._repository.drop(end.branch, end.revision)
                raise

    def _attempt(self, error_id: int, number: int, scratch: Path, lease: Lease) -> TryEnd:
        """One go at the error. Raises RepositoryError, ProjectError, CorrectionError, OSError, TryLost."""
        error = self._desk.chosen([error_id])[0]
        self._at(lease, error_id, "clone")
        clone = Clone(self._repository, scratch)
        clone.prepare()
        self._at(lease, error_id, "agent")
        ran = self._run(error, clone, lease)
        if (reason := self._stopped(ran)) is not None:
            return TryEnd("broken" if ran.not_started else "failed", [reason], ran.tail)
        self._at(lease, error_id, "look")
        changed = clone.changed()
        agent = self._work.agent
        refused = refusals(changed, Rules(self._repository.prefix, agent.protected, agent.files))
        case = case_of(error)
        doubted = [] if refused else doubts(changed, self._places(case, clone))
        refused += [one for one in doubted if one.code != "only_removed"]
        if refused:
            return TryEnd("refused", refused, ran.tail)
        made = clone.commit(self._message(error, number), self._name)
        self._at(lease, error_id, "test")
        changes = read_diff(made.diff, error_id, self._name, "").changes
        outcome = self._validated(case, changes, clone.export())
        end = _ended(outcome, doubted, ran.tail)
        if end.state not in RECORDED:
            return end
        self._at(lease, error_id, "record")
        branch, replace = self._branch(error_id)
        self._repository.fetch(clone, branch, replace=replace)
        reach("fix_branch_made")
        return structs.replace(
            end,
            branch=branch,
            revision=made.revision,
            changes=_recordable(changes, outcome, end, branch, made.revision),
        )

    def _at(self, lease: Lease, error_id: int, step: str) -> None:
        self._say(error_id, step)
        lease.at(step)
        reach(f"fix_{step}")

    def _run(self, error: ErrorDetail, clone: Clone, lease: Lease) -> Ran:
        agent = self._work.agent
        tmp, report = clone.desk / "tmp", clone.desk / "report.md"
        tmp.mkdir()
        failed = [row for row in reversed(self._desk.tries(error.id)) if row.state in FAILED]
        report.write_text(instructions(error, agent, self._repository.base, failed), "utf-8")
        values = {"project": str(clone.tree), "report": str(report), "tmp": str(tmp)}
        return program.run(
            config_agent.filled([*agent.sandbox, *agent.command], values),
            clone.project,
            program.environment(agent.environment, tmp),
            report,
            program.Limits(agent.minutes * MINUTE, agent.output * 1024 * 1024),
            lease.check,
        )

    def _stopped(self, ran: Ran) -> Because | None:
        """Why what the agent's program did is not looked at."""
        agent = self._work.agent
        if ran.ended_for == "time":
            return because("time", minutes=agent.minutes)
        if ran.ended_for == "output":
            return because("output", megabytes=agent.output)
        if ran.not_started:
            return because("missing", error=ran.tail.strip()[-500:])
        return because("exit", exit_code=ran.exit_code) if ran.exit_code else None

    def _places(self, case: Case, clone: Clone) -> list[Place]:
        prefix = f"{self._repository.prefix}/" if self._repository.prefix else ""
        found = ((call, locate(clone.project, call)) for call in case.calls)
        return [Place(prefix + subject.file, call.function) for call, subject in found if subject is not None]

    def _message(self, error: ErrorDetail, number: int) -> str:
        title = " ".join(visible(error.title).split())
        title = title if len(title) <= TITLE else f"{title[:TITLE]}…"
        return (
            f"Correct error {error.id}: {title}\n\n"
            f"By {self._name}, started by `tocsin fix`.\n\n"
            f"Tocsin-Error: {error.id}\n{TRAILER}: {number}\n"
        )

    def _validated(self, case: Case, changes: Sequence[NewCorrection], made: Path) -> Outcome:
        """What the tests say of the changes alone: the old code is the revision's."""
        own = self._repository.project
        asked = self._work.options
        recorded = [Change(one.file_path, one.old_code, one.new_code, recorded="try") for one in changes]
        options = structs.replace(
            asked,
            python=asked.python or interpreter(own),
            command=_in_project(asked.command or self._work.agent.tests, own),
            own_tests=True,
            sandbox=self._work.agent.sandbox,
            # The code is the agent's: it is given no more than the agent, and none of the agent's keys.
            environ=program.environment((), made.parent),
        )
        now = moment(self._now()).iso
        return validate(structs.replace(case, changes=recorded), made, options, now)

    def _branch(self, error_id: int) -> tuple[str, bool]:
        """(the branch's name, is it one that a try left behind which recorded nothing)."""
        there = self._repository.branches()
        left = {str(row.id) for row in self._desk.tries(error_id) if row.state not in RECORDED}
        for number in range(1, len(there) + 2):
            name = f"tocsin/error-{error_id}" + (f"-{number}" if number > 1 else "")
            if name not in there:
                return name, False
            if there[name] in left:
                return name, True
        raise AssertionError("one name more than there are branches is free")


def _ended(outcome: Outcome, doubted: Sequence[Because], output: str) -> TryEnd:
    """What the tests mean for the try. An agent's correction is good only when the error was seen to go."""
    if outcome.status == RED:
        own = next(
            (check for check in outcome.checks if check.name == OWN_TESTS and check.status == RED), None
        )
        reason = (
            because("own_tests", summary=own.detail) if own else because("failed", summary=outcome.summary)
        )
        return TryEnd("failed", [reason], output)
    if outcome.status == PASSED and outcome.reproduced and not doubted:
        return TryEnd("corrected", output=output)
    reasons = list(doubted)
    if not (outcome.status == PASSED and outcome.reproduced):
        reasons.append(because("unproved", summary=outcome.summary))
    return TryEnd("unproved", reasons, output)


def _recordable(
    changes: Sequence[NewCorrection], outcome: Outcome, end: TryEnd, branch: str, revision: str
) -> list[NewCorrection]:
    """The changes with their verdict; what is not proved stays pending, whatever the project's tests said."""
    status = PASSED if end.state == "corrected" else PENDING
    found = {**results(structs.replace(outcome, status=status)), "branch": branch, "revision": revision}
    description = f"tocsin fix: branch {branch}, commit {revision[:12]}"
    return [
        structs.replace(one, description=description, test_status=status, test_results=found)
        for one in changes
    ]


def _in_project(command: str, project: Path) -> str | None:
    """The command, its program named from everywhere where it is one of the project's own environment."""
    words = shlex.split(command)
    if words and "/" in words[0] and (program_ := project.resolve() / words[0]).is_file():
        words[0] = str(program_)
    return shlex.join(words) or None
