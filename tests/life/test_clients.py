"""Clients: declared, added, imported, and named by events."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.world import SETTINGS, World

from tocsin.daemon import queries
from tocsin.daemon.cli import tocsin
from tocsin.daemon.tickets import clients
from tocsin.daemon.tickets.manual import ManualError


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_csv_file_adds_and_completes_clients_and_keeps_their_folders(world: World, tmp_path: Path):
    before = {one.id: one for one in queries.clients(world.store)}
    text = "\ufeffid,name,email,language\nmartin,Maison Martin,,\nlopez,Lopez & Söhne,hi@lopez.example,en\n\n"
    assert clients.add(world.store, clients.read(write(tmp_path / "c.csv", text))) == 2
    found = {one.id: one for one in queries.clients(world.store)}
    assert (found["lopez"].name, found["lopez"].email) == ("Lopez & Söhne", "hi@lopez.example")
    martin = found["martin"]
    assert (martin.name, martin.email) == ("Maison Martin", "contact@martin.example")
    assert martin.folder == before["martin"].folder


def test_a_json_file_and_a_csv_with_semicolons_say_the_same(tmp_path: Path):
    one = clients.read(write(tmp_path / "c.json", '[{"id": "a", "email": "a@b.example", "name": null}]'))
    assert clients.read(write(tmp_path / "c.csv", "ID;Email\na;a@b.example\n")) == one


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,email\na,a@b.example\nb,nowhere\n", r"line 3: email 'nowhere' is not a mail address"),
        ("id,language\na,de\n", r"line 2: .*'de'"),
        ("id,phone\na,12\n", r"line 2: unknown column 'phone'"),
        ("id,name\n,Ana\n", r"line 2: .*id"),
        ("name,email\nAna,a@b.example\n", "must name the columns"),
        ("id\n", "no client"),
        ('[{"id": 7}]', r"entry 1: .*str"),
        ("[{", "not a JSON array"),
        ("id,name\na,b,c\n", "unknown column"),
    ],
)
def test_a_file_with_one_bad_row_adds_nothing_and_names_the_row(tmp_path: Path, text: str, reason: str):
    with pytest.raises(ManualError, match=reason):
        clients.read(write(tmp_path / "c", text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path):
    with pytest.raises(ManualError, match="No such file"):
        clients.read(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"id\n\xff\xfe")
    with pytest.raises(ManualError, match="UTF-8"):
        clients.read(tmp_path / "x.csv")


def test_the_commands_add_list_and_import(tmp_path: Path):
    config = write(tmp_path / "tocsin.toml", f'[daemon]\nstate_dir = "{tmp_path}/state"\n')
    (tmp_path / "state").mkdir()

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(tocsin, ["--config", str(config), "clients", *arguments])
        assert done.exception is None, done.output
        return done.output

    run("add", "ana", "--email", "ana@x.example", "--language", "fr")
    run("import", str(write(tmp_path / "c.csv", "id,name\nana,Ana\nbo,Bo\n")))
    assert '"name": "Ana"' in run("list", "--json")
    assert "bo" in run("list")


def test_events_without_a_client_belong_to_their_service_s_client(world: World):
    world.configure({**SETTINGS, "service": [{"name": "shop", "client": "acme"}]})
    world.app().fail(3)
    assert [ticket.client_id for ticket in world.tickets()] == ["acme"]
    world.app().fail(1, client="martin")
    assert [ticket.client_id for ticket in world.tickets()] == ["acme", "martin"]
