"""`tocsin tokens`: a token is printed once, listed without what it is, and revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tocsin.daemon.accounts import tokens
from tocsin.daemon.cli import tocsin
from tocsin.daemon.store.database import open_store
from tocsin.daemon.store.models import Client


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tocsin.toml"
    file.write_text('[daemon]\nstate_dir = "."\n')
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    Client.create(id="acme", folder="x")
    store.close()
    return file


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(tocsin, ["--config", str(config), "tokens", *words])


def test_the_json_of_a_new_token_is_the_token_alone(config: Path) -> None:
    made = json.loads(run(config, "add", "bot", "--scope", "read", "--scope", "correct", "--json").stdout)
    assert made.keys() == {"token"}
    assert made["token"].startswith("tocsin_")


def test_the_list_tells_what_each_may_and_until_when_and_not_what_it_is(config: Path) -> None:
    made = json.loads(
        run(
            config,
            "add",
            "bot",
            "--scope",
            "send",
            "--scope",
            "read",
            "--client",
            "acme",
            "--days",
            "7",
            "--json",
        ).stdout
    )
    listed = run(config, "list", "--json").stdout
    (one,) = json.loads(listed)
    assert (one["name"], one["scopes"], one["client_id"]) == ("bot", ["read", "send"], "acme")
    assert one["ends_at"] > one["created_at"]
    assert (one["used_at"], one["revoked_at"]) == (None, None)
    assert made["token"] not in listed
    assert "bot" in run(config, "list").stdout


def test_a_token_is_revoked_once_and_its_name_is_not_given_again(config: Path) -> None:
    run(config, "add", "bot", "--scope", "read")
    assert run(config, "revoke", "bot").exit_code == 0
    assert isinstance(run(config, "revoke", "bot").exception, tokens.TokenTaken)
    assert isinstance(run(config, "add", "bot", "--scope", "read").exception, tokens.TokenTaken)
    assert isinstance(run(config, "revoke", "nobody").exception, tokens.UnknownToken)


@pytest.mark.parametrize(
    "words",
    [["bot"], ["bot", "--scope", "all"], ["bot", "--scope", "read", "--days", "0"]],
)
def test_a_token_without_a_known_scope_or_an_end_to_come_is_refused(config: Path, words: list[str]) -> None:
    assert run(config, "add", *words).exit_code == 2
    assert json.loads(run(config, "list", "--json").stdout) == []


@pytest.mark.parametrize("words", [["", "--scope", "read"], ["bot", "--scope", "read", "--client", "nobody"]])
def test_a_token_without_a_name_or_for_nobody_known_is_refused(config: Path, words: list[str]) -> None:
    assert isinstance(run(config, "add", *words).exception, tokens.TokenError)
    assert json.loads(run(config, "list", "--json").stdout) == []
