"""A timeline tells each thing once, whatever rows the history keeps of it."""

from __future__ import annotations

from tocsin.daemon.queries.details import Happening
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.tickets import HistoryFacts
from tocsin.reports.timeline import of_error, of_ticket


def happening(at: float, kind: str, ticket: int | None = None, by: str = "system") -> Happening:
    return Happening(Moment(at), kind, "", by, ticket_id=ticket)


def kinds(*given: Happening) -> list[str]:
    return [line.happening.kind for line in of_error(given)]


def test_a_closing_is_told_once() -> None:
    closed = [
        happening(50, "auto_closed", 1),
        happening(50, "status_changed", 1),
        happening(50.2, "resolved"),
    ]
    assert kinds(happening(1, "created", 1), *closed) == ["created", "auto_closed"]


def test_an_error_resolved_without_a_ticket_is_told_so() -> None:
    assert kinds(happening(50, "resolved")) == ["resolved"]


def test_what_two_tickets_record_of_one_step_is_one_line_with_both() -> None:
    (line,) = of_error([happening(9, "reappeared", 1), happening(9, "reappeared", 2)])
    assert line.ticket_ids == (1, 2)


def test_two_returns_are_two_lines() -> None:
    assert kinds(happening(9, "reappeared", 1), happening(99, "reappeared", 1)) == ["reappeared"] * 2


def test_a_return_in_the_second_in_which_the_ticket_opened_is_none() -> None:
    assert kinds(happening(9, "created", 1), happening(9.5, "reappeared", 1)) == ["created"]


def test_two_notes_in_one_second_both_stand_there() -> None:
    assert kinds(happening(9, "note", 1), happening(9, "note", 2)) == ["note", "note"]


def history(at: float, action: str) -> HistoryFacts:
    return HistoryFacts(1, 1, action, "", "system", Moment(at))


def test_a_state_that_somebody_set_is_told_in_a_ticket_s_history() -> None:
    given = [
        history(1, "created"),
        history(5, "reopened"),
        history(5, "status_changed"),
        history(9, "status_changed"),
    ]
    assert [one.created_at for one in of_ticket(given)] == [1, 5, 9]
