"""How the documentation is made: Sphinx reads the same Markdown that is read in the repository.

Nothing is fetched while it is made, and the pages load nothing from anywhere: `make docs`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

project = "Tocsin"
author = "the Tocsin developers"
release = version_of("tocsin")
version = release

extensions = ["myst_parser"]
exclude_patterns = ["**/*.py"]
nitpicky = True

myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = f"Tocsin {release}"
html_copy_source = False
html_show_sphinx = False

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#]+)\)")
_STEP = re.compile(r"\s*(\S+) --> (\S+): (\w+)")


class Steps(Directive):
    """A state diagram as a table, so that no script is needed to draw it: from where, to where, by what."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """One row for each state that is left, one column for each that is entered."""
        steps: dict[tuple[str, str], list[str]] = defaultdict(list)
        for found in filter(None, map(_STEP.match, self.content)):
            steps[found[1], found[2]].append(found[3])
        states = list(dict.fromkeys(after for _, after in steps))
        rows = [["from ╲ to", *states]]
        for before in dict.fromkeys(before for before, _ in steps):
            facts = [", ".join(steps.get((before, after), ["–"])) for after in states]
            rows.append(["(new)" if before == "[*]" else before, *facts])
        return [_table(rows)]


def _table(rows: list[list[str]]) -> nodes.table:
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    lines = [nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in row)) for row in rows]
    group += [nodes.thead("", lines[0]), nodes.tbody("", *lines[1:])]
    return nodes.table("", group)


def name_repository_files(app: Any, page: str, source: list[str]) -> None:
    """A link to a file of the repository outside docs/ becomes the file's name: the pages may stand alone.

    One to a file that is not there is left as it is, and so is an error.
    """
    docs = Path(app.srcdir)
    here = (docs / page).parent

    def named(found: re.Match[str]) -> str:
        file = (here / found[2]).resolve()
        if not file.exists() or file.is_relative_to(docs):
            return found[0]
        return f"{found[1]} (`{file.relative_to(docs.parent)}`)"

    source[0] = _LINK.sub(named, source[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_directive("mermaid", Steps)
    app.connect("source-read", name_repository_files)
