"""The mean of a day without orders."""


def mean(amounts: list[int]) -> float:
    """Cents per order."""
    return sum(amounts) / len(amounts) if amounts else 0.0


def main() -> None:
    mean([])
