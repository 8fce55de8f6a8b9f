"""Secrets in the lines of source code that are shown around an error."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.scrub import Scrubber


@pytest.mark.parametrize(
    "code",
    [
        'password = "hunter2-XYZ"',
        "log.error('login failed with password=hunter2-XYZ')",
        'connect(user="a", password="hunter2-XYZ")',
        'headers = {"Authorization": "Bearer hunter2-XYZ"}',
        'url = "https://bob:hunter2-XYZ@example.org/"',
        'os.environ["API_KEY"] = "hunter2-XYZ"',
        'raise ValueError(f"{n} tries, token=hunter2-XYZ")',
        'settings = {"db_password": "hunter2-XYZ", "port": 1}',
        'requests.get(url, auth=("user", "hunter2-XYZ"))',
        'run(["docker", "login", "--password", "hunter2-XYZ"])',
        'key = os.environ.get("API_KEY", "hunter2-XYZ")',
        'requests.get(url,auth="user","hunter2-XYZ")',
        'password: str = "hunter2-XYZ"',
        'if password == "hunter2-XYZ":',
        'tokens = ["hunter2-XYZ", f"{other}"]',
    ],
)
def test_a_secret_in_a_literal_is_taken_out(code: str) -> None:
    assert "hunter2-XYZ" not in Scrubber().code(code)


@pytest.mark.parametrize(
    "code",
    [
        "token = get_token(request)",
        'log.error("password=%s", password)',
        'log.error(f"token={token!r} for {user.name}")',
        'raise KeyError(f"no session: {key}")',
        'session = Session(api_key=os.environ["API_KEY"])',
        "if password is None: return None",
        "total = prices[sku] * 2",
        'password = input("password: ")',
        "def login(user: str, password: str = '') -> Token:",
        'fields = ["username", "password", "email"]',
        "raise Refused(auth=(user, password))",
        'SESSION_KEYS = ("user", "cart", "language")',
    ],
)
def test_code_without_a_secret_in_it_stays_as_it_is(code: str) -> None:
    assert Scrubber().code(code) == code


def test_a_template_keeps_its_variable_parts() -> None:
    assert Scrubber().literal("password=* refused, token=*") == "password=* refused, token=*"


def test_the_lines_around_an_error_are_shown_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "careless.py"
    file.write_text('API_KEY = "hunter2-XYZ"\n\ndef call():\n    raise ValueError("token=hunter2-XYZ")\n')
    places = CodeLocations(started_at=time.time() + 60, in_app=(), not_in_app=(), sys_path=(), live=False)
    place = places.of(str(file), 4)
    assert "raise ValueError" in " ".join(place.source)
    assert "hunter2-XYZ" not in repr(place)


def test_a_key_block_over_several_lines_is_taken_out(tmp_path: Path) -> None:
    lines = ['KEY = """', "-----BEGIN PRIVATE KEY-----", "hunter2XYZ", "-----END PRIVATE KEY-----", '"""']
    assert "hunter2XYZ" not in repr(Scrubber().lines(lines))
    assert len(Scrubber().lines(lines)) == len(lines)
