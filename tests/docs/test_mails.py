"""The documentation's table of what each mail says, in each situation, to each reader."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tocsin.daemon.outgoing import mail

FILE = Path(__file__).parents[2] / "docs" / "mails" / "situations.py"


@pytest.fixture(scope="module")
def situations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("situations", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["situations"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_says_what_the_mails_say(situations):
    assert (FILE.parent / "texts.md").read_text("utf-8") == situations.page()


def test_every_mail_has_a_situation(situations):
    assert {one.kind for one in situations.SITUATIONS} == mail.KINDS.keys()


def test_every_situation_has_its_pictures(situations):
    wanted = {
        f"{one.name}-{language}.png" for one in situations.SITUATIONS for language in situations.LANGUAGES
    }
    assert wanted <= {path.name for path in FILE.parent.glob("*.png")}


def test_no_situation_reads_like_another_to_the_same_reader(situations):
    texts = [(one.audience, one.written("fr").text) for one in situations.SITUATIONS]
    assert len(set(texts)) == len(texts)
