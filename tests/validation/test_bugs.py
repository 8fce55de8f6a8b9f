"""Twenty genuine bugs: red on the old code, green on the corrected, red on a wrong correction."""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import NewCorrection, record
from tocsin.daemon.corrections.validation import Options, Outcome, case_of, validate
from tocsin.daemon.store.database import Store

BUGS = Path(__file__).parents[2] / "examples" / "bugs"

NOW = 4_000_000_000.0
NAMES = sorted(path.stem for path in (BUGS / "broken").glob("*.py"))
PLAIN = Options(pytest=False)


class Desk:
    """A developer with one bug on the desk."""

    def __init__(self, name: str, store: Store, config: Config, checkout: Path) -> None:
        self.name, self.store, self.config, self.checkout = name, store, config, checkout
        self.file = checkout / "app" / f"{name}.py"
        self.id = next(e.id for e in queries.errors(store) if e.module == f"app.{name}")

    def correct(self, variant: str) -> None:
        """The file becomes the variant's, and that is recorded."""
        old, new = self.file.read_text(), (BUGS / variant / self.file.name).read_text()
        self.file.write_text(new)
        before, after = changed(old.splitlines(True), new.splitlines(True))
        change = NewCorrection(self.id, f"app/{self.name}.py", before, after, "", "copilot")
        record(self.store, self.config, [change], project=self.checkout, now=NOW)

    def validate(self, options: Options = PLAIN, *, described: bool = True) -> Outcome:
        case = case_of(report.chosen(self.store, [self.id])[0])
        if not described:
            case = structs.replace(case, calls=[structs.replace(call, described=None) for call in case.calls])
        return validate(case, self.checkout, options, "2026-11-22T00:00:00Z")


def changed(old: list[str], new: list[str]) -> tuple[str, str]:
    """The lines that differ, from the first to the last."""
    blocks = [b for b in difflib.SequenceMatcher(None, old, new, False).get_opcodes() if b[0] != "equal"]
    (_, a, _, c, _), (_, _, b, _, d) = blocks[0], blocks[-1]
    return "".join(old[a:b]), "".join(new[c:d])


@pytest.fixture
def desk(request: pytest.FixtureRequest, store: Store, config: Config, checkout: Path) -> Desk:
    return Desk(request.param, store, config, checkout)


def test_there_are_twenty_bugs_and_each_is_an_error_of_its_own(store: Store) -> None:
    assert len(NAMES) == 20
    assert sorted(error.module for error in queries.errors(store)) == [f"app.{name}" for name in NAMES]


@pytest.mark.parametrize("desk", NAMES, indirect=True)
def test_a_correction_is_green_and_the_old_code_red(desk: Desk) -> None:
    desk.correct("corrected")
    outcome = desk.validate()
    assert (outcome.status, outcome.reproduced) == ("passed", True), outcome
    shutil.copy(BUGS / "broken" / desk.file.name, desk.file)
    assert desk.validate().status == "failed"


@pytest.mark.parametrize("desk", NAMES, indirect=True)
def test_a_wrong_correction_is_never_good(desk: Desk) -> None:
    desk.correct("wrong")
    outcome = desk.validate()
    assert (outcome.status, outcome.reproduced) == ("failed", True), outcome
    assert "came back" in outcome.summary or "another error" in outcome.summary


OBJECTS = ("object_argument", "wants_arguments")


@pytest.mark.parametrize("desk", OBJECTS, indirect=True)
def test_what_an_older_handler_told_of_objects_cannot_be_called_again(desk: Desk) -> None:
    desk.correct("corrected")
    outcome = desk.validate(described=False)
    assert (outcome.status, outcome.reproduced) == ("pending", False), outcome
    assert "not plain data" in outcome.summary or "made without arguments" in outcome.summary
    assert "--command" in outcome.summary


@pytest.mark.parametrize("desk", OBJECTS, indirect=True)
def test_what_cannot_be_called_again_passes_with_the_projects_own_tests_and_says_so(desk: Desk) -> None:
    desk.correct("corrected")
    tests = desk.checkout / "tests"
    tests.mkdir()
    call = {"object_argument": "label(m.Order(17, None))", "wants_arguments": "Shelf(0).free(0)"}[desk.name]
    (tests / "test_own.py").write_text(f"import app.{desk.name} as m\n\ndef test_it():\n    m.{call}\n")
    own = Options(pytest=False, command="python -m pytest -q tests")
    outcome = desk.validate(own, described=False)
    assert outcome.status == "passed", outcome
    assert "Not reproduced" in outcome.summary
    assert "own tests pass" in outcome.summary


@pytest.mark.parametrize("command", ["-m pytest -q tests", "-m unittest discover -s tests -t ."])
@pytest.mark.parametrize("desk", ["dataclass_argument", "flask_view", "django_settings"], indirect=True)
def test_the_test_that_stays_has_a_name_and_both_runners_know_it(desk: Desk, command: str) -> None:
    desk.correct("corrected")
    (desk.checkout / "tests").mkdir()
    (desk.checkout / "tests" / "__init__.py").touch()
    written = desk.validate(Options(pytest=False, write=True)).written
    assert written is not None
    function = {"dataclass_argument": "label", "flask_view": "price", "django_settings": "shipping"}[
        desk.name
    ]
    assert written == f"tests/test_{desk.name}_{function}.py"
    run = [sys.executable, *command.split()]
    done = subprocess.run(run, cwd=desk.checkout, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "4 passed" in done.stdout or "Ran 4 tests" in done.stderr) == (0, True), (
        done.stderr
    )
    shutil.copy(BUGS / "broken" / desk.file.name, desk.file)
    assert subprocess.run(run, cwd=desk.checkout, capture_output=True, timeout=60).returncode == 1


@pytest.mark.parametrize("desk", ["wrong_key"], indirect=True)
def test_pytest_runs_the_generated_test_where_it_is_installed(desk: Desk) -> None:
    desk.correct("corrected")
    outcome = desk.validate(Options())
    assert (outcome.status, outcome.reproduced) == ("passed", True), outcome
    assert [run.exit_code for run in outcome.runs] == [0, 1]
    assert all("pytest" in run.command for run in outcome.runs)
