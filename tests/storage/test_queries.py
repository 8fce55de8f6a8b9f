"""The four queries of the specification, verbatim, against `tocsin metrics --json`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.fleet import ENVIRON, Member
from support.postgres import Postgres
from support.world import HOUR, World

from tocsin.daemon.corrections.recording import NewCorrection, record
from tocsin.daemon.store.database import open_store

AUTOMATIC = "SELECT COUNT(*) FROM support_tickets WHERE source = 'auto_detection';"
CLOSED = """
SELECT COUNT(CASE WHEN metadata->>'auto_closed' = 'true' THEN 1 END) * 100.0 / COUNT(*), COUNT(*)
  FROM support_tickets WHERE source = 'auto_detection';
"""
HOURS = """
SELECT AVG(EXTRACT(EPOCH FROM (closed_at - created_at))/3600) AS avg_hours
  FROM support_tickets WHERE source = 'auto_detection' AND closed_at IS NOT NULL;
"""
TOP = """
SELECT e.source, e.message, COUNT(c.id) AS corrections_count
  FROM error_logs e JOIN error_corrections c ON c.error_id = e.id
 GROUP BY e.source, e.message ORDER BY corrections_count DESC LIMIT 10;
"""


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


def test_the_specification_s_queries_agree_with_the_metrics(place: Path, postgres: Postgres):
    url = postgres.database()
    store = open_store(url)
    try:
        world = World(store)
        app = world.app()
        for function in ("price", "ship", "pay"):
            app.fail(function=function)
        (place / "orders.py").write_text("total = prices.get(sku, 0)\n")
        change = NewCorrection(1, "orders.py", "total = prices[sku]", "total = prices.get(sku, 0)")
        record(store, world.config, [change], project=place, now=world.now)
        world.live(13 * HOUR, app)
        app.fail(times=1, function="pay")
        world.live(13 * HOUR, app)
        world.check()
    finally:
        store.close()
    member = Member(place, "one", url, f"ipc://{place}/s")
    told = subprocess.run(
        member.command("metrics", "--json"), env=ENVIRON, capture_output=True, text=True, check=True
    )
    metrics = json.loads(told.stdout)
    with postgres.connect(url.rpartition("/")[2]) as connection:
        (automatic,) = connection.execute(AUTOMATIC).fetchone() or ()
        percent, of = connection.execute(CLOSED).fetchone() or ()
        (hours,) = connection.execute(HOURS).fetchone() or ()
        top = connection.execute(TOP).fetchall()
    assert metrics["auto_tickets"] == automatic == of == 3
    assert metrics["auto_closed_percent"] == pytest.approx(float(str(percent)), abs=0.01)
    assert metrics["mean_hours_to_resolution"] == pytest.approx(float(str(hours)), abs=0.01)
    assert [tuple(row.values()) for row in metrics["top_corrected"]] == top
    assert len(top) == 1
