"""What open pages are told of changes in the database, and of nothing when there is none. Both databases."""

from __future__ import annotations

import asyncio

from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog
from tocsin.reports.console.changes import Changes


class Streams:
    """What holds on both databases."""

    database = "sqlite"

    def test_a_change_is_told_and_a_look_without_one_is_not(self, store: Store, filled: None) -> None:
        async def heard() -> list[str]:
            changes, found = Changes(store), []

            async def listen() -> None:
                async for event in changes.stream(None, bool, None):
                    found.append(event.split("\n")[0])

            listener = asyncio.create_task(listen())
            while not changes.stamp:
                await asyncio.sleep(0.05)  # Polls the first look.
            await asyncio.sleep(2.5)  # The scenario: nothing happens.
            with store.transaction():
                ErrorLog.update(resolved=True).execute()
            before = changes.stamp
            while changes.stamp == before:
                await asyncio.sleep(0.05)  # Polls the look that notices.
            await asyncio.sleep(0.1)  # Polls the listener's turn.
            changes.over = True
            await listener
            changes.close()
            return found

        assert asyncio.run(heard()) == ["retry: 2000", "event: changed", "event: changed"]


class TestStreamsOnSqlite(Streams):
    pass


class TestStreamsOnPostgres(Streams):
    database = "postgres"
