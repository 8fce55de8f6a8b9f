"""The doctor: green on a healthy installation; each of 25 and more broken ones found, with its remedy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.installation import PASSWORD, USER, Installation
from support.running import short_place

from tocsin.daemon.config import parse
from tocsin.daemon.operations import environment
from tocsin.daemon.operations.environment import problem
from tocsin.daemon.reason import Reason

DAY = 86400.0
Break = Callable[[Installation], dict[str, Any] | None]


@pytest.fixture(scope="module")
def healthy() -> Iterator[Installation]:
    with short_place() as place:
        clinic = Installation(place)
        clinic.heard()
        yield clinic
        clinic.close()


@pytest.fixture
def patient(healthy: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """The healthy one; what a test wrote into its configuration is taken back."""
    monkeypatch.setenv("TOCSIN_SPOOL", healthy.settings["TOCSIN_SPOOL"])
    yield healthy
    healthy.configure()
    healthy.config.chmod(0o644)


@pytest.fixture
def stopped(healthy: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A copy of it whose daemon does not run, to do with as one likes."""
    with short_place() as place:
        clinic = healthy.twin(place)
        monkeypatch.setenv("TOCSIN_SPOOL", clinic.settings["TOCSIN_SPOOL"])
        yield clinic
        clinic.close()


