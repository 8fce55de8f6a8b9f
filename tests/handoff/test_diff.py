"""Corrections are read from a commit or a diff, so that nobody quotes code on a command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.daemon.cli import tocsin
from tocsin.daemon.corrections.diff import read_diff
from tocsin.daemon.corrections.recording import CorrectionError

OLD = "PRICES = {'A': 1}\n\n\ndef price(sku):\n    return PRICES[sku]\n"
IDENTITY = ("-c", "user.name=Ana Martin", "-c", "user.email=ana@example.org")


def git(project: Path, *words: str) -> bytes:
    return subprocess.run(
        ("git", "-C", str(project), *IDENTITY, *words), check=True, capture_output=True
    ).stdout


def commit(project: Path, subject: str) -> None:
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", subject)


@pytest.fixture
def checkout(project: Path) -> Path:
    """The developer's checkout under git: its last commit is the correction."""
    orders = project / "shop" / "orders.py"
    corrected = orders.read_text()
    git(project, "init", "-q")
    orders.write_text(OLD)
    commit(project, "Sell")
    orders.write_text(corrected)
    commit(project, "An unknown article is free")
    return project


def changes(diff: str) -> list[tuple[str, str, str]]:
    found = read_diff(diff.encode("utf-8", "surrogateescape"), 1, "ana", "").changes
    return [(one.file_path, one.old_code, one.new_code) for one in found]


def test_a_commit_is_recorded_with_its_author_and_subject(failed, command, checkout: Path) -> None:
    [kept] = command.ask("correct", 1, "--commit", "HEAD", "--project", checkout)
    assert (kept["file_path"], kept["applied_by"], kept["description"]) == (
        "shop/orders.py", "Ana Martin", "An unknown article is free",
    )  # fmt: skip
    assert "-    return PRICES[sku]" in command("corrections", 1).stdout


def test_who_and_why_may_be_said_otherwise(failed, command, checkout: Path) -> None:
    words = ("--project", checkout, "--by", "copilot", "--description", "free")
    [kept] = command.ask("correct", 1, "--commit", "HEAD", *words)
    assert (kept["applied_by"], kept["description"]) == ("copilot", "free")


def test_a_commit_twice_is_one_correction(failed, command, checkout: Path) -> None:
    for _ in range(2):
        command("correct", 1, "--commit", "HEAD", "--project", checkout)
    assert len(command.ask("corrections", 1)) == 1


def test_paths_are_those_below_the_project(failed, command, checkout: Path) -> None:
    [kept] = command.ask("correct", 1, "--commit", "HEAD", "--project", checkout / "shop")
    assert kept["file_path"] == "orders.py"


def test_the_first_commit_of_a_project_is_read_too(failed, command, project: Path) -> None:
    git(project, "init", "-q")
    commit(project, "All of it")
    [kept] = command.ask("correct", 1, "--commit", "HEAD", "--project", project)
    assert kept["old_code"] == ""


def test_of_a_merge_is_recorded_what_it_brought(failed, command, checkout: Path) -> None:
    git(checkout, "checkout", "-q", "-b", "fix")
    (checkout / "tax.py").write_text("RATE = 20\n")
    commit(checkout, "Tax")
    git(checkout, "checkout", "-q", "-")
    git(checkout, "merge", "-q", "--no-ff", "-m", "Merge the tax", "fix")
    kept = command.ask("correct", 1, "--commit", "HEAD", "--project", checkout)
    assert [one["file_path"] for one in kept] == ["tax.py"]


def test_a_diff_comes_from_standard_input(failed, command, checkout: Path) -> None:
    diff = git(checkout, "diff", "HEAD~1")
    words = ("correct", "1", "--diff", "-", "--by", "ana", "--project", str(checkout))
    done = CliRunner().invoke(tocsin, ["--config", str(command.config), *words], input=diff)
    assert done.exit_code == 0, done.output
    [kept] = command.ask("corrections", 1)
    assert "return PRICES.get(sku, 0)" in kept["new_code"]


