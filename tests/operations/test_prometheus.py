"""The file for node_exporter: stable names, right numbers, hostile names escaped, never half written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.world import SETTINGS, World

from tocsin.daemon.config import parse
from tocsin.daemon.operations.prometheus import Prometheus
from tocsin.daemon.store.database import Store

LINE = re.compile(
    r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (?P<value>\S+)'
)


def numbers(world: World, directory: Path) -> dict[str, float]:
    """The file read back: every line is a comment or a sample."""
    settings: dict[str, Any] = {**SETTINGS, "daemon": {"metrics_dir": str(directory)}}
    writer = Prometheus(world.store, parse(settings, {}))
    writer.write(world.now)
    lines = [line for line in writer.path.read_text().splitlines() if not line.startswith("#")]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return {f"{one['name']}{{{one['labels'] or ''}}}": float(one["value"]) for one in found if one}


SHOP = 'service="shop",environment="production"'


class Numbers:
    """What holds on both databases."""

    database = "sqlite"

    def test_errors_tickets_and_processes_are_counted_by_service(self, world: World, tmp_path: Path) -> None:
        world.app().fail(3)
        found = numbers(world, tmp_path)
        assert found[f"tocsin_events_total{{{SHOP}}}"] == 3
        assert found[f"tocsin_errors_open{{{SHOP}}}"] == 1
        assert found[f"tocsin_tickets_open{{{SHOP}}}"] == 1
        assert found[f"tocsin_sessions_alive{{{SHOP}}}"] == 1
        assert found['tocsin_mails{state="waiting"}'] == 1
        assert found["tocsin_written_timestamp_seconds{}"] == world.now


class TestOnSqlite(Numbers):
    pass


class TestOnPostgres(Numbers):
    database = "postgres"


@pytest.mark.parametrize("service", ['a"b\\c\nd', "é\x1b[2J", '"} 1\nforged 2'])
def test_a_hostile_service_name_stays_one_label(store: Store, tmp_path: Path, service: str) -> None:
    world = World(store)
    world.app(service).fail(3)
    assert sum(value for name, value in numbers(world, tmp_path).items() if "events_total" in name) == 3


def test_the_file_is_replaced_whole_and_readable_for_the_exporter(world: World, tmp_path: Path) -> None:
    numbers(world, tmp_path)
    numbers(world, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["metrics.prom"]
    assert (tmp_path / "metrics.prom").stat().st_mode & 0o777 == 0o644
