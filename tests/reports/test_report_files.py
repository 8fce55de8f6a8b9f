"""The report directory: files are whole, and those that say the same are left alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tocsin.reports.report_files import ReportFiles


@pytest.fixture
def files(tmp_path: Path) -> ReportFiles:
    return ReportFiles(tmp_path / "report")


def test_a_file_is_written_with_the_folders_it_stands_in(files: ReportFiles) -> None:
    files.put("admin/errors/1.html", "a page")
    assert (files.root / "admin/errors/1.html").read_text() == "a page"


def test_a_file_that_says_the_same_is_left_alone(files: ReportFiles) -> None:
    files.put("a.html", "a page")
    inode = (files.root / "a.html").stat().st_ino
    files.put("a.html", "a page")
    assert (files.written, (files.root / "a.html").stat().st_ino) == (1, inode)


def test_a_file_of_the_same_length_that_says_something_else_is_replaced(files: ReportFiles) -> None:
    files.put("a.html", "a page")
    files.put("a.html", "b page")
    assert (files.root / "a.html").read_text() == "b page"


def test_half_a_character_does_not_keep_a_page_from_being_written(files: ReportFiles) -> None:
    files.put("a.html", "half of a pair: \ud800")
    assert (files.root / "a.html").read_text() == "half of a pair: ?"


def test_a_second_writer_waits_for_the_first(files: ReportFiles) -> None:
    with files.locked():
        descriptor = os.open(files.root / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_a_folder_goes_with_all_that_is_in_it_and_nothing_that_it_links_to(
    files: ReportFiles, tmp_path: Path
) -> None:
    files.put("clients/a/tickets/1.html", "a page")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "file").touch()
    (files.root / "clients/a/link").symlink_to(tmp_path / "foreign")
    files.remove_folder("clients/a")
    assert files.names("clients", "*") == []
    assert (tmp_path / "foreign" / "file").exists()


def test_a_file_where_a_folder_should_be_goes_too(files: ReportFiles) -> None:
    files.put("clients/a", "no folder")
    files.remove_folder("clients/a")
    assert not files.exists("clients/a")


def test_a_folder_that_is_not_there_has_no_names(files: ReportFiles) -> None:
    assert files.names("clients", "*") == []
