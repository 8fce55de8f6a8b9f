"""How often a ticket closes or reopens falsely, under our rule and under simpler ones: `make simulate`.

Virtual time, seeded: the same seed gives the same table. Services run, stop, lose hosts, are deployed;
daemons are down for half an hour, six and thirty; errors of every rate are corrected, corrected wrongly or
left alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sim_rules import POLICIES, days, play
from sim_world import daemon_up, error, service

PER_SERVICE = 20
ENOUGH = 10_000
"""Errors from which on every number is large enough to be held against the others."""
CLOSINGS = (
    "application not running",
    "came back, not told yet",
    "came back under another signature",
    "correction that fails its tests",
    "silence likely anyway",
)
REOPENINGS = ("old worker lives on", "told late")
BESIDE = ("tickets", "closed rightly", "reopened rightly", "old code noticed", "still open, though gone")


def simulate(errors: int, seed: int) -> dict[str, Counter[str]]:
    """Plays so many errors under every policy; returns what happened, by policy."""
    rng = random.Random(seed)
    up = daemon_up()
    shared = days(up)
    found: dict[str, Counter[str]] = {policy.name: Counter() for policy in POLICIES}
    for _ in range(-(-errors // PER_SERVICE)):
        where = service(rng, up)
        for _ in range(min(PER_SERVICE, errors)):
            one = error(rng, where, up)
            for policy in POLICIES:
                found[policy.name].update(play(one, policy, shared))
    return found


def summary(found: dict[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """Every number by policy; a false closing may be of several kinds (indented), each is counted."""
    rows: dict[str, dict[str, float]] = {}
    for name, counted in found.items():
        row: dict[str, float] = {"false closings": counted["false closings"]}
        row |= {f"  {kind}": counted[f"false closing: {kind}"] for kind in CLOSINGS}
        row["false reopenings"] = sum(counted[f"false reopening: {kind}"] for kind in REOPENINGS)
        row |= {f"  {kind}": counted[f"false reopening: {kind}"] for kind in REOPENINGS}
        row |= {kind: counted[kind] for kind in BESIDE}
        right = max(counted["closed rightly"], 1)
        row["mean hours from gone to closed"] = round(counted["hours to the right closing"] / right, 1)
        rows[name] = row
    return rows


def show(rows: dict[str, dict[str, float]], errors: int, seed: int, seconds: float) -> None:
    """The table, for people."""
    table = Table(title=f"{errors} errors, 21 days, seed {seed}, {seconds:.0f} s", box=None)
    table.add_column("")
    for name in rows:
        table.add_column(name, justify="right")
    first = next(iter(rows.values()))
    for kind in first:
        table.add_row(kind, *(f"{row[kind]:g}" for row in rows.values()))
    Console(highlight=False, width=None if sys.stdout.isatty() else 150).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, help="also write the numbers as JSON")
    asked = parser.parse_args()
    began = time.monotonic()
    rows = summary(simulate(asked.errors, asked.seed))
    seconds = time.monotonic() - began
    show(rows, asked.errors, asked.seed, seconds)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(
            json.dumps({"errors": asked.errors, "seed": asked.seed, "rules": rows}, indent=2)
        )
    return 0 if asked.errors < ENOUGH or better(rows) else 1


def better(rows: dict[str, dict[str, float]]) -> bool:
    """Whether our rule makes fewer mistakes of every kind than the simple ones."""
    ours, *others = (rows[policy.name] for policy in POLICIES if policy.name != POLICIES[1].name)
    mistakes = [kind for kind in ours if kind.startswith(("  ", "false"))]
    return all(ours[kind] < other[kind] for other in others for kind in mistakes)


if __name__ == "__main__":
    sys.exit(main())
