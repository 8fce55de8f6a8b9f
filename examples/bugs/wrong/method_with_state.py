"""A method that trusts what its object was given."""


class Stock:
    """The pieces of each article."""

    def __init__(self, pieces: dict[str, int], reserved: dict[str, int]) -> None:
        self.pieces = pieces
        self.reserved = reserved

    def free(self, article: str) -> int:
        """Pieces that nobody has reserved."""
        return self.pieces[article] - self.reserved[article.lower()]


def main() -> None:
    Stock({"chair": 3}, {}).free("chair")
