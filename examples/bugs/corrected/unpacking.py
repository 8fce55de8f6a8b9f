"""A line with one separator more than expected."""


def settings(lines: list[str]) -> dict[str, str]:
    """`name=value` lines as a dict."""
    found = {}
    for text in lines:
        name, value = text.split("=", 1)
        found[name] = value
    return found


def main() -> None:
    settings(["colour=red", "formula=a=b"])
