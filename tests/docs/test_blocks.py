"""Every command, program and configuration in the documentation works as it is written."""

from __future__ import annotations

import json
import runpy
import tomllib
from pathlib import Path

import pytest
from support.markdown import PAGES, ROOT, Block, blocks
from support.reader_machine import ReaderMachine

from tocsin.daemon import config

FRAMEWORKS = ROOT / "docs" / "frameworks.md"
"""Its blocks are run by tests/frameworks, each in its framework."""
OURS = [page for page in PAGES if page != FRAMEWORKS]
FROM_NOTHING = ("getting-started.md",)
RUN = ("sh", "console", "python")
READ = ("toml", "json")
DRAWN = ("text", "mermaid", "{toctree}")
"""Mermaid drawings are held to the code by tests/life/test_docs.py, tables of contents by the generator."""
REHEARSAL = ROOT / "tests" / "operations" / "rehearsal.py"
REHEARSED = [ROOT / "docs" / name for name in ("operations.md", "postgres.md")]
"""The pages whose blocks marked `systemd` the rehearsal types, all of them: they need root and systemd."""

API = ROOT / "docs" / "api.md"
"""Its blocks marked `api` are run by tests/api/test_docs.py, against a console."""
WEB_SERVERS = [ROOT / "docs" / "web-servers.md"]
"""Its marked blocks are what tests/console/test_behind_web_servers.py and tests/reports/test_web_servers.py run."""
MARKED = {
    "systemd": REHEARSED,
    "api": [API],
    **dict.fromkeys(("nginx-console", "caddy-console", "nginx-files", "caddy-files"), WEB_SERVERS),
}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def here(page: Path, *languages: str) -> list[Block]:
    """The page's blocks in these languages that are run or read here."""
    return [block for block in blocks(page) if block.language in languages and not block.mark]


@pytest.mark.parametrize("page", [page for page in OURS if here(page, *RUN)], ids=name)
def test_what_the_page_tells_to_do_can_be_done(page: Path, request: pytest.FixtureRequest) -> None:
    place: ReaderMachine = request.getfixturevalue("empty" if page.name in FROM_NOTHING else "furnished")
    for block in here(page, *RUN):
        try:
            place.run(block)
        except AssertionError as error:
            raise AssertionError(f"{name(page)}:{block.line}: {error}") from None


@pytest.mark.parametrize("page", [page for page in OURS if here(page, *READ)], ids=name)
def test_what_the_page_shows_as_configuration_or_data_can_be_read(page: Path) -> None:
    for block in here(page, "toml"):
        config.parse(tomllib.loads(block.text), {}, name=f"{name(page)}:{block.line}")
    for block in here(page, "json"):
        json.loads(block.text)


@pytest.mark.parametrize("page", OURS, ids=name)
def test_no_block_is_left_out(page: Path) -> None:
    for block in blocks(page):
        where = f"{name(page)}:{block.line}"
        assert block.language in (*RUN, *READ, *DRAWN), f"{where}: nothing runs {block.language!r}"
        assert not block.mark or page in MARKED.get(block.mark, ()), f"{where}: {block.mark!r}?"


def test_the_rehearsal_types_the_pages_that_have_blocks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REHEARSAL.parent)
    assert runpy.run_path(str(REHEARSAL))["PAGES"] == REHEARSED


@pytest.mark.parametrize("page", OURS, ids=name)
def test_a_drawing_hides_no_command(page: Path) -> None:
    for block in here(page, "text"):
        commands = [
            line for line in block.text.splitlines() if line.startswith(("tocsin ", "pip ", "make ", "$ "))
        ]
        assert not commands, f"{name(page)}:{block.line}"
