"""Network namespaces, each a host of its own behind a cable; made and removed by root with `ip`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Host(NamedTuple):
    """A namespace: its own address, and the one under which it sees us."""

    name: str
    address: str
    ours: str

    @property
    def prefix(self) -> list[str]:
        """What a command begins with to run there."""
        return ["ip", "netns", "exec", self.name]


@contextmanager
def hosts(number: int, label: str) -> Iterator[list[Host]]:
    """So many of them. `label`: at most 6 characters, told apart from other runs'."""
    made = [Host(f"{label}{i}", f"10.77.{i}.2", f"10.77.{i}.1") for i in range(1, number + 1)]
    try:
        for host in made:
            _ip("netns", "add", host.name)
            _ip("link", "add", f"{host.name}o", "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("addr", "add", f"{host.ours}/24", "dev", f"{host.name}o")
            _ip("link", "set", f"{host.name}o", "up")
            for command in (
                ("addr", "add", f"{host.address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", host.name, *command)
        yield made
    finally:
        for host in made:
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
