"""What Mako's compiled templates were made from: of a generated line the template's file and line.

Reads what Mako keeps in memory, by module dictionaries only; Mako is not imported here, only found. Nothing
here raises.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, NamedTuple

_METADATA = re.compile(r"__M_BEGIN_METADATA\s*(\{.{1,200000}\})\s*__M_END_METADATA", re.DOTALL)


class Compiled(NamedTuple):
    """One line of a template: `path` is the template's file, '' for one made from a text."""

    path: str
    text: str


def compiled(path: str, line: int) -> Compiled | None:
    """The template's line behind line `line` of what Mako generated as `path`; None for what is no such code."""
    mako = sys.modules.get("mako.template")
    if mako is None:
        return None
    try:
        return _of_mako(mako.__dict__["ModuleInfo"].__dict__["_modules"].get(path), line)
    except Exception:
        return None


def _of_mako(info: Any, line: int) -> Compiled | None:
    facts = info.__dict__ if info is not None else {}
    generated, template = facts.get("module_source"), facts.get("template_source")
    path = facts.get("template_filename") or ""
    if generated is None and facts.get("module_filename"):
        generated = _text(facts["module_filename"])
    if template is None and path:
        template = _text(path)
    found = _METADATA.search(generated or "")
    if found is None or template is None:
        return None
    lines = {int(made): int(own) for made, own in json.loads(found[1])["line_map"].items()}
    own = lines.get(max((made for made in lines if made <= line), default=0), 0)
    if isinstance(template, bytes):
        template = template.decode(errors="replace")
    rows = template.split("\n")
    return Compiled(path, rows[own - 1]) if 0 < own <= len(rows) else None


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(2 * 1024 * 1024)
