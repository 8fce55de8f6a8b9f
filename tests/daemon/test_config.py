"""Configuration: what exists is valid, what is wrong is named with its value and the remedy."""

import pytest

from tocsin.daemon.config import load, parse
from tocsin.daemon.config_file import ConfigError, find
from tocsin.daemon.settings import Duration

WRONG = {
    "unknown key": ({"tickets": {"treshold": 3}}, ["tickets.treshold", "3", "did you mean threshold"]),
    "unknown section": ({"ticket": {}}, ["[ticket]", "did you mean tickets"]),
    "wrong type": ({"tickets": {"threshold": "x"}}, ["tickets.threshold", "'x'", "whole number from 1"]),
    "impossible value": ({"tickets": {"threshold": 0}}, ["tickets.threshold", "0", "whole number from 1"]),
    "share above one": ({"watch": {"min_seen": 3}}, ["watch.min_seen", "3", "from 0 to 1"]),
    "no duration": ({"watch": {"every": "soon"}}, ["watch.every", "'soon'", '"1h"']),
    "bare number as duration": ({"watch": {"every": 5}}, ["watch.every", "5", '"90s"']),
    "unknown word": (
        {"watch": {"evidence": "luck"}},
        ["watch.evidence", "'luck'", 'write "seen" or "clock"'],
    ),
    "unknown kind": (
        {"service": [{"name": "x", "kind": "cron"}]},
        ["service[0].kind = 'cron'", 'write "web" or "batch"'],
    ),
    "unknown language, or none": ({"report": {"language": "de"}}, ["report.language", 'write "en" or "fr"']),
    "text for a list": ({"mail": {"admin": "a@b.example"}}, ["mail.admin", '["ops@example.org"]']),
    "number for a text": ({"daemon": {"key": 4}}, ["daemon.key", '"/etc/tocsin/daemon.key"']),
    "one table for many": ({"service": {"name": "x"}}, ["service", "write [[service]]"]),
    "section as a value": ({"daemon": 3}, ["daemon", "3", "write [daemon]"]),
    "endpoint": ({"daemon": {"listen": ["http://x"]}}, ["daemon.listen", "'http://x'", "tcp://host:port"]),
    "database": ({"database": {"url": "mysql://x"}}, ["database.url", "mysql://x", "postgresql://"]),
    "client twice": ({"client": [{"id": "a"}, {"id": "a"}]}, ["client.id", "'a'", "twice"]),
    "client without id": ({"client": [{"name": "x"}]}, ["client[0]", 'needs id, such as "acme"']),
    "admin address": ({"mail": {"admin": ["nobody"]}}, ["'nobody'", "name@example.org"]),
    "smtp in the file": ({"smtp": {"host": "x"}}, ["SMTP_HOST"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_in_one_line(case):
    data, words = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        parse(data, {}, name="tocsin.toml")
    text = str(caught.value)
    assert "\n" not in text
    for word in ["tocsin.toml", *words]:
        assert word in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("SMTP_PORT", "many"), ("SMTP_PORT", "70000"), ("SMTP_SECURITY", "tls"), ("SMTP_FROM", "nobody")],
)
def test_a_wrong_mail_variable_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        parse({}, {"SMTP_HOST": "mail", "SMTP_FROM": "a@b.example", name: value})


@pytest.mark.parametrize(
    ("environ", "port", "security"),
    [
        ({}, 587, "starttls"),
        ({"SMTP_PORT": "465"}, 465, "ssl"),
        ({"SMTP_SECURITY": "ssl"}, 465, "ssl"),
        ({"SMTP_SECURITY": "none"}, 25, "none"),
    ],
)
def test_port_and_security_follow_from_each_other(environ, port, security):
    smtp = parse({}, {"SMTP_HOST": "mail", "SMTP_FROM": "a@b.example", **environ}).smtp
    assert (smtp.port, smtp.security) == (port, security)


def test_no_password_is_in_the_configuration_s_text():
    config = parse(
        {}, {"SMTP_HOST": "m", "SMTP_USER": "u", "SMTP_PASS": "hunter2", "SMTP_FROM": "a@b.example"}
    )
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604800)])
def test_durations_are_written_with_a_unit(text, seconds):
    assert Duration.parse(text) == seconds


def test_a_service_s_own_threshold_wins_over_the_general_one():
    config = parse({"service": [{"name": "shop", "threshold": 9}]}, {})
    assert config.threshold("shop") == (9, 3600.0)
    assert config.threshold("other") == (3, 3600.0)


def test_the_env_file_beside_the_configuration_is_read_and_the_environment_wins(tmp_path):
    (tmp_path / "tocsin.toml").write_text("[mail]\nlanguage = 'fr'\n")
    (tmp_path / ".env").write_text("SMTP_HOST=one\nSMTP_FROM=a@b.example\nSMTP_PORT=25\n")
    config = load(str(tmp_path / "tocsin.toml"), {"SMTP_HOST": "two"})
    assert (config.smtp.host, config.smtp.port, config.mail.language) == ("two", 25, "fr")


def test_a_named_file_that_is_not_there_is_an_error_not_the_defaults(tmp_path):
    with pytest.raises(ConfigError, match=r"--config.*gone\.toml"):
        find(str(tmp_path / "gone.toml"), {})


def test_a_file_that_is_not_toml_says_where(tmp_path):
    (tmp_path / "t.toml").write_text("[tickets\n")
    with pytest.raises(ConfigError, match=r"t\.toml.*line 1"):
        load(str(tmp_path / "t.toml"), {})
