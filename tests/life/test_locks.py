"""Commands beside a daemon on Postgres: both decide on rows that nobody else is changing."""

from __future__ import annotations

import threading

import psycopg
from support.running import until
from support.world import World, an_error

from tocsin.daemon.regrouping.regroup import Regrouped, regroup
from tocsin.daemon.store import errors
from tocsin.daemon.store.models import Sample
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.merge import merge
from tocsin.daemon.tickets.split import split

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


class TestCommandsOnPostgres:
    database = "postgres"

    def test_a_ticket_is_closed_by_hand_once_the_digest_has_counted_its_error(
        self, world: World, postgres_url: str
    ) -> None:
        world.app().fail(3, client="martin")
        manual = Manual(world.store, world.config)
        command = threading.Thread(target=manual.close, args=(1, "ana", world.now + 1))
        with psycopg.connect(postgres_url, autocommit=True) as onlooker, world.store.transaction():
            errors.lock(world.store, [1])
            command.start()
            assert until(lambda: onlooker.execute(WAITING).fetchone() == (1,))
            assert world.tickets()[0].status == "open"
        command.join()
        assert world.tickets()[0].status == "closed"

    def test_regrouping_looks_again_once_it_has_the_errors(self, world: World, postgres_url: str) -> None:
        world.app().log(*(an_error(text, at=world.now, template="%s failed") for text in ("pack", "load")))
        split(world.store, 1, "text:.*", "ana", world.now)
        told: list[Regrouped] = []
        command = threading.Thread(
            target=lambda: told.append(regroup(world.store, world.config, "ana", world.now))
        )
        with psycopg.connect(postgres_url, autocommit=True) as onlooker, world.store.transaction():
            errors.lock(world.store, [1])
            command.start()
            assert until(lambda: onlooker.execute(WAITING).fetchone() == (1,))
            Sample.delete().execute()
        command.join()
        assert told[0].changes == []

    def test_an_event_of_an_error_that_is_being_merged_counts_for_the_other(
        self, world: World, postgres_url: str
    ) -> None:
        app = world.app()
        pack, load = (an_error(f"{text} failed", at=world.now) for text in ("pack", "load"))
        app.log(pack, load)
        daemon = threading.Thread(target=app.log, args=(load,))
        with psycopg.connect(postgres_url, autocommit=True) as onlooker, world.store.transaction():
            errors.lock(world.store, [1, 2])
            daemon.start()
            assert until(lambda: onlooker.execute(WAITING).fetchone() == (1,))
            merge(world.store, world.config, 2, 1, "ana", world.now)
        daemon.join()
        assert [error.occurrences for error in world.errors()] == [3, 0]
