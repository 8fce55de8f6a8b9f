"""Secrets end to end: a real program, the real daemon, mails, pages; the bytes of every file are searched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from support.planted_secrets import PLANTED as SURROUNDED
from support.planted_secrets import WORDS
from support.running import short_place, until
from support.secrets_corpus import PLANTED, needle
from support.secured_daemon import SecuredDaemon

HERE = Path(__file__).parent
SINK = HERE.parents[1] / "examples" / "smtp_sink.py"
CARELESS = [
    'stop(auth=("user", "{secret}"))',
    'stop(command=["deploy", "--password", "{secret}"])',
    'stop(password="{secret}")',
    'stop(headers=dict([("X-Api-Key", "{secret}")]))',
]
"""Lines of code that hold a secret."""
NOBODY = "ipc:///nonexistent/socket"


@pytest.fixture(scope="module")
def lived() -> Iterator[SecuredDaemon]:
    """A house in which a careless program failed with every secret: tickets, mails and pages came of it."""
    with short_place() as place:
        (place / "planted.json").write_text(json.dumps(PLANTED))
        (place / "surrounded.json").write_text(json.dumps([(one.where, one.text) for one in SURROUNDED]))
        (place / "careless_lines.py").write_text(careless_lines())
        sink = subprocess.Popen(
            [sys.executable, str(SINK), str(place / "mail"), "0"], stdout=subprocess.PIPE, text=True
        )
        assert sink.stdout is not None
        port = sink.stdout.readline().rsplit(":", 1)[1].strip()
        house = SecuredDaemon(place)
        house.smtp = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": port, "SMTP_SECURITY": "none", "SMTP_FROM": "t@s.example",
        }  # fmt: skip
        house.configure(
            more='[report]\nevery = "1s"\n[tickets]\nnew_per_place = 100\n'
            '[mail]\nadmin = ["ops@shop.example"]\nper_hour = 500\ngather = "0.1s"\n'
            '[[client]]\nid = "martin"\nemail = "contact@martin.example"\n'
        )
        try:
            house.up()
            for endpoint in (NOBODY, house.ipc):
                program = [sys.executable, str(HERE / "secrets_app.py"), endpoint]
                spool = "left" if endpoint == NOBODY else "spool"
                arguments = [str(place / spool), str(place)]
                subprocess.run([*program, *arguments], env=house.environ, check=True, timeout=100)
            yield house
        finally:
            house.close()
            sink.terminate()
            sink.wait()


def files(house: SecuredDaemon, *patterns: str) -> list[Path]:
    return [file for pattern in patterns for file in sorted(house.place.glob(pattern)) if file.is_file()]


def careless_lines() -> str:
    """A module of functions that fail, each with a secret word in its own line."""
    functions = [
        f"def fail_{number}():\n    {line.format(secret=secret)}\n"
        for number, (line, secret) in enumerate(product(CARELESS, WORDS.values()))
    ]
    return "def stop(**given):\n    raise RuntimeError(len(given))\n\n\n" + "\n\n".join(functions)


def found(house: SecuredDaemon, *patterns: str) -> list[tuple[str, str]]:
    """(secret, file) of each that is in a file after all."""
    contents = {file.name: file.read_bytes() for file in files(house, *patterns)}
    assert contents, patterns
    needles = {needle(secret) for _, _, secret in PLANTED} | {one.secret.encode() for one in SURROUNDED}
    return [
        (secret.decode(), name)
        for name, content in contents.items()
        for secret in sorted(needles)
        if secret in content
    ]


def test_forty_secrets_are_planted() -> None:
    assert len({needle(secret) for _, _, secret in PLANTED}) == 40


def test_no_secret_is_in_the_spool(lived: SecuredDaemon) -> None:
    assert not found(lived, "left/*", "spool/**/*")


def test_no_secret_is_in_the_database(lived: SecuredDaemon) -> None:
    assert lived.counted() == 3 * len(PLANTED) + 2 * len(SURROUNDED) + len(CARELESS) * len(WORDS)
    assert not found(lived, "state/tocsin.db*")


def test_no_secret_is_in_a_mail(lived: SecuredDaemon) -> None:
    tickets = lived.ask("SELECT count(*) FROM support_tickets")[0][0]
    assert tickets > 10
    assert until(lambda: len(files(lived, "mail/*.eml")) >= 2 * tickets)
    assert not found(lived, "mail/*.eml")


def test_no_secret_is_on_a_page(lived: SecuredDaemon) -> None:
    errors = lived.ask("SELECT count(*) FROM error_logs")[0][0]
    assert until(lambda: len(files(lived, "state/report/**/*.html")) > errors)
    assert not found(lived, "state/report/**/*")


def test_no_secret_is_in_the_daemons_log(lived: SecuredDaemon) -> None:
    assert not found(lived, "daemon.log")
