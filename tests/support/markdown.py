"""Markdown as the documentation's generator reads it: blocks of code, and the code within sentences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_MARK = re.compile(r"<!-- run: (\S+) -->")


class Block(NamedTuple):
    """A fenced block. `mark` is what a comment `<!-- run: MARK -->` right before it says, else ''."""

    line: int
    language: str
    text: str
    mark: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    mark = ""
    for token in _tokens(page):
        if token.type == "html_block":
            said = _MARK.fullmatch(token.content.strip())
            mark = said[1] if said else ""
        elif token.type == "fence":
            found.append(Block((token.map or [0])[0] + 1, token.info.strip(), token.content, mark))
            mark = ""
        else:
            mark = ""
    return found


def phrases(page: Path) -> list[str]:
    """What stands in backticks within the sentences and tables of a page."""
    inline = [token for token in _tokens(page) if token.type == "inline"]
    return [
        child.content for token in inline for child in token.children or () if child.type == "code_inline"
    ]


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text("utf-8"))
