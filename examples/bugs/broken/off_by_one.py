"""One step past the end of a list."""


def rises(levels: list[int]) -> list[int]:
    """By how much each level differs from the one before it."""
    return [levels[i + 1] - levels[i] for i in range(len(levels))]


def main() -> None:
    rises([3, 5, 4])
