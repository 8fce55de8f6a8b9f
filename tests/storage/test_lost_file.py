"""SQLite's file deleted, moved or replaced while a daemon has it open: nothing is acknowledged into it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from support.world import World

from tocsin.daemon.ingest.digest_thread import DigestThread
from tocsin.daemon.ingest.exchange import Exchange
from tocsin.daemon.store.database import Store, StoreError, StoreReplaced
from tocsin.daemon.store.models import KeyValue
from tocsin.daemon.store.url import sqlite_path


def test_nothing_is_written_into_a_file_without_a_name(store: Store) -> None:
    sqlite_path(store.url).unlink()
    with pytest.raises(StoreError, match="deleted or moved away"), store.transaction():
        pytest.fail("the transaction began")


def test_a_file_that_is_deleted_during_the_transaction_is_noticed_after_the_commit(store: Store) -> None:
    with pytest.raises(StoreError, match="deleted or moved away"), store.transaction():
        sqlite_path(store.url).unlink()


def test_a_file_that_is_put_back_is_used_again(store: Store, tmp_path: Path) -> None:
    file = sqlite_path(store.url)
    file.rename(tmp_path / "away")
    with pytest.raises(StoreError), store.transaction():
        pass
    (tmp_path / "away").rename(file)
    with store.transaction():
        KeyValue.create(key="back", value="again")
    assert KeyValue.get_by_id("back").value == "again"


def test_events_of_a_lost_file_are_not_acknowledged(world: World) -> None:
    app = world.app()
    sqlite_path(world.store.url).unlink()
    with pytest.raises(StoreError):
        app.fail(1)


def test_a_daemon_whose_file_was_replaced_ends_and_says_why(store: Store, tmp_path: Path) -> None:
    file = sqlite_path(store.url)
    shutil.copy(file, tmp_path / "copy")
    (tmp_path / "copy").rename(file)
    stop, exchange = threading.Event(), Exchange()

    def look() -> None:
        with store.transaction():
            pytest.fail("the transaction began")

    digesting = DigestThread(exchange, lambda received, now: [], lambda: 0.0)
    digesting.serve(stop, look)
    assert stop.is_set()
    assert "another file was put in its place" in digesting.failure
    with pytest.raises(StoreReplaced), store.transaction():
        pass
