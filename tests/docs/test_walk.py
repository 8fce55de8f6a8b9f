"""A reader's first hour in French: every command is typed from a folder that is not the configuration's."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from support.markdown import ROOT, blocks
from support.reader_machine import ReaderMachine
from support.waiting import until

SETTINGS = (
    (r"# admin = .*", 'admin = ["vous@example.org"]'),
    (r'# language = "en".*', 'language = "fr"'),
    (r'# duration = "24h".*', 'duration = "3s"'),  # a day, as the demo passes it
    (r'# every = "1h".*', 'every = "1s"'),
)
SHOP = """\
import sys
import threading

from flask import Flask
from tocsin.handler import TocsinHandler

app = Flask("boutique")
app.logger.addHandler(TocsinHandler(service="boutique", heartbeat=0.5))
PRIX = {"thé": 3}


@app.get("/prix/<article>")
def prix(article):
    return str(PRIX[article])


client = app.test_client()
for _ in range(3):
    client.get("/prix/café")
closed = threading.Event()


def visitors():
    while not closed.wait(0.2):
        client.get("/prix/thé")


threading.Thread(target=visitors, daemon=True).start()
sys.stdin.read()
"""
OLD, NEW = "str(PRIX[article])", "str(PRIX.get(article, 0))"
PAGES = (ROOT / "README.md", ROOT / "docs" / "getting-started.md")
COMMAND = re.compile(r"(?m)^(?:\$ )?tocsin (\w+)")


class Walk:
    """What the reader types, and where: `elsewhere`, which holds no configuration."""

    def __init__(self, machine: ReaderMachine) -> None:
        self.machine = machine
        self.elsewhere = machine.home / "elsewhere"
        self.elsewhere.mkdir()  # empty, and nothing is ever written there
        self.shop = machine.home / "boutique"
        self.shop.mkdir()
        (self.shop / "shop.py").write_text(SHOP)
        self.typed: set[str] = set()

    def types(self, command: str) -> str:
        """Types `tocsin COMMAND` and returns what it shows."""
        self.typed.add(command.split()[0])
        shown = self.machine.shell(f"tocsin {command}", self.elsewhere)
        assert "no configuration found" not in shown
        return shown

    def json(self, command: str) -> Any:
        return json.loads(self.types(f"{command} --json"))

    def serves(self) -> subprocess.Popen[str]:
        """The shop, which runs until its input ends."""
        return subprocess.Popen(
            ["python3", "shop.py"], cwd=self.shop, env=self.machine.environ, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def starts_the_daemon(self, smtp_port: int) -> None:
        self.typed.add("daemon")
        folder = self.machine.home / "tocsin"
        self.types("init ~/tocsin")
        file = folder / "tocsin.toml"
        text = file.read_text()
        for default, chosen in SETTINGS:
            text, found = re.subn(default, chosen, text, count=1)
            assert found, default
        file.write_text(text)
        with (folder / ".env").open("a") as env:
            env.write(
                f"SMTP_HOST=127.0.0.1\nSMTP_PORT={smtp_port}\nSMTP_SECURITY=none\nSMTP_FROM=t@example.org\n"
            )
        self.machine.start(folder)


def stops(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


def test_a_reader_walks_from_nothing_to_a_closed_ticket(empty: ReaderMachine, smtp_port: int) -> None:
    walk = Walk(empty)
    walk.starts_the_daemon(smtp_port)
    assert "FAIL" not in walk.types("mail test vous@example.org")
    assert "en marche" in walk.types("status")

    stops(walk.serves())
    assert until(lambda: walk.json("tickets"))
    assert "vue en dernier le (" in walk.types("errors")
    assert "KeyError: 'café'" in walk.types("error 1")
    assert "return str(PRIX[article])" in walk.types("error 1")
    assert "ouvert automatiquement" in walk.types("ticket 1")
    assert "shop.py" in walk.types("autofix 1")

    (walk.shop / "shop.py").write_text(SHOP.replace(OLD, NEW))
    said = walk.types(f"correct 1 --project {walk.shop} --file shop.py --old '{OLD}' --new '{NEW}' --by vous")
    assert f"configuration {empty.home}/tocsin/tocsin.toml, celle de votre service" in said
    assert "en cours de correction" in walk.types("ticket 1")
    [correction] = walk.json("corrections 1")
    assert correction["applied_by"] == "vous"

    shop = walk.serves()
    try:
        assert until(lambda: walk.json("ticket 1")["status"] == "closed"), walk.types("ticket 1")
    finally:
        stops(shop)
    assert "fermé" in walk.types("tickets")
    assert "100\N{NO-BREAK SPACE}%" in walk.types("metrics")
    assert until(lambda: {m["kind"] for m in walk.json("mail outbox") if m["state"] == "sent"} >= {"notice"})
    assert {mail["language"] for mail in walk.json("mail outbox")} == {"fr"}
    assert "configuration" in walk.types("doctor --all || true")
    page = (empty.state / "report" / "admin" / "index.html").read_text()
    assert '<html lang="fr"' in page

    told = {name for page in PAGES for block in blocks(page) for name in COMMAND.findall(block.text)}
    assert told <= walk.typed
