"""A date that does not exist every year."""

from datetime import date


def renewal(begun: date, years: int) -> date:
    """When a contract is renewed."""
    day = min(begun.day, 28) if begun.month == 2 else begun.day
    return begun.replace(year=begun.year + years, day=day)


def main() -> None:
    renewal(date(2024, 2, 29), 1)
