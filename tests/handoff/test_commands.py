"""From the report to the validated correction, on the server and away from it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.world import World

from tocsin.daemon.store.models import Watch

OLD, NEW = "return PRICES[sku]", "return PRICES.get(sku, 0)"
CORRECT = ("correct", 1, "--file", "shop/orders.py", "--old", OLD, "--new", NEW, "--by", "copilot")


@pytest.fixture(autouse=True)
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated tests run without pytest, which takes its time to start; one test here does use it."""
    if request.function.__name__ != "test_results_are_kept_with_the_correction_and_shown":
        monkeypatch.setattr(
            "tocsin.daemon.corrections.validation.run._versions", lambda python: {"python": python}
        )


def test_a_passed_validation_moves_the_ticket_to_monitoring_and_restarts_the_watch(
    failed: World, command, project: Path
) -> None:
    assert command(*CORRECT, "--project", project).exit_code == 0
    with failed.store.reading():
        before = Watch.get().quiet_since
    done = command("validate", 1, "--project", project, "--by", "copilot")
    assert done.exit_code == 0, done.output
    assert "Reproduced: the old code fails" in done.output
    ticket = failed.tickets()[0]
    assert ticket.status == "monitoring"
    assert failed.history(ticket)[-2:] == ["validated", "status_changed"]
    assert failed.mails()[-1] == ("validated", "ops@tocsin.example")
    with failed.store.reading():
        assert Watch.get().quiet_since > before


def test_a_failed_validation_holds_the_ticket_and_tells_the_admin(
    failed: World, command, project: Path
) -> None:
    command(*CORRECT, "--project", project)
    path = project / "shop" / "orders.py"
    path.write_text(path.read_text().replace(NEW, OLD))
    assert command("validate", 1, "--project", project).exit_code == 1
    ticket = failed.tickets()[0]
    assert ticket.status == "in_progress"
    assert failed.history(ticket)[-1] == "validation_failed"
    assert failed.mails()[-1] == ("validation_failed", "ops@tocsin.example")
    assert command.ask("corrections")[0]["test_status"] == "failed"


def test_a_pending_validation_moves_nothing_and_is_no_success(failed: World, command, project: Path) -> None:
    command(*CORRECT, "--project", project)
    assert command("validate", 1, "--project", project, "--no-call").exit_code == 1
    assert failed.tickets()[0].status == "in_progress"
    found = command.ask("corrections")[0]
    assert (found["test_status"], found["test_results"]["status"]) == ("pending", "pending")


def test_a_pending_result_does_not_wash_out_a_failed_one(failed: World, command, project: Path) -> None:
    command(*CORRECT, "--project", project)
    path = project / "shop" / "orders.py"
    good = path.read_text()
    path.write_text(good.replace(NEW, OLD))
    command("validate", 1, "--project", project)
    path.write_text(good)
    command("validate", 1, "--project", project, "--no-call")
    assert command.ask("corrections")[0]["test_status"] == "failed"


def test_results_are_kept_with_the_correction_and_shown(failed: World, command, project: Path) -> None:
    command(*CORRECT, "--project", project)
    outcome = command.ask("validate", 1, "--project", project)
    kept = command.ask("corrections", 1)[0]["test_results"]
    assert kept == outcome
    assert {"status", "summary", "reproduced", "checks", "runs", "versions", "validated_at"} <= set(kept)
    assert "Reproduced" in command("corrections").output


def test_a_validation_without_a_correction_says_what_to_do(failed: World, command, project: Path) -> None:
    done = command("validate", 1, "--project", project)
    assert done.exit_code == 1
    assert "tocsin correct 1" in str(done.exception)


@pytest.fixture
def bundle(failed: World, command, tmp_path: Path) -> Path:
    path = tmp_path / "away.json"
    assert command("autofix", "--bundle", path).exit_code == 0
    return path


def test_a_bundle_holds_report_errors_samples_and_is_its_owners_alone(bundle: Path) -> None:
    found = json.loads(bundle.read_text())
    entry = found["errors"][0]
    assert "## Error 1" in found["report"]
    assert (entry["error"]["id"], len(entry["samples"])) == (1, 3)
    assert entry["case"]["calls"][0]["arguments"] == {"sku": "B"}
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600


