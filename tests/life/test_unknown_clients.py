"""A name from outside makes no client, no ticket of its own, no folder and no mail but to the admin."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import SETTINGS, World, an_exception

from tocsin.daemon.config import parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.ingest.known_clients import host_name
from tocsin.daemon.store.models import Client, HourCount, Mail
from tocsin.handler.middleware import by_host

HOSTS = {**SETTINGS, "client": [{"id": "acme", "email": "it@acme.example", "hosts": ["Acme.Example.org"]}]}


def fail(world: World, *clients: str) -> None:
    app = world.app()
    for client in clients:
        app.log(an_exception(world.now, client=client))


def test_thirty_strange_names_make_one_ticket_of_the_admin_s(world: World) -> None:
    fail(world, *(f"stranger{number}.example" for number in range(30)))
    [ticket] = world.tickets()
    assert ticket.client_id is None
    assert [client.id for client in Client.select().order_by(Client.id)] == ["acme", "martin"]
    assert world.mails() == [("notice", "ops@tocsin.example")]
    assert {row.client_id for row in HourCount.select()} == {""}


def test_the_admin_s_mail_and_the_ticket_name_the_strangers(world: World) -> None:
    fail(world, "b.example", "a.example", "acme")
    notices = Mail.select().where(Mail.audience == "admin")
    [named] = [mail.facts["unknown_clients"] for mail in notices if "unknown_clients" in mail.facts]
    assert named == ["a.example", "b.example"]
    [ticket] = [one for one in world.tickets() if one.client_id is None]
    assert "a.example, b.example" in next(iter(ticket.history)).description


def test_a_host_that_a_client_lists_is_that_client(world: World) -> None:
    world.configure(HOSTS)
    fail(world, "acme.example.org", "ACME.example.org:8443", "acme.example.org.")
    [ticket] = world.tickets()
    assert ticket.client_id == "acme"


def test_a_client_added_meanwhile_is_known_at_once(world: World) -> None:
    fail(world, "newcomer", "newcomer")
    Client.create(id="newcomer", folder="f")
    fail(world, "newcomer", "newcomer", "newcomer")
    assert "newcomer" in {ticket.client_id for ticket in world.tickets()}


def test_where_the_configuration_says_so_a_name_makes_its_client(world: World) -> None:
    world.configure({**SETTINGS, "tickets": {"unknown_clients": "create"}})
    fail(world, *["newcomer"] * 3)
    assert [ticket.client_id for ticket in world.tickets()] == ["newcomer"]


@pytest.mark.parametrize("how", ["admin", "create"])
def test_a_name_over_200_characters_is_nobody_s_not_the_client_of_its_first_200(
    world: World, how: str
) -> None:
    Client.create(id="x" * 200, email="x@x.example", folder="x")
    world.configure({**SETTINGS, "tickets": {"unknown_clients": how}})
    fail(world, *["x" * 201] * 3)
    assert [ticket.client_id for ticket in world.tickets()] == [None]


def test_the_client_of_a_service_needs_no_entry_of_its_own(world: World) -> None:
    world.configure({**SETTINGS, "service": [{"name": "shop", "client": "solo"}]})
    app = world.app()
    for _ in range(3):
        app.log(an_exception(world.now))
    assert [ticket.client_id for ticket in world.tickets()] == ["solo"]


def test_one_host_of_two_clients_is_refused() -> None:
    clients = [{"id": "a", "hosts": ["x.example"]}, {"id": "b", "hosts": ["X.example"]}]
    with pytest.raises(ConfigError, match=r"client\.hosts: 'x\.example'"):
        parse({"client": clients}, {})


class _DjangoRequest:
    """Stands for Django's request, which checks the host itself."""

    def get_host(self) -> str:
        return "Shop.Example:80"


@pytest.mark.parametrize(
    ("request_", "host"),
    [
        ({"HTTP_HOST": "Acme.example:8000"}, "acme.example:8000"),
        ({"SERVER_NAME": "acme.example"}, "acme.example"),
        ({"type": "http", "headers": [(b"host", b"acme.example")]}, "acme.example"),
        ({"type": "http", "headers": []}, None),
        (_DjangoRequest(), "shop.example:80"),
    ],
)
def test_by_host_reads_the_host_of_every_kind_of_request(request_: Any, host: str | None) -> None:
    assert by_host(request_) == host


@pytest.mark.parametrize(
    ("written", "compared"),
    [("A.example:80", "a.example"), ("[::1]:80", "[::1]"), ("a.example.", "a.example")],
)
def test_hosts_are_compared_without_port_case_and_final_dot(written: str, compared: str) -> None:
    assert host_name(written) == compared
