"""`make mutants`: mutmut over the pure core, in a copy of the code that is laid out as it is installed.

A mutant is the code with one small change. One that no test notices, a survivor, is either a missing test or stands
with its reason in docs/mutants.md. mutmut changes what functions do; module-level values (the life-cycle's table, the
patterns) are left alone by it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass, field
from difflib import ndiff
from itertools import takewhile
from pathlib import Path

from mutmut.configuration import reset_config
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import (
    get_mutant_name,
    mangled_name_from_mutant_name,
    orig_function_and_class_names_from_key,
)

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "mutants.md"
LEAST = 0.9
"""The part of all mutants that has to die."""

AROUND = 40
"""Characters shown beside a change."""

CORE: dict[str, tuple[str, ...]] = {
    "daemon/tickets/lifecycle.py": ("tests/daemon/test_lifecycle.py",),
    "daemon/tickets/evidence.py": ("tests/daemon/test_evidence.py",),
    "daemon/store/intervals.py": ("tests/daemon/test_intervals.py", "tests/daemon/test_evidence.py"),
    "daemon/grouping/mask.py": ("tests/signature/test_mask.py",),
    "daemon/grouping/sign.py": ("tests/signature/test_sign.py",),
    "handler/protocol/wire.py": ("tests/handler/test_wire.py",),
    "handler/shipping/delivery.py": ("tests/handler/test_delivery.py", "tests/handler/test_observed.py"),
    "handler/capture/scrub.py": (
        "tests/handler/test_scrub.py",
        "tests/security/test_source_secrets.py",
        "tests/security/test_planted.py",
    ),
    "handler/spool/frames.py": ("tests/handler/test_frames.py",),
    "daemon/ingest/tally.py": ("tests/daemon/test_tally.py",),
}
"""Module -> the test files that hold it: mutmut runs, per mutant, those of their tests that call its function."""

ARGUMENTS = (
    *("-p", "tests.support.mutant_profile", "--hypothesis-profile=mutants", "-p", "no:cacheprovider"),
    *("-k", "not slow and not linear_time and not costs_no_more and not grows_faster"),
)
"""Of pytest. Tests that measure time prove nothing beside other processes."""

CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {only_mutate}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = {arguments}
timeout_constant = 1.0
timeout_multiplier = 8.0
track_dependencies = false
use_git_change_detection = false
"""


@dataclass(frozen=True)
class Change:
    """What a mutant is: `before` became `after` in `function` of `module`."""

    module: str
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"`{self.module}` `{self.function}`: `` {self.before} `` → `` {self.after} ``"


@dataclass
class Outcome:
    """What became of a module's mutants."""

    killed: int = 0
    timeouts: int = 0
    survived: int = 0
    """Those that no test calls included."""
    survivors: list[Change] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        return self.killed + self.timeouts + self.survived

    @property
    def rate(self) -> float:
        return (self.killed + self.timeouts) / self.mutants if self.mutants else 1.0


