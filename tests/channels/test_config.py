"""`[[channel]]`: what is wrong is said in one line that shows no secret."""

from __future__ import annotations

import pytest

from tocsin.daemon.config import parse
from tocsin.daemon.config_channels import target
from tocsin.daemon.config_file import ConfigError

TOKEN = "T0kenOfTheTeam"
GOOD = {"name": "team", "url": f"slack://{TOKEN}/b/c"}
HOOK = {"name": "hook", "webhook": f"https://hooks.example.org/{TOKEN}", "secret_file": "hook.secret"}
WRONG = {
    "no address": ({"name": "team"}, "no address"),
    "two addresses": ({**GOOD, **HOOK}, "url and webhook"),
    "mail": ({"name": "team", "url": f"mailto://me:{TOKEN}@example.org"}, "mail.admin"),
    "mail in capitals": ({"name": "team", "url": f"MailToS://me:{TOKEN}@example.org"}, "mail.admin"),
    "two in one": ({"name": "team", "url": f"ntfy://a, slack://{TOKEN}"}, "one address"),
    "no scheme": ({"name": "team", "url": TOKEN}, "one address"),
    "no secret": ({"name": "hook", "webhook": HOOK["webhook"]}, "needs secret_file"),
    "a secret for a chat": ({**GOOD, "secret_file": "x"}, "take it out"),
    "the secret itself": ({**HOOK, "secret_file": f"whsec_{TOKEN}"}, "name a file"),
    "the address itself": ({"name": "team", "url_file": GOOD["url"]}, "name a file"),
    "no TLS": ({**HOOK, "webhook": f"http://hooks.example.org/{TOKEN}"}, "https://"),
    "a password": ({**HOOK, "webhook": f"https://me:{TOKEN}@hooks.example.org/"}, "without user"),
    "a letter beyond ASCII": ({**HOOK, "webhook": f"https://straße.example/{TOKEN}"}, "xn--"),
    "an unknown event": ({**GOOD, "on": ["reopend"]}, "did you mean 'reopened'"),
    "a wrong key": ({"name": "team", "urll": GOOD["url"]}, "did you mean url"),
    "a wrong type": ({"name": "team", "url": [GOOD["url"]]}, "channel[0].url"),
    "a wrong name": ({**GOOD, "name": "The Team"}, "channel[0].name = 'The Team'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_without_the_secret(case):
    values, words = WRONG[case]
    with pytest.raises(ConfigError) as raised:
        parse({"channel": [values]}, {}, name="tocsin.toml")
    said = str(raised.value)
    assert said.startswith("tocsin.toml: ")
    assert "channel" in said
    assert words in said
    assert TOKEN not in said
    assert "\n" not in said


def test_two_channels_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="declared twice"):
        parse({"channel": [GOOD, GOOD]}, {})


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "c" * 60, "whsec_" + "ü" * 40])
def test_a_file_that_holds_no_signing_secret_is_named_with_how_to_make_one(tmp_path, text):
    (tmp_path / "hook.secret").write_text(text)
    (channel,) = parse({"channel": [HOOK]}, {}, base=tmp_path).channel
    with pytest.raises(ConfigError, match="openssl rand"):
        target(channel)


def test_a_file_that_is_not_there_is_named(tmp_path):
    (channel,) = parse({"channel": [HOOK]}, {}, base=tmp_path).channel
    with pytest.raises(ConfigError, match=r"hook\.secret.*No such file"):
        target(channel)


def test_an_address_in_a_file_is_checked_as_one_in_the_configuration(tmp_path):
    (tmp_path / "team.url").write_text(f"mailto://me:{TOKEN}@example.org\n")
    (channel,) = parse({"channel": [{"name": "team", "url_file": "team.url"}]}, {}, base=tmp_path).channel
    with pytest.raises(ConfigError, match=r"mail\.admin") as raised:
        target(channel)
    assert TOKEN not in str(raised.value)


def test_a_channel_shows_no_address_when_it_is_printed(tmp_path):
    (tmp_path / "hook.secret").write_text("whsec_" + "QUJD" * 12)
    config = parse({"channel": [GOOD, HOOK]}, {}, base=tmp_path)
    assert TOKEN not in f"{config!r} {[target(one) for one in config.channel]!r}"
