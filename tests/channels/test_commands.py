"""`tocsin channel test` and `doctor`: what is wrong with a channel, in plain words and without its secret."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tocsin.daemon.cli import tocsin
from tocsin.daemon.config import parse
from tocsin.daemon.operations import doctor

TOKEN = "t0ken-of-chat"


@pytest.fixture
def run(tmp_path):
    """Runs `tocsin ...` with these channels."""

    def invoke(channels: str, *words: str):
        config = tmp_path / "tocsin.toml"
        config.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n{channels}')
        config.chmod(0o600)
        return CliRunner().invoke(tocsin, ["--config", str(config), *words])

    return invoke


def chat(port: int, name: str = "team") -> str:
    return f'[[channel]]\nname = "{name}"\nurl = "json://127.0.0.1:{port}/{TOKEN}"\n'


def hook(port: int, secret_file: str, more: str = "own_network = true") -> str:
    return (
        f'[[channel]]\nname = "hook"\nwebhook = "https://127.0.0.1:{port}/{TOKEN}"\n'
        f'secret_file = "{secret_file}"\n{more}\n'
    )


def test_a_test_message_goes_to_the_channel_named(run, receive):
    one, other = receive(), receive()
    done = run(chat(one.port) + chat(other.port, "others"), "channel", "test", "team")
    assert (done.exit_code, done.stdout) == (0, "ok    team        a test message is there\n")
    assert [json.loads(post.body)["title"] for post in one.posts] == ["[Tocsin] Test mail"]
    assert other.posts == []


def test_without_a_name_each_channel_is_tried_and_one_that_fails_is_told_with_its_remedy(
    run, receive, secret_file
):
    well = receive()
    closed = receive()
    closed.close()
    done = run(chat(well.port) + hook(closed.port, secret_file), "channel", "test")
    assert done.exit_code == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()[:2]] == [["ok", "team"], ["FAIL", "hook"]]
    assert "refuses the connection" in done.stdout
    assert TOKEN not in done.output


def test_json_names_channel_fault_and_remedy(run, receive):
    receiver = receive()
    receiver.answers = [500]
    done = run(chat(receiver.port), "channel", "test", "--json")
    (said,) = json.loads(done.stdout)
    assert (done.exit_code, said["channel"], said["ok"], "500" in said["text"]) == (1, "team", False, True)


@pytest.mark.parametrize(
    ("channels", "words", "text"),
    [("", (), "docs/channels.md"), (chat(1), ("tema",), "no channel is called 'tema'; there are team")],
)
def test_a_channel_that_is_not_there_is_said_in_one_line(run, channels, words, text):
    done = run(channels, "channel", "test", *words)
    assert done.exit_code == 1
    assert text in done.output


@pytest.mark.parametrize(
    ("values", "text", "remedy"),
    [
        ({"webhook": "https://127.0.0.1/x", "secret_file": "hook.secret"}, "own network", "own_network = true"),
        ({"webhook": "https://no-such-host.invalid/", "secret_file": "hook.secret"}, "cannot be resolved", "DNS"),
        ({"webhook": "https://127.0.0.1/x", "secret_file": "none"}, "No such file", "[[channel]]"),
        ({"url": "slakc://a/b/c"}, "does not know such an address", "wiki"),
    ],
)  # fmt: skip
def test_the_doctor_finds_a_channel_that_cannot_work_and_sends_nothing(
    tmp_path, secret_file, values, text, remedy
):
    config = parse({"channel": [{"name": "one", **values}]}, {}, base=tmp_path)
    (finding,) = doctor._channels(config)
    assert (finding.ok, finding.part, text in finding.text, remedy in finding.remedy) == (
        False,
        "channel one",
        True,
        True,
    )


def test_the_doctor_says_what_a_sound_channel_is_told(tmp_path, receive):
    receiver = receive()
    config = parse(
        {"channel": [{"name": "team", "url": f"json://127.0.0.1:{receiver.port}/", "on": ["closing"]}]}, {}
    )
    (finding,) = doctor._channels(config)
    assert (finding.ok, finding.text, receiver.posts) == (True, "is told closing", [])