class Stage:
    """A copy of code and tests in `directory`, with `src/tocsin` as the packages are installed."""

    def __init__(self, directory: Path, modules: Sequence[str] = tuple(CORE)) -> None:
        self.directory = directory
        self.modules = modules
        shutil.rmtree(directory, ignore_errors=True)
        for top in ("handler", "daemon", "reports"):
            self._copy(ROOT / top, directory / "src" / "tocsin" / top)
        self._copy(ROOT / "tests", directory / "tests")
        tests = sorted({test for module in modules for test in CORE[module]})
        config = CONFIG.format(
            only_mutate=json.dumps([f"src/tocsin/{module}" for module in modules]),
            tests=json.dumps(tests),
            arguments=json.dumps(ARGUMENTS),
        )
        settings = (ROOT / "pyproject.toml").read_text("utf-8")
        (directory / "pyproject.toml").write_text(settings + config, "utf-8")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))

    def mutants(self) -> dict[str, Change]:
        """All mutants by their names."""
        with chdir(self.directory):
            reset_config()
            found = {name: change for module in self.modules for name, change in self._mutants_of(module)}
            reset_config()
        return found

    @staticmethod
    def _mutants_of(module: str) -> Iterator[tuple[str, Change]]:
        path = Path("src/tocsin") / module
        mutated = mutate_file_contents(str(path), path.read_text("utf-8"))
        bodies = {
            node.name: [line.strip() for line in ast.unparse(node).replace(node.name, "", 1).splitlines()]
            for node in ast.walk(ast.parse(mutated.code))
            if isinstance(node, ast.FunctionDef)
        }
        for short in mutated.mutant_names:
            function, owner = orig_function_and_class_names_from_key(short)
            original = bodies[mangled_name_from_mutant_name(short) + "__mutmut_orig"]
            diff = list(ndiff(original, bodies[short]))
            before, after = _around(
                *(" ".join(line[2:] for line in diff if line[0] == sign) for sign in "-+")
            )
            name = f"{owner}.{function}" if owner else function
            yield get_mutant_name(path, short), Change(module, name, before, after)

    def run(self, names: Iterable[str] = ()) -> None:
        """Tries the named mutants, or all."""
        command = [str(Path(sys.executable).with_name("mutmut")), "run", *names]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        with (self.directory / "log").open("wb") as log:
            done = subprocess.run(
                command, cwd=self.directory, env=environment, stdout=log, stderr=log, check=False
            )
        if done.returncode:
            raise RuntimeError(f"mutmut failed:\n{(self.directory / 'log').read_text('utf-8')[-4000:]}")

    def statuses(self) -> dict[str, str]:
        """What became of the mutants that were tried."""
        found: dict[str, str] = {}
        for module in self.modules:
            meta = self.directory / "mutants" / "src" / "tocsin" / f"{module}.meta"
            codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
            found |= {name: status_by_exit_code[code] for name, code in codes.items() if code is not None}
        return found

    def outcomes(self) -> dict[str, Outcome]:
        """The mutants that were tried, by module."""
        changes = self.mutants()
        found = {module: Outcome() for module in self.modules}
        for name, status in self.statuses().items():
            outcome = found[changes[name].module]
            if status in ("survived", "no tests"):
                outcome.survived += 1
                outcome.survivors.append(changes[name])
            elif status == "timeout":
                outcome.timeouts += 1
            else:
                outcome.killed += 1
        return found


def _around(before: str, after: str) -> tuple[str, str]:
    """Two texts of one line each, cut to what differs with some of what stands around it."""
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    begin = max(first - AROUND, 0)
    cut = []
    for text in (before, after):
        end = len(text) - last + AROUND
        cut.append("…" * bool(begin) + text[begin:end] + "…" * (end < len(text)))
    return cut[0], cut[1]


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def explained() -> set[Change]:
    """The survivors that docs/mutants.md gives a reason for."""
    row = re.compile(r"^- `([\w/.]+)` `([\w.]+)`: `` (.*?) `` → `` (.*?) ``$", re.MULTILINE)
    return {Change(*found) for found in row.findall(DOCS.read_text("utf-8"))}


def main(modules: Sequence[str]) -> int:
    stage = Stage(ROOT / "build" / "mutants", modules or tuple(CORE))
    stage.run()
    outcomes = stage.outcomes()
    total = Outcome(
        *(sum(getattr(one, name) for one in outcomes.values()) for name in ("killed", "timeouts", "survived"))
    )
    print(f"{'':32} mutants  killed  timeouts  survived")
    for name, one in [*outcomes.items(), ("all", total)]:
        print(f"{name:32} {one.mutants:7} {one.killed:7} {one.timeouts:9} {one.survived:9}  {one.rate:.1%}")
    missing = [change for one in outcomes.values() for change in one.survivors if change not in explained()]
    tried = set(stage.mutants().values())
    stale = [change for change in explained() if change.module in outcomes and change not in tried]
    if stale:
        print("\nIn docs/mutants.md, and no mutant any more:", *(f"- {change}" for change in stale), sep="\n")
    if missing:
        print("\nWithout a reason in docs/mutants.md:", *(f"- {change}" for change in missing), sep="\n")
    result = {
        "rate": round(total.rate, 4),
        "modules": {name: asdict(one) | {"rate": round(one.rate, 4)} for name, one in outcomes.items()},
        "without_a_reason": len(missing),
    }
    (ROOT / "build" / "mutants.json").write_text(
        json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    return int(bool(missing or stale) or total.rate < LEAST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