def test_without_a_name_it_is_git_s(failed, command, checkout: Path) -> None:
    git(checkout, "config", "user.name", "Ana")
    [kept] = command.ask("correct", 1, "--file", "shop/orders.py", "--old", "return PRICES[sku]", "--new",
                         "return PRICES.get(sku, 0)", "--project", checkout)  # fmt: skip
    assert kept["applied_by"] == "Ana"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--commit", "nonsense"), "there is no commit 'nonsense'"),
        (("--commit", "--output=x"), "there is no commit '--output=x'"),
        (("--commit", "HEAD", "--file", "x.py"), "these do not go together: --commit, --file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(failed, command, checkout: Path, words, said) -> None:
    done = command("correct", 1, *words, "--project", checkout)
    assert done.exit_code != 0
    assert said in f"{done.output}{done.exception}"
    assert not (checkout / "x").exists()


def test_a_directory_without_git_is_said(failed, command, project: Path) -> None:
    done = command("correct", 1, "--commit", "HEAD", "--project", project)
    assert "not a git repository" in f"{done.output}{done.exception}"


def test_nothing_that_a_checkout_names_is_run(failed, command, checkout: Path, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    program.chmod(0o755)
    (checkout / ".git" / "info" / "attributes").write_text("*.py diff=own\n")
    for key in ("diff.external", "diff.own.command", "diff.own.textconv", "core.fsmonitor", "core.pager",
                "gpg.program"):  # fmt: skip
        git(checkout, "config", key, str(program))
    git(checkout, "config", "log.showSignature", "true")
    assert command("correct", 1, "--commit", "HEAD", "--project", checkout).exit_code == 0
    assert not witness.exists()


def test_a_renamed_file_has_its_new_name() -> None:
    diff = (
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
        "--- a/old.py\n+++ b/new.py\n@@ -1,2 +1,2 @@\n x\n-a\n+b\n"
    )
    assert changes(diff) == [("new.py", "x\na\n", "x\nb\n")]


def test_a_deleted_file_is_its_whole_code() -> None:
    head = "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n"
    diff = head + "--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
    assert changes(diff) == [("gone.py", "a\n", "")]


def test_a_path_that_git_quotes_is_read() -> None:
    diff = '--- "a/caf\\303\\251 \\"1\\".py"\n+++ "b/caf\\303\\251 \\"1\\".py"\n@@ -1 +1 @@\n-a\n+b\n'
    assert changes(diff) == [('café "1".py', "a\n", "b\n")]


def test_a_diff_without_prefixes_keeps_its_paths() -> None:
    assert changes("--- a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n") == [("b/a.py", "a\n", "b\n")]


def test_what_is_no_text_is_passed_over_and_said() -> None:
    diff = "diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n"
    more = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n"
    assert read_diff((diff + more).encode(), 1, "ana", "").passed_over == ["p.png is binary"]


@pytest.mark.parametrize(
    "data", [b"", b"hello\n", b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n", b"\xff\xfe@@ -1 +1 @@\n"]
)
def test_what_is_no_diff_is_refused(data: bytes) -> None:
    with pytest.raises(CorrectionError):
        read_diff(data, 1, "ana", "")


line = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
text = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(line, max_size=30), st.sampled_from(["", "\n"])
)


@settings(max_examples=40, deadline=None)
@given(text, text)
def test_each_side_of_a_hunk_stands_in_its_file(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str
) -> None:
    folder = tmp_path_factory.mktemp("two")
    (folder / "old.py").write_text(old, newline="")
    (folder / "new.py").write_text(new, newline="")
    done = subprocess.run(
        ("git", "diff", "--no-index", "old.py", "new.py"), cwd=folder, capture_output=True, check=False
    )
    if not done.stdout:
        return
    for change in read_diff(done.stdout, 1, "ana", "").changes:
        assert (change.old_code in old, change.new_code in new) == (True, True)
        assert change.old_code != change.new_code
