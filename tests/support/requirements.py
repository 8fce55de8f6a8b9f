"""Prints what the project and its extras require, one a line, without the project itself."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parents[2] / "setup.cfg"


def requirements() -> list[str]:
    config = ConfigParser(interpolation=None)
    config.read(SETUP, "utf-8")
    extras = config["options.extras_require"]
    texts = [config["options"]["install_requires"], *(extras[name] for name in extras)]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sorted({line for line in lines if line and not line.startswith("tocsin")})


if __name__ == "__main__":
    print("\n".join(requirements()))
