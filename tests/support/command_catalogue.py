"""Every text of the commands' answers that the reader's language must know.

`python tests/support/command_catalogue.py` renews the French catalogue and names what has no French text yet.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tocsin.daemon.cli import wording

COMMANDS = Path(wording.__file__).parent
PO = COMMANDS / "locale" / "fr" / "LC_MESSAGES" / "command.po"


def texts() -> set[str]:
    """Message ids."""
    keywords = {"_": None, "gettext": None, "said": None}
    return {text for _, _, text, _, _ in extract_from_dir(COMMANDS, keywords=keywords)}


def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def untranslated(known: Catalog) -> list[str]:
    return sorted(text for text in texts() if not getattr(known.get(text), "string", ""))


def renew() -> list[str]:
    """Brings the French catalogue up to date with the texts and compiles it; returns what lacks French."""
    known, wanted = catalogue(), texts()
    for text in [str(message.id) for message in known if message.id and message.id not in wanted]:
        known.delete(text)
    for text in wanted:
        if known.get(text) is None:
            known.add(text, flags=("python-format",) if "%(" in text else ())
    with PO.open("wb") as file:
        write_po(file, known, width=100, sort_output=True, ignore_obsolete=True)
    with PO.with_suffix(".mo").open("wb") as file:
        write_mo(file, known)
    return untranslated(known)


if __name__ == "__main__":
    sys.exit("\n".join(renew()) or 0)
