"""Attempts to sign in: counted by who makes them, forgotten with time."""

from __future__ import annotations

import pytest
from support.world import START

from tocsin.daemon.accounts.attempts import WINDOW, Attempts, network
from tocsin.daemon.store.attempts import SignInAttempt
from tocsin.daemon.store.database import Store


def test_the_wait_ends_when_the_oldest_attempt_that_counts_is_old_enough(store: Store) -> None:
    attempts = Attempts(store, "password", 3)
    for second in (0, 10, 20, 30):
        attempts.count("192.0.2.1", START + second)
    assert attempts.wait("192.0.2.1", START + 60) == WINDOW - 50
    assert attempts.wait("192.0.2.1", START + 10 + WINDOW) == 0


def test_attempts_of_one_kind_do_not_count_as_another(store: Store) -> None:
    Attempts(store, "password", 1).count("192.0.2.1", START)
    assert Attempts(store, "mailed", 1).wait("192.0.2.1", START) == 0


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_the_window(store: Store) -> None:
    attempts = Attempts(store, "password", 1)
    attempts.count("192.0.2.1", START + 86400)
    assert attempts.wait("192.0.2.1", START) == WINDOW


def test_nothing_of_a_stranger_s_address_is_kept_nor_for_longer_than_it_counts(store: Store) -> None:
    attempts = Attempts(store, "password", 3)
    attempts.count("192.0.2.1 eve@example.org", START)
    assert "eve" not in SignInAttempt.get().key
    attempts.count("192.0.2.2", START + WINDOW)
    assert SignInAttempt.select().count() == 1


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_address_stands_for_its_network(address: str, stands_for: str) -> None:
    assert network(address) == stands_for
