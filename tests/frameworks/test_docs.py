"""docs/frameworks.md shows what the examples really do."""

from __future__ import annotations

import json
import re
import textwrap

from support.example_programs import CONFIGURATION, EXAMPLES, commands
from support.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "frameworks.md"
NOTEBOOK = json.loads((EXAMPLES / "notebook.ipynb").read_text())
WRITTEN = {
    "python": [
        *(path.read_text() for path in sorted(EXAMPLES.rglob("*.py"))),
        *("".join(cell["source"]) + "\n" for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"),
    ],
    "ini": [(EXAMPLES / "logging.ini").read_text()],
    "toml": [CONFIGURATION],
}


def test_every_block_stands_in_an_example() -> None:
    for block in blocks(PAGE):
        if block.language != "sh":
            texts = WRITTEN[block.language]
            assert any(block.text in text for text in texts), f"line {block.line}:\n{block.text}"


def test_every_command_is_an_examples_own() -> None:
    own = {" ".join(command) for path in EXAMPLES.rglob("*.*") for command in commands(path)}
    for block in blocks(PAGE):
        if block.language == "sh":
            lines = set(textwrap.dedent(block.text).splitlines())
            assert lines <= own, f"line {block.line}: {lines - own}"


def test_what_applications_name_lies_directly_under_the_handler() -> None:
    texts = [PAGE.read_text(), *WRITTEN["python"], *WRITTEN["ini"]]
    named = {name for text in texts for name in re.findall(r"tocsin\.handler\.([\w.]+)", text)}
    assert {name.partition(".")[0] for name in named} <= {"TocsinHandler", "bind", "unbind", "middleware"}


def test_every_example_is_told_of() -> None:
    told = PAGE.read_text() + (ROOT / "examples" / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__"]
    assert not [name for name in names if name not in told]