def test_work_away_from_the_server_comes_back_as_a_batch(
    failed: World,
    command,
    bundle: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as away:
        away.setattr("tocsin.daemon.cli.context.open_store", None)
        assert command(*CORRECT, "--project", project, "--bundle", bundle).exit_code == 0
        done = command("validate", "--bundle", bundle, "--project", project)
        assert done.exit_code == 0, done.output
    batch = bundle.with_suffix(".batch.json")
    assert command("correct", "--batch", batch, "--project", project).exit_code == 0
    found = command.ask("corrections")
    assert [(one["applied_by"], one["test_status"]) for one in found] == [("copilot", "passed")]
    assert found[0]["test_results"]["reproduced"] is True
    assert failed.tickets()[0].status == "monitoring"
    assert command("correct", "--batch", batch, "--project", project).exit_code == 0
    assert len(command.ask("corrections")) == 1


def test_a_failed_test_away_comes_back_as_failed(failed: World, command, bundle: Path, project: Path) -> None:
    command(*CORRECT, "--project", project, "--bundle", bundle)
    path = project / "shop" / "orders.py"
    good = path.read_text()
    path.write_text(good.replace(NEW, OLD))
    assert command("validate", 1, "--bundle", bundle, "--project", project).exit_code == 1
    path.write_text(good)
    command("correct", "--batch", bundle.with_suffix(".batch.json"), "--project", project)
    assert command.ask("corrections")[0]["test_status"] == "failed"
    assert failed.tickets()[0].status == "in_progress"


def test_a_correction_recorded_before_the_bundle_gets_its_results_and_no_second_row(
    failed: World, command, project: Path, tmp_path: Path
) -> None:
    command(*CORRECT, "--project", project)
    bundle = tmp_path / "late.json"
    command("autofix", 1, "--bundle", bundle)
    assert command("validate", "--bundle", bundle, "--project", project).exit_code == 0
    command("correct", "--batch", bundle.with_suffix(".batch.json"), "--project", project)
    assert [one["test_status"] for one in command.ask("corrections")] == ["passed"]


def test_a_batch_that_claims_success_without_results_is_refused(
    failed: World, command, project: Path, tmp_path: Path
) -> None:
    item = {
        "error_id": 1,
        "file_path": "shop/orders.py",
        "old_code": OLD,
        "new_code": NEW,
        "test_status": "passed",
    }
    batch = tmp_path / "batch.json"
    for results in (None, {"status": "failed"}):
        batch.write_text(json.dumps([{**item, "test_results": results}]))
        done = command("correct", "--batch", batch, "--project", project)
        assert "not what its test_results say" in str(done.exception)
    assert command.ask("corrections") == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 99, "made_at": "", "report": "", "errors": []}']
)
def test_what_is_no_bundle_is_refused_in_a_line(command, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(content)
    done = command("validate", "--bundle", path)
    assert done.exit_code == 1
    assert "bundle" in str(done.exception)


def test_a_path_is_recorded_relative_to_the_project(failed: World, command, project: Path) -> None:
    words = list(CORRECT)
    words[3] = str(project / "shop" / ".." / "shop" / "orders.py")
    assert command(*words, "--project", project).exit_code == 0
    assert command.ask("corrections")[0]["file_path"] == "shop/orders.py"


def test_a_daemon_holds_no_code_that_validates() -> None:
    code = "import sys, tocsin.daemon.run; sys.exit(any('daemon.validation' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_what_changes_an_error_or_takes_a_correction_back_prints_json_too(
    failed: World, command, project: Path
) -> None:
    correct = ["--file", "shop/orders.py", "--old", "return 0", "--new", "return", "--by", "ana"]
    made = json.loads(command("correct", "1", *correct, "--project", str(project), "--json").stdout)
    withdrawn = json.loads(command("withdraw", str(made[0]["id"]), "--json").stdout)
    assert (withdrawn["id"], withdrawn["withdrawn_by"] != "") == (made[0]["id"], True)
    muted = json.loads(command("mute", "1", "--until-rate", "10/h", "--json").stdout)
    resolved = json.loads(command("resolve", "1", "--json").stdout)
    assert (muted["id"], muted["muted_rate"], resolved["resolved"]) == (1, 10.0, True)
