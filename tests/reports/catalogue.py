"""Every text of the pages that the reader's language must know: from the templates and the modules."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

from tocsin.reports import words

REPORTS = Path(words.__file__).parent

MessageId = str | tuple[str, ...]


def texts() -> set[MessageId]:
    """Message ids; a tuple holds singular and plural."""
    found = extract_from_dir(
        REPORTS,
        method_map=[("**/templates/*.html", "jinja2.ext:babel_extract"), ("**.py", "python")],
        options_map={"**/templates/*.html": {"newstyle_gettext": "true", "trim_blocks": "true"}},
        keywords={"_": None, "gettext": None, "ngettext": (1, 2)},
    )
    return {message for _, _, message, _, _ in found}
