"""A date that does not exist every year."""

from datetime import date


def renewal(begun: date, years: int) -> date:
    """When a contract is renewed."""
    return begun.replace(year=begun.year + years)


def main() -> None:
    renewal(date(2024, 2, 29), 1)
