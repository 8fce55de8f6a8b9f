"""The mean of a day without orders."""


def mean(amounts: list[int]) -> float:
    """Cents per order."""
    return sum(amounts) / len(amounts)


def main() -> None:
    mean([])
