"""A method whose object cannot be made again: its class wants arguments."""


class Shelf:
    """A shelf of a warehouse."""

    def __init__(self, places: int) -> None:
        self.places = places

    def free(self, taken: int) -> float:
        """Which part of it is free."""
        return 1 - taken / self.places if self.places else 0.0


def main() -> None:
    Shelf(0).free(0)
