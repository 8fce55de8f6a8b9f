"""How often a ticket closes or reopens falsely, under our rule and under others: `make simulate`.

Virtual time, seeded: the same seeds give the same numbers. The world is in `sim_world` and `sim_errors`, the rules in
`sim_rules`; `sim_calibration` asks whether the chance is true that a closing states. Rules and defaults were chosen
on the seeds 1 to 4; what is shown was played on others.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import sim_calibration
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from sim_calibration import LEVELS, Calibrated, share
from sim_drawing import Panel, Point, Series, drawing
from sim_errors import error
from sim_play import play
from sim_rules import BEFORE, CLOCK, LAST, NEWER, OURS, Policy, days
from sim_world import daemon_up, service

SEEDS = (2026, 2027, 2028, 2029, 2030)
PER_SERVICE = 20
ENOUGH = 10_000
"""Errors from which on every number is large enough to be held against the others."""
ASKED = 0.2
"""`max_chance` of the column that is held against the other rules."""
GATES = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
OTHERS = (BEFORE, CLOCK, LAST, NEWER)
CLOSINGS = (
    "application not running",
    "came back, not told yet",
    "came back, not counted",
    "correction that fails its tests",
    "code not called",
    "between two bursts",
    "silence likely anyway",
)
REOPENINGS = ("old worker lives on", "told late")
BESIDE = ("tickets", "closed rightly", "reopened rightly", "old code noticed", "still open, though gone")
AT_HALF = 0.2
"""Of what is to be expected 0.2 to 3 times a day, the share that must close with a chance of at most a half."""


class Seed(Struct):
    """What was played on one seed."""

    rules: dict[str, Counter[str]]
    watches: dict[str, Calibrated]


def policies() -> list[Policy]:
    """Ours with what it asks for, the others, and ours with other values of `max_chance`."""
    ours = OURS.gated(ASKED, OURS.name)
    return [ours, *OTHERS, *(OURS.gated(most) for most in GATES if most != ASKED)]


def simulate(errors: int, seed: int) -> Seed:
    """Plays so many errors under every policy, and watches a fifth as many that nobody corrects."""
    rng = random.Random(seed)
    up = daemon_up()
    shared = days(up)
    found: dict[str, Counter[str]] = {policy.name: Counter() for policy in policies()}
    for _ in range(-(-errors // PER_SERVICE)):
        where = service(rng, up)
        for _ in range(min(PER_SERVICE, errors)):
            one = error(rng, where, up)
            for policy in policies():
                found[policy.name].update(play(one, policy, shared))
    return Seed(found, sim_calibration.watches(errors // 2, seed))


def summary(found: dict[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """Every number by policy; a false closing may be of several kinds (indented), each is counted."""
    rows: dict[str, dict[str, float]] = {}
    for name, counted in found.items():
        row: dict[str, float] = {"false closings": counted["false closings"]}
        row["  of tickets without a correction"] = (
            counted["false closings"] - counted["false closings, corrected"]
        )
        row |= {f"  {kind}": counted[f"false closing: {kind}"] for kind in CLOSINGS}
        row["false reopenings"] = sum(counted[f"false reopening: {kind}"] for kind in REOPENINGS)
        row |= {f"  {kind}": counted[f"false reopening: {kind}"] for kind in REOPENINGS}
        row |= {kind: counted[kind] for kind in BESIDE}
        right = max(counted["closed rightly"], 1)
        row["mean hours from gone to closed"] = round(counted["hours to the right closing"] / right, 1)
        rows[name] = row
    return rows


def calibration(watches: dict[str, Calibrated]) -> dict[str, Any]:
    """Per kind and question the shares by level, each with its 95 % interval."""
    return {
        kind: {
            "watches": len(found.watches),
            "expected 0.2 to 3 times a day": len(found.often),
            "stated": {f"{x:g}": share(found.watches, x, gated=False) for x in LEVELS},
            "asked for": {f"{x:g}": share(found.watches, x, gated=True) for x in LEVELS},
            "asked for, often": {f"{x:g}": share(found.often, x, gated=True) for x in LEVELS},
        }
        for kind, found in watches.items()
    }


def uncalibrated(found: dict[str, Any]) -> list[str]:
    """What speaks against the chance: more silences than stated, or uselessly few."""
    wrong = [
        f"{kind}, {question}: at {level} there are {at:.3f} (from {low:.3f})"
        for kind, one in found.items()
        for question in ("stated", "asked for", "asked for, often")
        for level, (at, low, _) in one[question].items()
        if low > float(level)
    ]
    few = [
        f"{kind}: at 0.5 there are only {one['asked for, often']['0.5'][0]:.3f}"
        for kind, one in found.items()
        if one["asked for, often"]["0.5"][2] < AT_HALF
    ]
    return wrong + few


def drawn(rows: dict[str, dict[str, float]], found: dict[str, Any], errors: int) -> str:
    """The drawing for docs/evidence.md."""
    panels = [
        Panel(
            f"The chance of a closing, by {kind} ({one['watches']} watches)", "stated chance, at most",
            "share of watches that end in silence", 1.0, 1.0,
            [
                Series(said, [Point(float(x), *one[question][x]) for x in one[question]])
                for question, said in (
                    ("stated", "as stated where nothing is asked for"),
                    ("asked for", "where max_chance is that"),
                    ("asked for, often", "the same, of errors of 0.2 to 3 times a day"),
                )
            ],
            diagonal=True,
        )
        for kind, one in found.items()
    ]  # fmt: skip
    return drawing([*panels, _frontier(rows, errors)])


def _frontier(rows: dict[str, dict[str, float]], errors: int) -> Panel:
    def point(name: str, label: str = "") -> Point:
        row = rows[name]
        scale = 10_000 / errors
        spread = 1.96 * row["false closings"] ** 0.5
        return Point(
            row["mean hours from gone to closed"],
            row["false closings"] * scale,
            max(row["false closings"] - spread, 0.0) * scale,
            (row["false closings"] + spread) * scale,
            label,
        )

    ours = [(most, OURS.name if most == ASKED else f"max_chance = {most:g}") for most in GATES]
    top = max(row["false closings"] for row in rows.values()) * 10_000 / errors
    return Panel(
        "False closings of 10,000 errors", "mean hours from gone to closed", "false closings", 80.0, 1.1 * top,
        [
            Series("Tocsin, by max_chance", [point(name, f"{most:g}") for most, name in ours]),
            *(Series(one.name, [point(one.name)]) for one in (BEFORE, LAST, NEWER)),
        ],
    )  # fmt: skip


def show(rows: dict[str, dict[str, float]], found: dict[str, Any], title: str) -> None:
    """The tables, for people."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 190)
    table = Table(title=title, box=None)
    table.add_column("")
    for name in rows:
        table.add_column(name, justify="right")
    for kind in next(iter(rows.values())):
        table.add_row(kind, *(f"{row[kind]:g}" for row in rows.values()))
    console.print(table)
    for kind, one in found.items():
        console.print(f"by {kind}: {one['watches']} watches")
        for question in ("stated", "asked for", "asked for, often"):
            shares = (
                f"{x}: {at:.3f} ({low:.3f} to {high:.3f})" for x, (at, low, high) in one[question].items()
            )
            console.print(f"  {question}: " + ", ".join(shares))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--errors", type=int, default=10_000, help="of all seeds together")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--out", type=Path, help="also write the numbers as JSON")
    parser.add_argument("--draw", type=Path, help="also write the drawing as SVG")
    asked = parser.parse_args()
    began = time.monotonic()
    each = asked.errors // len(asked.seeds)
    with ProcessPoolExecutor(min(2, len(asked.seeds))) as pool:
        played = list(pool.map(simulate, [each] * len(asked.seeds), asked.seeds))
    counted: dict[str, Counter[str]] = {policy.name: Counter() for policy in policies()}
    for one in played:
        for name, more in one.rules.items():
            counted[name].update(more)
    rows = summary(counted)
    found = calibration(sim_calibration.added(one.watches for one in played))
    seconds = time.monotonic() - began
    show(rows, found, f"{asked.errors} errors, 28 days, {len(asked.seeds)} seeds, {seconds:.0f} s")
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        told = {"errors": asked.errors, "seeds": list(asked.seeds), "rules": rows, "calibration": found}
        asked.out.write_text(json.dumps(told, indent=2))
    if asked.draw:
        asked.draw.write_text(drawn(rows, found, asked.errors))
    wrong = uncalibrated(found)
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 0 if asked.errors < ENOUGH or (better(rows) and not wrong) else 1


def better(rows: dict[str, dict[str, float]]) -> bool:
    """Whether our rule, with what it asks for, closes falsely least often."""
    ours = rows[OURS.name]["false closings"]
    return all(ours < rows[other.name]["false closings"] for other in OTHERS)


if __name__ == "__main__":
    sys.exit(main())
