"""What the pages were last written from: nothing is written twice, nothing that is gone stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.reports.page_state import Listing, PageState, error_page, ticket_page
from tocsin.reports.report_files import ReportFiles

LISTING = Listing("admin/index.html", "admin/page-{}.html")
FIVE = {number: f"hash {number}" for number in range(1, 6)}


@pytest.fixture
def files(tmp_path: Path) -> ReportFiles:
    return ReportFiles(tmp_path)


@pytest.fixture
def state(files: ReportFiles) -> PageState:
    return PageState(files, "edition")


def pages(state: PageState, order: dict[int, str], *, every: bool, more: str = "") -> list[list[int]]:
    """What stands on the pages that must be written, two on each."""
    return [part.numbers for part in state.parts(LISTING, order, 2, more, every=every)]


def test_a_page_is_current_for_what_it_was_written_from_only(state: PageState) -> None:
    state.record("a.html", "one")
    assert (state.current("a.html", "one"), state.current("a.html", "two")) == (True, False)


def test_outdated_are_those_written_from_something_else_or_never(state: PageState) -> None:
    state.record(error_page(1), "hash 1")
    state.record(error_page(2), "an older hash")
    assert state.outdated(FIVE, error_page) == [2, 3, 4, 5]


def test_the_first_page_of_a_listing_is_always_due_the_others_when_every_one_is(state: PageState) -> None:
    assert pages(state, FIVE, every=False) == [[1, 2]]
    assert pages(state, FIVE, every=True) == [[1, 2], [3, 4], [5]]
    assert pages(state, FIVE, every=True) == [[1, 2]]


def test_a_page_of_a_listing_is_due_again_when_what_stands_on_it_changed(state: PageState) -> None:
    pages(state, FIVE, every=True)
    assert pages(state, {**FIVE, 4: "another hash"}, every=True) == [[1, 2], [3, 4]]


def test_a_page_of_a_listing_is_due_again_when_what_all_depend_on_changed(state: PageState) -> None:
    pages(state, FIVE, every=True)
    assert pages(state, FIVE, every=True, more="another service") == [[1, 2], [3, 4], [5]]


def test_an_empty_listing_has_one_page(state: PageState) -> None:
    assert pages(state, {}, every=True) == [[]]


def test_pages_that_a_listing_has_no_longer_are_removed(files: ReportFiles, state: PageState) -> None:
    for number in (2, 3):
        files.put(LISTING.name(number), "a page")
    pages(state, {1: "hash 1"}, every=False)
    assert files.exists(LISTING.name(2))
    pages(state, {1: "hash 1"}, every=True)
    assert not files.exists(LISTING.name(2))
    assert not files.exists(LISTING.name(3))


def write(files: ReportFiles, state: PageState, *names: str) -> None:
    for name in names:
        files.put(name, "a page")
        state.record(name, "hash")


def test_the_pages_of_what_is_gone_are_removed_with_their_data(files: ReportFiles, state: PageState) -> None:
    write(files, state, error_page(1), error_page(2), ticket_page(1))
    files.put("admin/errors/2.js", "data")
    state.prune({1, 2}, {1}, every=True)
    state.prune({1}, {1}, every=False)
    assert [files.exists(name) for name in (error_page(1), error_page(2), ticket_page(1))] == [
        True,
        False,
        True,
    ]
    assert not files.exists("admin/errors/2.js")


def test_pages_that_are_no_errors_and_no_tickets_are_not_pruned(files: ReportFiles, state: PageState) -> None:
    write(files, state, "admin/tickets/index.html")
    state.prune((), (), every=True)
    assert files.exists("admin/tickets/index.html")


def test_the_next_process_knows_what_was_written(files: ReportFiles, state: PageState) -> None:
    write(files, state, error_page(1))
    state.save()
    later = PageState(files, "edition")
    later.load()
    assert later.current(error_page(1), "hash")


def test_pages_of_another_edition_have_to_be_written_again(files: ReportFiles, state: PageState) -> None:
    write(files, state, error_page(1))
    state.save()
    later = PageState(files, "another edition")
    later.load()
    assert later.outdated({1: "hash"}, error_page) == [1]


def test_a_file_of_ours_that_no_longer_says_what_was_written_costs_no_more_than_a_writing(
    files: ReportFiles, state: PageState
) -> None:
    write(files, state, error_page(1))
    (files.root / "admin/.written").write_bytes(b"\xc1")
    later = PageState(files, "edition")
    later.load()
    assert later.outdated({1: "hash"}, error_page) == [1]


def test_a_page_that_somebody_removed_has_to_be_written_again(files: ReportFiles, state: PageState) -> None:
    write(files, state, error_page(1))
    files.remove(error_page(1))
    state.load()
    assert state.outdated({1: "hash"}, error_page) == [1]


def test_a_page_that_nobody_remembers_is_pruned_when_its_error_is_gone(
    files: ReportFiles, state: PageState
) -> None:
    files.put(error_page(9), "left by an earlier process")
    state.load()
    state.prune((), (), every=True)
    assert not files.exists(error_page(9))


def test_style_and_script_are_written_once_in_an_edition(files: ReportFiles, state: PageState) -> None:
    state.refresh_static("admin/static")
    count = files.written
    files.remove(files.names("admin/static", "*.css")[0])
    state.refresh_static("admin/static")
    assert files.written == count > 0
