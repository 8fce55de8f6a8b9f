"""Every text of the pages that the reader's language must know: from the templates and the modules.

`python tests/reports/catalogue.py` renews the French catalogue and names what has no French text yet.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tocsin.daemon import queries
from tocsin.reports import wording

REPORTS = Path(wording.__file__).parent
QUERIES = Path(queries.__file__).parent

MessageId = str | tuple[str, ...]


def texts() -> set[MessageId]:
    """Message ids; a tuple holds singular and plural."""
    return {
        message
        for folder in (REPORTS, QUERIES)
        for _, _, message, _, _ in extract_from_dir(
            folder,
            method_map=[("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")],
            options_map={"**/templates/**.html": {"newstyle_gettext": "true", "trim_blocks": "true"}},
            keywords={"_": None, "gettext": None, "say": None, "ngettext": (1, 2)},
        )
    }


PO = REPORTS / "locale" / "fr" / "LC_MESSAGES" / "reports.po"


def renew() -> list[MessageId]:
    """Brings the French catalogue up to date with the texts and compiles it; returns what lacks French."""
    with PO.open("rb") as file:
        catalogue = read_po(file)
    known = {_plain(message.id): message.id for message in catalogue if message.id}
    wanted = texts()
    for message, kept in known.items():
        if message not in wanted:
            catalogue.delete(kept)
    for message in wanted - known.keys():
        flags = ("python-format",) if "%(" in "".join(message) else ()
        catalogue.add(message, flags=flags)
    with PO.open("wb") as file:
        write_po(file, catalogue, width=100, sort_output=True, ignore_obsolete=True)
    with PO.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)
    return [_plain(message.id) for message in catalogue if message.id and not any(message.string or ())]


def _plain(message: str | list[str] | tuple[str, ...]) -> MessageId:
    return message if isinstance(message, str) else tuple(message)


if __name__ == "__main__":
    sys.exit("\n".join(map(str, renew())) or 0)
