"""A regular expression that does not match what people write."""

import re

NUMBER = re.compile(r"(\d{2})[-/](\d{4})")


def invoice(text: str) -> tuple[int, int]:
    """Month and number of an invoice."""
    found = NUMBER.search(text)
    return int(found[1]), int(found[2])  # type: ignore[index]


def main() -> None:
    invoice("invoice 03/1742")
