"""One validation from its case to its outcome: static checks, the calls on new and old code, own tests.

All of it happens in a copy of the project; the checkout is only read (and, when asked, given the test).
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.daemon.config_agent import filled
from tocsin.daemon.corrections.recording import CorrectionError
from tocsin.daemon.corrections.validation import generated, judge, project
from tocsin.daemon.corrections.validation.case import Call, Case, Change
from tocsin.daemon.corrections.validation.generated import Located
from tocsin.daemon.corrections.validation.judge import Evidence
from tocsin.daemon.corrections.validation.outcome import Check, Outcome, Run
from tocsin.daemon.corrections.validation.project import ProjectError, Subject
from tocsin.daemon.corrections.validation.sandbox import Limits, Sandbox, can_cut_network

_VERSIONS = """
import importlib.metadata as m, json, platform
found = {"python": platform.python_version(), "platform": platform.platform()}
for name in ("pytest", "tocsin"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print("\\n" + json.dumps(found))
"""


OWN_TESTS = "the project's own tests"


class Options(Struct, frozen=True):
    """How a validation is done."""

    python: str | None = None
    """The interpreter; default: the project's .venv or venv, else the one that runs now."""
    command: str | None = None
    """The project's own tests, always run when given; default: pytest, where nothing can be reproduced."""
    limits: Limits = Limits()
    write: bool = False
    """Leave the test in the project's test folder."""
    folder: str | None = None
    """That folder; default: tests/ or test/."""
    network: bool = False
    """Leave the network to the call that is made again."""
    own_tests: bool = False
    """Run the project's own tests also where the call was reproduced."""
    sandbox: Sequence[str] = ()
    """Put before each program, as `agent.sandbox` is; `{project}` is a directory with all that it works on."""
    environ: Mapping[str, str] | None = None
    """What each program is given; default: ours without mail and Tocsin settings."""
    reproduce: bool = True
    """Call the failing function again."""
    pytest: bool = True
    """Run the generated test with pytest where the interpreter has it."""


def validate(case: Case, root: Path, options: Options, now: str) -> Outcome:
    """Generates the error's test and runs it on the new code and on the old. `now`: ISO 8601, UTC.

    Raises ProjectError or CorrectionError when there is nothing to validate or the project cannot be used.
    """
    if not case.changes:
        raise ProjectError(
            f"no correction of error {case.error_id} is recorded: `tocsin correct {case.error_id} ...`"
        )
    root = project.root_of(root)
    with tempfile.TemporaryDirectory(prefix="tocsin-") as directory:
        return _Validation(case, root, Path(directory).resolve(), options).outcome(now)


class _Validation:
    def __init__(self, case: Case, root: Path, scratch: Path, options: Options) -> None:
        self.case = case
        self.root = root
        self.options = options
        self.scratch = scratch
        self.copy = scratch / "project"
        self.folder = project.tests_folder(root, options.folder)
        self.python = options.python or project.interpreter(root)
        self.sandbox = _sandbox(scratch, options, self.python)
        self.runs: list[Run] = []
        self.versions: dict[str, str] = {}

    def outcome(self, now: str) -> Outcome:
        judged, checks = _placed(self.root, self.case.changes)
        located, reasons = _located(self.root, self.case.calls)
        asked = self.options.command is not None
        evidence = Evidence(checks=checks, reasons=reasons, calls=len(located), asked=asked)
        if not any(check.status == "failed" for check in checks):
            project.copy(self.root, self.copy)
            self.versions = _versions(self.python)
            self._look(judged, located, evidence)
        verdict = judge.verdict(evidence)
        written = self._write(judged, located, evidence) if self.options.write else None
        return Outcome(
            error_id=self.case.error_id,
            status=verdict.status,
            summary=verdict.summary,
            reproduced=bool(evidence.reproduced),
            checks=evidence.checks,
            runs=self.runs,
            versions=self.versions,
            validated_at=now,
            change_ids=[change.id for change in judged if change.id is not None],
            written=written,
        )

    def _look(self, judged: Sequence[Change], located: Sequence[Located], evidence: Evidence) -> None:
        """New code, old code, and the project's own tests where they are asked for or all there is."""
        again = located if self.options.reproduce else ()
        if not self.options.reproduce:
            evidence.reasons.append("the call was not to be made again (--no-call)")
        content = self._data(judged, located, again)
        if again:
            evidence.checks.append(_network_check(self.options))
        current = {name: (self.copy / name).read_bytes() for name in _files(self.case.changes, self.copy)}
        evidence.after = self._generated("corrected code", content)
        texts = project.restored(self.copy, self.case.changes)
        if isinstance(texts, str):
            evidence.reasons.append(texts)
        else:
            try:
                project.write(self.copy, texts)
            except (CorrectionError, OSError) as reason:
                evidence.reasons.append(f"the old code cannot be put back: {reason}")
            else:
                evidence.before = self._generated("old code", content)
            for name, data in current.items():
                (self.copy / name).write_bytes(data)
        evidence.compare()
        if self.options.command is not None:
            evidence.own = self._own_tests(shlex.split(self.options.command))
        elif (
            (self.options.own_tests or not evidence.reproduced)
            and "pytest" in self.versions
            and project.has_tests(self.root)
        ):
            evidence.own = self._own_tests([self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"])

    def _data(
        self,
        judged: Sequence[Change],
        located: Sequence[Located],
        calls: Sequence[Located],
        *,
        kept: bool = False,
    ) -> bytes:
        return generated.data(
            self.case.error_id,
            self.folder,
            files=sorted({change.file_path for change in judged}),
            changes=() if kept else judged,
            modules=list({one.subject.file: one.subject for one in located}.values()),
            calls=calls,
            django=project.django_settings(self.root),
        )

    def _generated(self, name: str, content: bytes) -> judge.Seen:
        """Runs the generated test on the copy as it is now."""
        test = generated.write(self.copy, self.folder, generated.name_of(self.case.error_id), content)
        outcomes = self.scratch / "outcomes"
        commands = [[self.python, str(test.relative_to(self.copy))]]
        if self.options.pytest and "pytest" in self.versions:
            # What a project adds to every run (coverage, parallel runs) has no say in this one.
            pytest = [self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts="]
            commands.insert(0, [*pytest, str(test.relative_to(self.copy))])
        for command in commands:
            outcomes.unlink(missing_ok=True)
            run = self.sandbox.run(name, command, self.copy, TOCSIN_OUTCOMES=str(outcomes))
            self.runs.append(run)
            recorded = _recorded(outcomes)
            if recorded or run.exit_code is None:
                break
        test.unlink()
        test.with_suffix(".json").unlink()
        return judge.Seen(run, recorded)

    def _own_tests(self, command: list[str]) -> Run:
        if not command:
            raise ProjectError("--command is empty; write the command that runs the project's tests")
        program = self.root / command[0]
        if "/" in command[0] and program.is_file():  # such as .venv/bin/pytest, which is not in the copy
            command[0] = str(program)
        # Before an editable installation of the checkout, whose code is not what is tested.
        paths = [self.copy, self.copy / "src", os.environ.get("PYTHONPATH", "")]
        run = self.sandbox.run(
            OWN_TESTS,
            command,
            self.copy,
            network=True,
            PYTHONPATH=os.pathsep.join(str(path) for path in paths if str(path)),
        )
        self.runs.append(run)
        return run

    def _write(self, judged: Sequence[Change], located: Sequence[Located], evidence: Evidence) -> str:
        """Leaves the test in the project. With a call that proves something it need not compare the text."""
        kept = [located[index] for index in sorted(evidence.reproduced)]
        content = self._data(judged, kept or located, kept, kept=bool(kept))
        name = generated.name_for(self.case.error_id, kept, self.root / self.folder)
        test = generated.write(self.root, self.folder, name, content)
        return str(test.relative_to(self.root))


def _sandbox(scratch: Path, options: Options, python: str) -> Sandbox:
    tmp, report = scratch / "tmp", scratch / "report"
    tmp.mkdir()
    report.touch()
    values = {"project": str(scratch), "report": str(report), "tmp": str(tmp)}
    return Sandbox(
        tmp, options.limits, python, filled(options.sandbox, values), options.environ, cut=not options.network
    )


def _network_check(options: Options) -> Check:
    """Whether the call that is made again can reach anybody."""
    name = "the call is cut off from the network"
    if options.network:
        return Check(name, "skipped", "it was not to be (--network)")
    if not can_cut_network():
        return Check(name, "skipped", "this system does not let this user")
    return Check(name, "passed")


@cache
def _versions(python: str) -> dict[str, str]:
    """What the interpreter is and has. Asked once per process. Raises ProjectError when it does not run."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as directory:
        run = Sandbox(Path(directory), Limits(), python).run(
            "versions", [python, "-c", _VERSIONS], Path(directory)
        )
    try:
        return msgspec.json.decode(run.tail.strip().rpartition("\n")[2], type=dict[str, str])
    except msgspec.DecodeError:
        raise ProjectError(f"{python} does not run: {run.tail.strip()[-500:]}") from None


def _placed(root: Path, changes: Sequence[Change]) -> tuple[list[Change], list[Check]]:
    """The changes to judge, with a check each. What was recorded last must be there; what came before it may
    have been changed again since.
    """
    judged: list[Change] = []
    checks: list[Check] = []
    for change in changes:
        wrong = project.in_place(root, change)
        if wrong and change.recorded != changes[-1].recorded:
            continue
        judged.append(change)
        checks.append(Check(f"in place: {change.file_path}", "failed" if wrong else "passed", wrong))
    return judged, checks


def _subject(root: Path, module: str, path: str) -> Subject | None:
    return project.locate(root, Call(module, "", path, ""))


def _located(root: Path, calls: Sequence[Call]) -> tuple[list[Located], list[str]]:
    """The calls that can be tried, and why others cannot."""
    if not calls:
        return [], ["no exception was logged with it, or none that left the application's own code"]
    found, reasons = [], []
    for call in calls:
        subject = project.locate(root, call)
        if not call.replayable:
            reasons.append(f"the arguments of {call.function} were not plain data, nor objects made of it")
        elif subject is None:
            reasons.append(f"the project has no file for {call.path}")
        else:
            above = (_subject(root, module, path) for module, path in call.modules)
            found.append(Located(call, subject, [one for one in above if one is not None]))
    return found, list(dict.fromkeys(reasons))


def _files(changes: Sequence[Change], copy: Path) -> list[str]:
    """Files of the changes that are plain files of the copy."""
    return sorted(
        {c.file_path for c in changes if "\0" not in c.file_path and (copy / c.file_path).is_file()}
    )


def _recorded(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()[:1000]]
