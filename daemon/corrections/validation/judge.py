"""What the runs prove. Pure: reads what they recorded, runs nothing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tocsin.daemon.corrections.validation.outcome import FAILED, PASSED, PENDING, Check, Run

NAMES = {
    "compile": "the corrected files compile",
    "in_place": "the new code is in place, the old is gone",
    "import": "the failing module imports",
    "reproduction": "the error does not come back",
}
_UNTOLD = (None, 2, 3, 4, 5)
"""Out of time, or pytest's own: not collected, failed itself, wrongly called, no test found."""


class Seen(Struct, frozen=True):
    """One run of the generated test and what it recorded."""

    run: Run
    recorded: list[dict[str, Any]]

    def status(self, test: str) -> str:
        return next((str(one["status"]) for one in self.recorded if one["test"] == test), "")

    def detail(self, test: str) -> str:
        return next((str(one["detail"]) for one in self.recorded if one["test"] == test), "")

    def call(self, index: int) -> tuple[str, str]:
        """(outcome, detail) of a call, ('', '') when it was not reached."""
        found = (one for one in self.recorded if one["test"] == "call" and one["index"] == index)
        return next(((str(one["status"]), str(one["detail"])) for one in found), ("", ""))

    @property
    def complete(self) -> bool:
        """Whether every test was reached: an exit code of 0 alone proves nothing."""
        return {one["test"] for one in self.recorded} >= set(NAMES)


class Verdict(Struct, frozen=True):
    """The status and the sentence that says why."""

    status: str
    summary: str


class Evidence(Struct):
    """All that was found. `calls`: how many are tried."""

    checks: list[Check]
    reasons: list[str]
    """Why something could not be reproduced."""
    calls: int
    after: Seen | None = None
    before: Seen | None = None
    own: Run | None = None
    asked: bool = False
    """Whether the project's own tests were asked for: then they must pass."""
    reproduced: set[int] = set()
    wrong: list[str] = []
    notes: list[str] = []

    def compare(self) -> None:
        """Which calls failed on the old code with the same error, and what the new code made of them."""
        assert self.after is not None
        for index in range(self.calls):
            old = self.before.call(index)[0] if self.before is not None else ""
            new, detail = self.after.call(index)
            if new == "same" or (new == "other" and old in ("same", "returned", "deliberate")):
                self.wrong.append(detail)
            if old == "same" and new in ("returned", "deliberate", "same", "other"):
                self.reproduced.add(index)
                if new == "deliberate":
                    self.notes.append(detail)
            elif new == "impossible":
                self.reasons.append(detail)
            elif old in ("returned", "deliberate", "other"):
                self.reasons.append("the old code, called again, did not fail in that way")
            elif old == "impossible" and self.before is not None:
                self.reasons.append(self.before.call(index)[1])
        self.reasons = list(dict.fromkeys(self.reasons))


def verdict(evidence: Evidence) -> Verdict:
    """Passed, failed or pending, and why. Adds the checks of the runs. Never passed on a failed check."""
    if evidence.after is not None:
        _add_checks(evidence, evidence.after)
    failed = [check for check in evidence.checks if check.status == FAILED]
    if failed:
        return Verdict(FAILED, "; ".join(f"{check.name}: {check.detail}" for check in failed)[:2000])
    after = evidence.after
    if after is None or not after.complete:
        return Verdict(PENDING, f"the generated test could not be run to its end: {_last_line(after)}")
    if after.status("import") == "missing":
        return Verdict(
            PENDING,
            f"the failing module cannot be imported here ({after.detail('import')}); "
            "name the project's interpreter (--python)",
        )
    why = "; ".join(evidence.reasons) or "no call was recorded"
    if evidence.reproduced:
        own = " The project's own tests pass." if _own(evidence) == PASSED else ""
        notes = "".join(f" ({note})" for note in dict.fromkeys(evidence.notes))
        return Verdict(
            PASSED, f"Reproduced: the old code fails as it did then, the corrected one does not{notes}.{own}"
        )
    if _own(evidence) == PASSED:
        return Verdict(
            PASSED,
            f"Not reproduced ({why}). The corrected files compile and the project's own tests pass.",
        )
    return Verdict(
        PENDING,
        f"Not reproduced ({why}), and no tests of the project's own were run: nothing is proved. "
        "A test of yours that fails on the old code would: name it with --command.",
    )


def _add_checks(evidence: Evidence, after: Seen) -> None:
    if after.run.exit_code is None:
        evidence.checks.append(
            Check("the test ends", FAILED, f"it was ended after {after.run.seconds:.0f} s")
        )
    for test in ("compile", "import"):
        status = after.status(test)
        missing_before = evidence.before is None or evidence.before.status(test) == "missing"
        if status == "missing" and not missing_before:
            status = FAILED  # the old code could be imported here: the corrected one is at fault
        if status:
            kept = status if status in (PASSED, FAILED) else "skipped"
            evidence.checks.append(Check(NAMES[test], kept, after.detail(test)))
    if after.status("in_place") == FAILED:
        evidence.checks.append(Check(NAMES["in_place"], FAILED, after.detail("in_place")))
    wrong = "; ".join(dict.fromkeys(evidence.wrong))
    if wrong:
        evidence.checks.append(Check(NAMES["reproduction"], FAILED, wrong))
    elif evidence.reproduced:
        evidence.checks.append(Check(NAMES["reproduction"], PASSED, _counted(evidence.reproduced)))
    else:
        evidence.checks.append(Check(NAMES["reproduction"], "skipped", "; ".join(evidence.reasons)))
    if evidence.own is not None:
        own = evidence.own
        status = {PASSED: PASSED, FAILED: FAILED}.get(_own(evidence), "skipped")
        detail = "" if status == PASSED else f"exit code {own.exit_code}: {_last(own.tail)}"
        evidence.checks.append(Check(own.name, status, detail))


def _counted(reproduced: set[int]) -> str:
    count = len(reproduced)
    return f"{count} recorded call{'s' if count > 1 else ''} failed on the old code and not on the new"


def _own(evidence: Evidence) -> str:
    """passed, failed, or '' when they say nothing."""
    run = evidence.own
    if run is None:
        return ""
    if run.exit_code == 0:
        return PASSED
    return FAILED if evidence.asked or run.exit_code not in _UNTOLD else ""


def _last_line(seen: Seen | None) -> str:
    return _last(seen.run.tail) if seen is not None else "it was not run"


def _last(tail: str) -> str:
    lines = [line for line in tail.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
