"""The caps on automatic tickets."""

from __future__ import annotations

from support.world import HOUR, World

from tocsin.daemon.ingest.ticket_caps import TicketCaps
from tocsin.daemon.settings import Tickets


def caps(world: World, **settings: int) -> TicketCaps:
    return TicketCaps(Tickets(**settings), world.now)


def test_a_code_location_has_no_more_tickets_an_hour_than_its_cap(world: World):
    world.app().fail()
    coarse = world.errors()[0].coarse
    with world.store.reading():
        assert not caps(world, new_per_place=1).allow(coarse)
        assert caps(world, new_per_place=1).allow("1:another")


def test_all_together_have_no_more_tickets_an_hour_than_the_cap(world: World):
    world.app().fail()
    with world.store.reading():
        assert not caps(world, new_per_hour=1).allow("1:another")


def test_tickets_of_an_hour_ago_do_not_count(world: World):
    world.app().fail()
    world.now += HOUR + 1
    with world.store.reading():
        assert caps(world, new_per_hour=1).allow("1:another")


def test_a_ticket_opened_in_the_same_transaction_counts(world: World):
    found = caps(world, new_per_place=1)
    with world.store.reading():
        assert found.allow("1:here")
    found.note_opened("1:here")
    assert found.location_is_full("1:here")
