"""A whole validation: copies, limits, superseded corrections, own tests, the test that stays."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.daemon.corrections.recording import CorrectionError
from tocsin.daemon.corrections.validation import (
    Call,
    Case,
    Change,
    Options,
    Outcome,
    ProjectError,
    judge,
    validate,
)
from tocsin.daemon.corrections.validation.judge import Evidence, Seen, verdict
from tocsin.daemon.corrections.validation.outcome import Check, Run
from tocsin.daemon.corrections.validation.project import locate
from tocsin.daemon.corrections.validation.sandbox import Limits, can_cut_network

OLD, NEW = "return PRICES[sku]", "return PRICES.get(sku, 0)"
PLAIN = Options(pytest=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "orders.py").write_text("PRICES = {'A': 1}\n\n\ndef price(sku):\n    " + NEW + "\n")
    return root


def case(*changes: Change, path: str = "/srv/app/shop/orders.py") -> Case:
    call = Call("shop.orders", "price", path, "KeyError", {"sku": "B"})
    return Case(7, "KeyError", [call], list(changes) or [Change("shop/orders.py", OLD, NEW)])


def run(project: Path, options: Options = PLAIN, about: Case | None = None) -> Outcome:
    return validate(about or case(), project, options, "2026-11-22T00:00:00Z")


def body(project: Path, code: str) -> Change:
    """The function's body becomes `code`; the change that says so."""
    path = project / "shop" / "orders.py"
    path.write_text(path.read_text().replace(NEW, code))
    return Change("shop/orders.py", OLD, code)


