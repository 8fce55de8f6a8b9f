"""The ticket's life as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.tickets.lifecycle import (
    TABLE,
    Action,
    EventType,
    LifecycleError,
    State,
    TicketEvent,
    diagram,
    reached,
    step,
    steps_as_table,
)

moments = st.lists(st.floats(0, 1e6, allow_nan=False), max_size=40).map(sorted)


def test_a_new_ticket_is_open_watched_and_told_to_client_and_admin():
    found = step(None, TicketEvent(EventType.CREATED, 0.0))
    assert found.state is State.OPEN
    assert {Action.WATCH, Action.MAIL_CLIENT, Action.MAIL_ADMIN} <= set(found.actions)


@pytest.mark.parametrize("state", [State.OPEN, State.IN_PROGRESS, State.MONITORING])
def test_every_reappearance_during_a_watch_restarts_it(state):
    assert Action.WATCH in step(state, TicketEvent(EventType.REAPPEARED, 10.0)).actions
    assert step(state, TicketEvent(EventType.REAPPEARED, 10.0, notified_at=9.0)).actions == (Action.WATCH,)


def test_a_reappearance_is_written_down_once_an_hour():
    assert (
        Action.RECORD in step(State.OPEN, TicketEvent(EventType.REAPPEARED, 3700.0, notified_at=10.0)).actions
    )
    assert (
        Action.RECORD
        not in step(State.OPEN, TicketEvent(EventType.REAPPEARED, 3500.0, notified_at=10.0)).actions
    )


def test_an_hour_after_the_last_row_a_reappearance_is_written_down_again():
    found = step(State.OPEN, TicketEvent(EventType.REAPPEARED, 3610.0, notified_at=10.0))
    assert Action.RECORD in found.actions


def test_a_reappearance_just_before_the_last_row_is_written_down_no_more():
    found = step(State.OPEN, TicketEvent(EventType.REAPPEARED, 5000.0, notified_at=5010.0))
    assert found.actions == (Action.WATCH,)


@pytest.mark.parametrize("state", [State.OPEN, State.IN_PROGRESS, State.MONITORING])
def test_a_reappearance_that_is_not_written_down_leaves_the_ticket_as_it_is(state):
    assert step(state, TicketEvent(EventType.REAPPEARED, 10.0, notified_at=9.0)).state is state


def test_a_closed_ticket_reopens_when_its_error_comes_back_however_lately_told():
    found = step(State.CLOSED, TicketEvent(EventType.REAPPEARED, 10.0, notified_at=9.0))
    assert found.state is State.OPEN
    assert Action.REOPEN in found.actions


def test_old_code_still_running_reopens_nothing():
    assert step(State.CLOSED, TicketEvent(EventType.OLD_CODE, 1.0)).state is State.CLOSED


def test_a_failed_validation_never_leaves_a_ticket_in_monitoring():
    for state in (State.OPEN, State.IN_PROGRESS, State.MONITORING):
        assert step(state, TicketEvent(EventType.VALIDATION_FAILED, 1.0)).state is State.IN_PROGRESS


@pytest.mark.parametrize("kind", [EventType.QUIET, EventType.UNSEEN, EventType.RESOLVED, EventType.CREATED])
def test_an_illegal_step_is_one_error_that_names_state_and_fact(kind):
    with pytest.raises(LifecycleError, match=f"closed.*{kind}"):
        step(State.CLOSED, TicketEvent(kind, 1.0))


def test_a_step_of_a_ticket_that_is_not_there_says_so():
    with pytest.raises(LifecycleError, match=r"^a ticket that is not there cannot take"):
        step(None, TicketEvent(EventType.QUIET, 1.0))


def test_only_a_quiet_watch_or_a_person_who_resolves_or_merges_closes_a_ticket():
    closing = {kind for (state, kind), found in TABLE.items()
               if found.state is State.CLOSED and state is not State.CLOSED}  # fmt: skip
    assert closing == {EventType.QUIET, EventType.RESOLVED, EventType.MERGED}


def test_every_step_that_changes_the_state_is_written_to_the_history():
    for (state, _), found in TABLE.items():
        assert state == found.state or Action.RECORD in found.actions


def test_the_diagram_shows_every_step_of_the_table():
    assert len(diagram().splitlines()) == len(TABLE) + 1


def test_the_diagram_is_one_of_mermaid_s_states():
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> open: created"]
    assert "    in_progress --> monitoring: validated" in lines


def test_the_table_in_markdown_has_a_row_for_every_step():
    lines = steps_as_table().splitlines()
    assert lines[:2] == [
        "| from | what became known | to | what is done | mail |",
        "| --- | --- | --- | --- | --- |",
    ]
    assert len(lines) == len(TABLE) + 2


def test_a_row_in_markdown_says_from_where_to_where_and_what_is_done():
    lines = steps_as_table().splitlines()
    done = "write the history row; restart the watch; mail the client; mail the admins"
    assert lines[2] == f"| – | `created` | open | {done} | detection |"
    assert "| closed | `correction_logged` | closed | write the history row | – |" in lines


@given(moments, st.integers(1, 6), st.floats(0.1, 1e5))
def test_the_threshold_is_reached_exactly_when_some_window_holds_enough(found, count, window):
    brute = any(sum(1 for m in found if start <= m <= start + window) >= count for start in found)
    # The same sum in another order may round differently at the window's edge; test away from it.
    edges = {abs((b - a) - window) for a in found for b in found}
    if not edges or min(edges) > 1e-6:
        assert reached(found, count, window) is brute


def test_three_errors_exactly_one_window_apart_reach_the_threshold():
    assert reached([0.0, 1800.0, 3600.0], 3, 3600.0)
    assert not reached([0.0, 1800.0, 3600.1], 3, 3600.0)
