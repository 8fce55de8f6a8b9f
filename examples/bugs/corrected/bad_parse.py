"""A scale that writes a decimal comma."""


def grams(reading: str) -> int:
    """What the scale shows, such as `1.25 kg`, in grams."""
    number = reading.removesuffix("kg").strip().replace(",", ".")
    return round(float(number) * 1000)


def main() -> None:
    grams("1,25 kg")
