"""`tocsin keys`: files, their rights, and what the commands say."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth
from click.testing import CliRunner

from tocsin.daemon.cli import tocsin
from tocsin.daemon.ingest import keys
from tocsin.daemon.ingest.keys import KeysError, needs_keys, read_pair
from tocsin.handler.shipping.connection import read_key


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(tocsin, ["keys", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_the_daemons_pair_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    output = run("daemon", str(tmp_path / "daemon.key"))
    public, secret = read_pair(tmp_path / "daemon.key")
    assert stat.S_IMODE((tmp_path / "daemon.key").stat().st_mode) == 0o600
    assert zmq.curve_public(secret) == public
    assert public.decode() in output
    assert secret.decode() not in output


def test_a_client_gets_a_secret_file_and_the_daemon_its_public_key(tmp_path: Path) -> None:
    output = run("client", "shop", "--out", str(tmp_path / "shop.key"), "--dir", str(tmp_path / "clients"))
    pair = read_pair(tmp_path / "shop.key")
    admitted = (tmp_path / "clients" / "shop.pub").read_text()
    assert pair.public.decode() in admitted
    assert pair.secret.decode() not in admitted + output


def test_keys_are_listed_and_revoked_by_name(tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path / "clients"))
    for name in ("shop", "crm"):
        run("client", name, "--out", str(tmp_path / f"{name}.key"), *where)
    run("revoke", "shop", *where)
    assert [one["name"] for one in json.loads(run("list", "--json", *where))] == ["crm"]


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    run("daemon", str(tmp_path / "daemon.key"))
    before = (tmp_path / "daemon.key").read_bytes()
    with pytest.raises(KeysError, match="is there already"):
        keys.make_pair(tmp_path / "daemon.key", "the daemon")
    assert (tmp_path / "daemon.key").read_bytes() == before


@pytest.mark.parametrize("name", ["../shop", "", "a/b", ".hidden", "shop\n", "x" * 200])
def test_a_name_cannot_leave_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeysError):
        keys.make_client(name, tmp_path / "a.key", tmp_path / "clients")
    assert not (tmp_path / "a.key").exists()


@pytest.mark.parametrize("text", ["", "public-key = short", "\xff\xfe", "secret-key = " + "x" * 40])
def test_a_broken_public_key_is_shown_and_does_not_keep_the_others_out(tmp_path: Path, text: str) -> None:
    keys.make_client("shop", tmp_path / "shop.key", tmp_path)
    (tmp_path / "broken.pub").write_text(text, "latin-1")
    assert [(one.name, bool(one.problem)) for one in keys.clients(tmp_path)] == [
        ("broken", True),
        ("shop", False),
    ]


def test_files_made_by_pyzmq_can_be_used(tmp_path: Path) -> None:
    public_file, secret_file = zmq.auth.create_certificates(tmp_path, "shop")
    assert read_key(public_file, "public-key") == zmq.auth.load_certificate(public_file)[0]
    assert read_key(secret_file, "secret-key") == zmq.auth.load_certificate(secret_file)[1]


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        ("ipc:///run/tocsin.sock", False),
        ("tcp://127.0.0.1:1", False),
        ("tcp://127.9.9.9:1", False),
        ("tcp://localhost:1", False),
        ("tcp://[::1]:1", False),
        ("tcp://*:1", True),
        ("tcp://[::]:1", True),
        ("tcp://0.0.0.0:1", True),
        ("tcp://localhost.example.org:1", True),
        ("tcp://127.0.0.1.example.org:1", True),
        ("tcp://10.0.0.1:1", True),
    ],
)
def test_keys_are_needed_where_other_machines_reach(address: str, needed: bool) -> None:
    assert needs_keys(address) is needed