def test_a_healthy_installation_gets_one_green_line_and_exit_code_0(patient: Installation) -> None:
    done = patient.tocsin("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert "checks are well" in done.stdout


def test_a_problem_is_told_with_its_remedy_and_exit_code_1(patient: Installation) -> None:
    patient.configure(daemon='socket_group = "no-such-group"')
    done = patient.tocsin("doctor")
    assert done.returncode == 1
    assert "groupadd --system no-such-group" in done.stdout


def test_json_names_part_text_and_remedy_of_good_and_bad(patient: Installation) -> None:
    patient.configure(more='[[service]]\nname = "billing"')
    found = patient.ask("doctor")
    assert {tuple(sorted(one)) for one in found} == {("ok", "part", "remedy", "text")}
    assert [one["part"] for one in found if not one["ok"]] == ["applications"]


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o7777
    path.chmod(bits)
    yield
    path.chmod(before)


@contextmanager
def owned(path: Path, uid: int) -> Iterator[None]:
    os.chown(path, uid, -1)
    yield
    os.chown(path, os.geteuid(), -1)


@contextmanager
def written(path: Path, text: str, bits: int = 0o600) -> Iterator[None]:
    path.write_text(text)
    path.chmod(bits)
    yield
    path.unlink()


def check(clinic: Installation, part: str, text: str, remedy: str, **how: Any) -> None:
    """The problem is found; everything found says what to do."""
    problems = [finding for finding in clinic.examine(**how) if not finding.ok]
    assert [one for one in problems if one.part == part and text in one.text and remedy in one.remedy], (
        problems
    )
    assert all(finding.remedy for finding in problems)


CONFIGURATIONS = [
    ("tickets = 3", "", "configuration", "daemon.tickets", "tocsin init"),
    ("", "language = 'klingon'", "configuration", "mail.language", "tocsin init"),
    ("[[[", "", "configuration", "not valid TOML", "tocsin init"),
    ("", "password_file = '/no/such/file'", "configuration", "mail.password_file", "Correct"),
    ("", "templates = '/no/such/templates'", "mail", "there is no such directory", "Correct the template"),
    ("socket_group = 'daemon'", "", "socket", "the group daemon may not connect", "Restart the daemon"),
]


@pytest.mark.parametrize(("daemon", "mail", "part", "text", "remedy"), CONFIGURATIONS)
def test_a_wrong_setting_is_found(
    patient: Installation, daemon: str, mail: str, part: str, text: str, remedy: str
) -> None:
    patient.configure(daemon=daemon, mail=mail)
    check(patient, part, text, remedy)


def test_a_database_password_for_all_to_read_is_found(stopped: Installation) -> None:
    stopped.configure(more='[database]\nurl = "postgresql://tocsin:secret@127.0.0.1:1/none"')
    check(stopped, "configuration", "everybody may read it", "chmod o=")
    check(stopped, "database", "postgresql://tocsin:***@127.0.0.1", "Start the database server")


ENVIRONMENTS: list[tuple[dict[str, str], str, str, str]] = [
    ({"SMTP_HOST": ""}, "mail", "SMTP_HOST is not set", "Set SMTP_HOST"),
    ({"SMTP_PORT": "1"}, "mail", "connection", "Check SMTP_HOST"),
    ({"SMTP_HOST": "no-such-host.invalid"}, "mail", "name", "SMTP_HOST"),
    ({"SMTP_USER": USER, "SMTP_PASS": "wrong"}, "mail", "log-in", "SMTP_PASS"),
    ({"SMTP_SECURITY": "starttls"}, "mail", "TLS", "SMTP_SECURITY"),
    ({"SMTP_PORT": "many"}, "configuration", "SMTP_PORT", "Correct"),
]


@pytest.mark.parametrize(("environ", "part", "text", "remedy"), ENVIRONMENTS)
def test_a_mail_server_that_takes_no_mails_is_found(
    patient: Installation, environ: dict[str, str], part: str, text: str, remedy: str
) -> None:
    check(patient, part, text, remedy, **environ)


def test_a_right_password_is_no_problem(patient: Installation) -> None:
    found = patient.examine(SMTP_USER=USER, SMTP_PASS=PASSWORD)
    assert [finding for finding in found if not finding.ok] == []


def test_what_clients_would_miss_in_their_mails_is_found(stopped: Installation) -> None:
    stopped.tocsin("clients", "add", "acme", "--email", "it@acme.example")
    check(stopped, "mail", "mails leave without a link", "Set console.url")
    check(stopped, "mail", "the clients' mails are not signed", "[organisation]")
    stopped.configure(more='[organisation]\nname = "Us"\n[console]\nurl = "https://help.example.org"')
    texts = [finding.text for finding in stopped.examine() if finding.part == "mail"]
    assert not [text for text in texts if "link" in text or "signed" in text]


def test_files_that_others_can_read_or_change_are_found(patient: Installation) -> None:
    with ExitStack() as broken:
        broken.enter_context(mode(patient.config, 0o666))
        broken.enter_context(written(patient.place / ".env", "SMTP_PASS=x", 0o644))
        broken.enter_context(mode(patient.state, 0o755))
        check(patient, "configuration", "can be changed by others", "chmod go-w")
        check(patient, "secrets", ".env can be read by others", "chmod 600")
        check(patient, "state", "open to others", "chmod 700")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_the_wrong_owner_are_found(stopped: Installation) -> None:
    with owned(stopped.database, 65534), owned(stopped.state / "report", 65534):
        check(stopped, "database", "belongs to nobody", "chown")
        check(stopped, "pages", "belongs to nobody", "chown -R")


def test_a_report_directory_that_is_a_file_is_found(patient: Installation) -> None:
    with written(patient.place / "file", ""):
        patient.configure(more=f'[report]\ndir = "{patient.place}/file"')
        check(patient, "pages", "is no directory", "Name another")


def test_too_little_room_is_found(patient: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "FREE_LEAST", 1 << 60)
    check(patient, "disk", "MB are free", "retention")


def test_a_daemon_that_never_ran_is_found(healthy: Installation) -> None:
    with short_place() as place:
        fresh = Installation(place)
        check(fresh, "state", "is not there", "tocsin daemon")
        check(fresh, "database", "is not there", "tocsin daemon")
        fresh.close()


def test_a_daemon_that_does_not_run_is_found(stopped: Installation) -> None:
    check(stopped, "daemon", "not running", "systemctl start tocsin", now=time.time() + 3600)


def test_a_daemon_that_is_stuck_is_found(patient: Installation) -> None:
    check(patient, "daemon", "not seen alive", "systemctl restart tocsin", now=time.time() + 3600)


def test_a_socket_somebody_removed_is_found(patient: Installation) -> None:
    path = patient.place / "s"
    path.rename(patient.place / "t")
    check(patient, "socket", "somebody removed it", "Restart the daemon")
    (patient.place / "t").rename(path)


def test_a_socket_open_to_all_is_found(patient: Installation) -> None:
    with mode(patient.place / "s", 0o777):
        check(patient, "socket", "everybody may connect", "chmod o=")


def test_a_socket_path_that_is_too_long_is_found(patient: Installation) -> None:
    patient.configure()
    text = patient.config.read_text().replace(patient.endpoint, f"ipc://{patient.place}/{'s' * 120}")
    patient.config.write_text(text)
    check(patient, "socket", "too long", "daemon.listen")


def test_a_tcp_address_where_nobody_listens_is_found(patient: Installation) -> None:
    patient.config.write_text(patient.config.read_text().replace(patient.endpoint, "tcp://127.0.0.1:1"))
    check(patient, "socket", "refused", "firewall")


def test_a_file_that_is_no_database_is_found(stopped: Installation) -> None:
    stopped.database.write_bytes(b"not a database at all" * 500)
    check(stopped, "database", "not a database", "tocsin restore")


def test_a_damaged_database_is_found(stopped: Installation) -> None:
    data = bytearray(stopped.database.read_bytes())
    for page in range(4096 * 6, len(data), 4096):
        data[page + 8 : page + 1000] = b"\xff" * 992
    stopped.database.write_bytes(data)
    check(stopped, "database", "", "tocsin restore")


STATES = [
    ("DELETE FROM schema_migration", "database", "older than this tocsin", "makes a backup"),
    ("ALTER TABLE sessions RENAME COLUMN clock_offset TO clock",
     "database", "no column clock_offset", "move the database away"),
    ("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2030-01-01')",
     "database", "newer tocsin", "pip install"),
    ("UPDATE daemon_runs SET alive_until = '2040-01-01 00:00:00'", "clock", "was up at 2040", "timedatectl"),
    ("UPDATE sessions SET backlog = 900, ended_at = last_heard", "spool", "left undelivered", "tocsin ship"),
    ("INSERT INTO losses (session_id, reason, count) SELECT id, 'not_held_any_more', 1 FROM sessions",
     "losses", "not_held_any_more", "restored from a backup"),
    ("INSERT INTO losses (session_id, reason, count) SELECT id, 'spool_full', 7 FROM sessions",
     "losses", "7 events were lost", "spool_limit"),
    ("INSERT INTO quarantine (session_id, position, reason, body, received_at) "
     "VALUES ('x', 1, 'unreadable', x'00', '2026-01-01')", "quarantine", "1 records", "one version"),
    ("DELETE FROM sessions", "applications", "never heard", "python -m tocsin.handler test"),
    ("UPDATE sessions SET last_heard = '2026-01-01 00:00:00'", "applications", "heard 2026", "Start it"),
    ("UPDATE outbox SET state = 'failed'", "mails", "could not be delivered", "retry --all"),
    ("UPDATE outbox SET state = 'held', created_at = '2026-01-01 00:00:00'", "mails", "wait for your release",
     "release --all"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "part", "text", "remedy"), STATES)
def test_a_state_that_needs_somebody_is_found(
    stopped: Installation, sql: str, part: str, text: str, remedy: str
) -> None:
    stopped.sql("PRAGMA foreign_keys = OFF", "DELETE FROM session_intervals", sql)
    check(stopped, part, text, remedy)


def test_a_check_that_is_overdue_and_pages_that_are_not_written_are_found(stopped: Installation) -> None:
    later = time.time() + DAY
    stopped.sql(
        "UPDATE daemon_runs SET stopped = 0, "
        f"alive_until = strftime('%Y-%m-%d %H:%M:%f', {later}, 'unixepoch')"
    )
    check(stopped, "watches", "overdue", "tocsin check", now=later)
    check(stopped, "pages", "not written any more", "tocsin report", now=later)


def test_a_daemon_that_has_just_started_is_not_blamed_for_pages_still_to_be_written(tmp_path: Path) -> None:
    config = parse({"report": {"dir": str(tmp_path)}}, {})
    assert environment.pages(config, 1000.0, 1001.0).ok
    assert not environment.pages(config, 1000.0, 9999.0).ok


def test_an_application_whose_clock_is_wrong_is_found(stopped: Installation) -> None:
    stopped.sql("UPDATE sessions SET clock_offset = -300, ended_at = NULL, live = 1, interval = 3600")
    check(stopped, "clock", "+300 s off", "timedatectl")


def test_errors_that_dead_processes_left_here_are_found(
    patient: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_SPOOL", str(tmp_path))
    patient.application("shop", f"ipc://{patient.place}/nobody", tmp_path, 0.1, 1)
    check(patient, "spool", "1 dead processes left errors", "tocsin ship")


def test_a_finding_is_told_in_the_reader_s_language() -> None:
    found = problem(
        "database",
        Reason("%(path)s is not there", path="/x.db"),
        Reason("Name the one you mean: --config FILE"),
    )
    assert (found.text, found.remedy) == ("/x.db is not there", "Name the one you mean: --config FILE")
    french = found.said("fr")
    assert (french.text, french.remedy) == (
        "/x.db n’existe pas", "Nommez celle que vous voulez\N{NO-BREAK SPACE}: --config FILE",
    )  # fmt: skip
