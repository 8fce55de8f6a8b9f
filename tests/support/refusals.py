"""Every text with which something is refused, found in the code: the first argument of each `Failed`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tocsin.daemon import failure

DAEMON = Path(failure.__file__).parent


def subclasses(kind: type = failure.Failed) -> set[str]:
    """The names of the classes of refusals that are loaded."""
    return {kind.__name__}.union(*(subclasses(one) for one in kind.__subclasses__()))


def made(file: Path, names: set[str]) -> Iterator[tuple[int, ast.expr]]:
    """(line, text) of each refusal that is made in a file."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield from ((node.lineno, text) for text in node.args[:1])