def test_the_checkout_is_left_as_it_was(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert run(project).status == "passed"
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_the_written_test_is_green_on_the_new_code_and_red_on_the_old(project: Path) -> None:
    (project / "test").mkdir()
    assert run(project, Options(pytest=False, write=True)).written == "test/test_orders_price.py"
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test"]
    assert subprocess.run(pytest_, cwd=project, capture_output=True, timeout=60).returncode == 0
    path = project / "shop" / "orders.py"
    path.write_text(path.read_text().replace(NEW, OLD))
    alone = [sys.executable, "test/test_orders_price.py"]
    assert subprocess.run(alone, cwd=project, capture_output=True, timeout=60).returncode == 1


def test_a_call_that_never_ends_is_ended_and_fails(project: Path) -> None:
    about = case(body(project, "while True: pass"))
    outcome = run(project, Options(pytest=False, limits=Limits(seconds=2.0)), about)
    assert outcome.status == "failed"
    assert "ended after 2 s" in outcome.summary


def test_a_call_that_takes_all_memory_is_another_error(project: Path) -> None:
    about = case(body(project, "return bytearray(10**10)"))
    outcome = run(project, Options(pytest=False, limits=Limits(megabytes=300)), about)
    assert outcome.status == "failed"
    assert "MemoryError" in outcome.summary


def test_a_program_that_leaves_with_success_before_the_end_proves_nothing(project: Path) -> None:
    outcome = run(project, about=case(body(project, "import os; os._exit(0)")))
    assert outcome.status == "pending"
    assert outcome.runs[0].exit_code == 0


def test_code_that_does_not_compile_fails(project: Path) -> None:
    outcome = run(project, about=case(body(project, "return (")))
    assert outcome.status == "failed"
    assert "the corrected files compile" in outcome.summary


def test_a_module_that_no_longer_imports_fails(project: Path) -> None:
    about = case(body(project, "return PRICES.get(sku)\n\n\nimport nowhere_to_be_found"))
    assert run(project, about=about).status == "failed"


def test_a_correction_that_was_corrected_again_is_passed_over(project: Path) -> None:
    first = Change("shop/orders.py", OLD, "return PRICES[sku.upper()]", recorded="1")
    second = Change("shop/orders.py", "return PRICES[sku.upper()]", NEW, recorded="2", id=9)
    outcome = run(project, about=case(first, second))
    assert (outcome.status, outcome.reproduced, outcome.change_ids) == ("passed", True, [9])


def test_what_was_recorded_last_must_be_there(project: Path) -> None:
    second = Change("shop/orders.py", NEW, "return 1", recorded="2")
    outcome = run(project, about=case(Change("shop/orders.py", OLD, NEW, recorded="1"), second))
    assert outcome.status == "failed"
    assert "the recorded new code is not in shop/orders.py" in outcome.summary


def test_line_ends_of_windows_make_no_difference(project: Path) -> None:
    path = project / "shop" / "orders.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run(project).reproduced


def test_a_source_folder_is_found(project: Path) -> None:
    (project / "src").mkdir()
    (project / "shop").rename(project / "src" / "shop")
    assert run(project, about=case(Change("src/shop/orders.py", OLD, NEW))).reproduced


@pytest.mark.parametrize("path", ["/srv/shop/orders.py", "C:\\app\\shop\\orders.py", "shop/orders.py"])
def test_a_file_is_found_wherever_the_application_ran(project: Path, path: str) -> None:
    found = locate(project, case(path=path).calls[0])
    assert found is not None
    assert (found.file, found.import_name) == ("shop/orders.py", "shop.orders")


def test_a_failing_test_of_the_project_fails_the_validation(project: Path) -> None:
    outcome = run(project, Options(pytest=False, command=f"{sys.executable} -c 'raise SystemExit(5)'"))
    assert (outcome.status, outcome.reproduced) == ("failed", True)
    assert "own tests: exit code 5" in outcome.summary


@pytest.mark.parametrize(
    ("code", "status"), [(0, "passed"), (1, "failed"), (2, "pending"), (5, "pending"), (None, "pending")]
)
def test_tests_nobody_asked_for_only_count_when_they_ran(code: int | None, status: str) -> None:
    told = [{"test": test, "status": "passed", "detail": ""} for test in judge.NAMES]
    good, own = Seen(Run("", [], 0, 1.0, ""), told), Run("own tests", [], code, 1.0, "")
    assert verdict(Evidence([], [], 0, after=good, own=own)).status == status
    asked = verdict(Evidence([], [], 0, after=good, own=own, asked=True)).status
    assert asked == ("passed" if code == 0 else "failed")


def test_without_the_call_and_without_tests_nothing_is_proved(project: Path) -> None:
    outcome = run(project, Options(pytest=False, reproduce=False))
    assert outcome.status == "pending"
    assert "--no-call" in outcome.summary


def test_secrets_and_endpoints_of_ours_do_not_reach_the_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASS", "correct-horse")
    monkeypatch.setenv("TOCSIN_ENDPOINT", "tcp://production:7571")
    code = (
        "import os, sys; sys.exit('SMTP_PASS' in os.environ or 'production' in os.environ['TOCSIN_ENDPOINT'])"
    )
    outcome = run(project, Options(pytest=False, command=f'{sys.executable} -c "{code}"'))
    assert outcome.status == "passed", outcome


ASKS = "import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()"


@pytest.mark.parametrize(("network", "status"), [(False, "failed"), (True, "passed")])
@pytest.mark.skipif(not can_cut_network(), reason="this system lets nobody have a network of his own")
def test_the_call_reaches_nobody_unless_it_is_let(project: Path, network: bool, status: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = ASKS.format(port=server.getsockname()[1]) + "; return 0"
        outcome = run(project, Options(pytest=False, network=network), case(body(project, code)))
    assert outcome.status == status, outcome.summary
    assert ("ConnectionRefusedError" in outcome.summary) == (not network)


def test_within_its_own_network_a_call_reaches_itself(project: Path) -> None:
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); "
    code += "socket.create_connection(s.getsockname(), 5).close(); return 0"
    outcome = run(project, about=case(body(project, code)))
    assert outcome.status == "passed", outcome.summary


def test_where_the_network_cannot_be_cut_off_the_result_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.daemon.corrections.validation.run.can_cut_network", lambda: False)
    (check,) = [one for one in run(project).checks if "network" in one.name]
    assert (check.status, check.detail) == ("skipped", "this system does not let this user")


def test_what_it_ran_on_and_how_long_is_kept(project: Path) -> None:
    outcome = run(project)
    assert {"python", "platform", "pytest", "tocsin"} <= set(outcome.versions)
    assert [one.name for one in outcome.runs] == ["corrected code", "old code"]
    assert all(one.seconds > 0 and "test_the_error_does_not_come_back" in one.tail for one in outcome.runs)


def test_without_a_correction_there_is_nothing_to_validate(project: Path) -> None:
    with pytest.raises(ProjectError, match="no correction of error 7 is recorded"):
        validate(Case(7, ""), project, PLAIN, "now")


def test_a_file_that_is_not_there_fails(project: Path) -> None:
    assert run(project, about=case(Change("shop/gone.py", OLD, NEW))).status == "failed"


def test_a_copy_does_not_hold_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(project / "tmp"))
    assert run(project).status == "passed"


def test_a_project_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises((ProjectError, CorrectionError), match="no directory"):
        run(tmp_path / "nothing")


@pytest.mark.parametrize("name", [*judge.NAMES, "in place: a.py", "the test ends"])
def test_no_failed_check_is_ever_called_good(name: str) -> None:
    told = [{"test": test, "status": "passed", "detail": ""} for test in judge.NAMES]
    good = Seen(Run("", [], 0, 1.0, ""), told)
    evidence = Evidence(checks=[], reasons=[], calls=1, after=good, before=good, reproduced={0})
    assert verdict(evidence).status == "passed"
    evidence.checks = [Check(name, "failed", "")]
    assert verdict(evidence).status == "failed"
