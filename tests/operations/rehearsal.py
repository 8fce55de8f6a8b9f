"""The service for real: what docs/operations.md and docs/postgres.md tell, typed on a bare Debian 12.

Usage: rehearsal.py WHEEL DIRECTORY, as root, with debootstrap and systemd-nspawn installed. Every block of
the two pages that is marked `<!-- run: systemd -->` is run as it is written, in order. Between the first
ticket and the rest the service is reloaded, stopped under load, wedged and killed. Prints what was seen; exit
1 when one of the expectations does not hold. `make systemd` calls it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import sink
import trustme
from support.container import Container, until
from support.interpreters import found
from support.markdown import ROOT, Block, blocks

PAGES = [ROOT / "docs" / name for name in ("operations.md", "postgres.md")]
TOCSIN = "/opt/tocsin/bin/tocsin"
WATCHDOG = 10
"""Seconds, instead of the unit's five minutes."""
LOG = """
import logging, sys, time
from tocsin.handler import TocsinHandler
log = logging.getLogger("shop")
handler = TocsinHandler(service=sys.argv[1], spool="/var/lib/shop/spool", flush_timeout=30)
log.addHandler(handler)
for number in range(int(sys.argv[2])):
    log.error("order %d could not be shipped", number)
    time.sleep(float(sys.argv[3]))  # The load: so many a second.
"""
SINK_UNIT = "[Service]\nExecStart=/opt/sink/bin/python /opt/sink/sink.py\n"
# Ranges of the template sandbox end at 100,000; three of them within each other do not end.
ENDLESS = "".join("{% for " + name + " in range(99999) %}" for name in "abc") + "{% endfor %}" * 3
LOADED = 400
CONSOLE = "http://127.0.0.1:7580/sign-in"
USERS = {"www-data": 0, "nobody": 1}
"""What `cat` ends with."""


class Record:
    """What was expected, and whether it was so."""

    def __init__(self) -> None:
        self.held = self.failed = 0

    def __call__(self, expected: str, held: object, seen: object = "") -> None:
        self.held += bool(held)
        self.failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {expected}{f': {seen}' if seen != '' else ''}", flush=True)


class Rehearsal:
    """One machine, from nothing to a service that has died."""

    def __init__(self, box: Container, record: Record) -> None:
        self.box = box
        self.record = record

    # The machine

    def prepare(self, wheel: Path) -> None:
        """The wheel in root's home, what it depends on within reach of pip, a strict mail server."""
        box = self.box
        box.make()
        wheels = box.inside("opt/wheels")
        # Wheels for the machine's Python, not for ours.
        version = box.inside("usr/bin/python3").readlink().name.removeprefix("python")
        python = found().get(version)
        if python is None:
            raise SystemExit(f"no CPython {version} is here, which downloads what Debian's needs")
        pip = [python, "-m", "pip", "download", "--quiet", f"--constraint={ROOT}/constraints.txt"]
        wanted = [f"{wheel}[server]", "aiosmtpd"]
        subprocess.run([*pip, f"--dest={wheels}", *wanted], check=True)
        (wheels / wheel.name).unlink()
        box.write("etc/pip.conf", "[global]\nno-index = true\nfind-links = /opt/wheels\n")
        box.write(f"root/{wheel.name}", wheel.read_bytes())
        box.chroot("python3", "-m", "venv", "/opt/sink")
        box.chroot("/opt/sink/bin/pip", "install", "--quiet", "aiosmtpd")
        authority = trustme.CA()
        certificate = authority.issue_cert("mail.example.org")
        box.write("opt/sink/sink.py", Path(__file__).with_name("sink.py").read_text())
        box.write("opt/sink/server.pem", certificate.private_key_and_cert_chain_pem.bytes(), 0o600)
        box.write("usr/local/share/ca-certificates/mail.crt", authority.cert_pem.bytes())
        box.chroot("update-ca-certificates")
        box.write("etc/systemd/system/sink.service", SINK_UNIT)
        box.write("etc/hosts", "127.0.0.1 localhost mail.example.org\n")

    def run(self) -> None:
        """Everything, in order."""
        self.box("systemctl", "start", "sink")
        operations, postgres = ([block for block in blocks(page) if block.mark] for page in PAGES)
        first = next(number for number, block in enumerate(operations, 1) if "tocsin errors" in block.text)
        for block in operations[:first]:
            said = self.type(PAGES[0], block)
        self.first_ticket(said)
        self.exposure()
        self.console()
        self.reload()
        self.stop_under_load()
        self.wedge()
        self.journal()
        self.die()
        self.cannot_be_read()
        for block in operations[first:]:
            self.type(PAGES[0], block)
        figure = self.exposed("tocsin.service")
        self.record("with network.conf and pages.conf it is at most 1.4", figure <= 1.4, figure)
        self.pages()
        for block in postgres:
            self.type(PAGES[1], block)
        self.on_postgres()

    def type(self, page: Path, block: Block) -> str:
        """Types a block as it is written; where something is asked for, the password. What was said."""
        done = self.box.script(block.text, f"{sink.PASSWORD}\n" if "/dev/stdin" in block.text else "")
        said = (done.stdout + done.stderr).strip()
        lines = [line for line in block.text.splitlines() if not line.startswith("cd ")]
        what = f"{page.name}:{block.line} `{lines[0][:60]}`"
        self.record(what, done.returncode == 0, "" if done.returncode == 0 else f"\n{said[-2000:]}")
        return said

    # What is seen in there

    def shop(self, service: str, errors: int, pause: float = 0.0) -> None:
        """The application logs, as its user."""
        log = ["/opt/tocsin/bin/python", "-c", LOG, service, str(errors), str(pause)]
        self.box("runuser", "-u", "www-data", "--", *log)

    def status(self) -> dict[str, object]:
        text = self.box(TOCSIN, "status", "--json")
        return json.loads(text) if text else {}

    def counted(self) -> int:
        return int(str(self.status().get("events_counted", 0)))

    def mails(self) -> list[str]:
        new = self.box.inside("var/mail/box/new")
        return [mail.read_text() for mail in new.iterdir()] if new.exists() else []

    # The facts

    def first_ticket(self, said: str) -> None:
        active, status = self.box.show("tocsin", "ActiveState", "StatusText")
        self.record("`systemctl enable --now` returns when the daemon listens", active == "active", status)
        self.record(
            "three test errors of www-data are counted and shown",
            "test error" in said and self.counted() == 3,
            said.splitlines()[-1],
        )
        self.shop("shop", 3)
        until("they are counted", lambda: self.counted() == 6)
        tickets = json.loads(self.box(TOCSIN, "tickets", "--json"))
        self.record("three errors of an application are one ticket", len(tickets) == 1, len(tickets))
        until("the notice is sent", self.mails)
        self.record("the notice went out: STARTTLS, a verified certificate, the typed password", True)

    def exposure(self) -> None:
        names = [
            "tocsin.service",
            "tocsin-console.service",
            "tocsin-backup.service",
            "tocsin-failed@tocsin.service",
        ]
        said = self.box.run(["systemd-analyze", "verify", "--man=no", *names, "tocsin-backup.timer"])
        silent = said.returncode == 0 and not said.stderr
        self.record("`systemd-analyze verify` is silent", silent, said.stderr)
        figures = {name: self.exposed(name) for name in names}
        self.record("`systemd-analyze security` says at most 1.0", max(figures.values()) <= 1.0, figures)

    def exposed(self, unit: str) -> float:
        """How much the running unit may do, from 0 to 10."""
        said = self.box("systemd-analyze", "security", "--no-pager", unit)
        level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)
        return float(level[1]) if level else 10.0

    def console(self) -> None:
        """It answers, an admin can be made, and one that is killed is soon there again."""
        box = self.box
        ask = f"import urllib.request; print(urllib.request.urlopen({CONSOLE!r}).status)"

        def answers() -> bool:
            return box("python3", "-c", ask) == "200"

        until("the console answers", answers)
        self.record("the console's own unit serves the page to sign in on", True)
        link = f"{CONSOLE.removesuffix('/sign-in')}/one-time/"
        said = box(TOCSIN, "users", "add", "ada@example.org")
        self.record("`tocsin users add` as root gives an admin's link", link in said)
        before = box.show("tocsin-console", "MainPID")
        box("systemctl", "kill", "--signal=SIGKILL", "tocsin-console")
        began = time.monotonic()
        until("another one runs", lambda: box.show("tocsin-console", "MainPID") not in (before, ["0"]))
        until("it answers again", answers)
        self.record("a console that was killed is up again", True, f"after {time.monotonic() - began:.1f} s")

    def pages(self) -> None:
        """The pages in their new place: the web server's group reads them, nobody else, and clients stay unlisted."""
        page = "/var/cache/tocsin/report/admin/index.html"
        until("the pages are there", lambda: self.box.inside(page[1:]).exists())
        read = {user: self.box.run(["runuser", "-u", user, "--", "cat", page]).returncode for user in USERS}
        self.record("the pages are www-data's to read and not nobody's", read == USERS, read)
        listed = self.box.run(["runuser", "-u", "www-data", "--", "ls", "/var/cache/tocsin/report/clients"])
        self.record("www-data cannot list the clients' folders", listed.returncode != 0)

    def reload(self) -> None:
        before = self.box.show("tocsin", "MainPID")
        self.box("systemctl", "reload", "tocsin")
        until("reloaded", lambda: "reloaded" in self.box("journalctl", "-u", "tocsin", "-o", "cat"))
        same = self.box.show("tocsin", "MainPID") == before
        self.record("SIGHUP reloads without a restart", same)

    def stop_under_load(self) -> None:
        logging = threading.Thread(target=self.shop, args=("load", LOADED, 0.02))
        logging.start()
        until("the load is heard", lambda: self.counted() > 20)
        began = time.monotonic()
        self.box("systemctl", "stop", "tocsin")
        took = time.monotonic() - began
        ended = self.box.show("tocsin", "Result", "ExecMainStatus") == ["success", "0"]
        self.record("stops under load by itself, within 30 s", took < 30 and ended, f"{took:.1f} s")
        began = time.monotonic()
        self.box("systemctl", "start", "tocsin")
        took = time.monotonic() - began
        self.record("starts within 30 s", took < 30, f"{took:.1f} s")
        logging.join()
        self.all_counted("nothing logged meanwhile is lost or doubled", 6 + LOADED)

    def all_counted(self, expected: str, number: int) -> None:
        until(f"{number} are counted", lambda: self.counted() >= number)
        lost = self.status()["lost"]
        self.record(expected, self.counted() == number and lost == {}, f"{self.counted()} of {number}")

    def wedge(self) -> None:
        """A mail template that never ends holds the courier's thread for ever."""
        box = self.box
        box.write("etc/tocsin/templates/notice.txt", ENDLESS)
        settings = box.read("etc/tocsin/tocsin.toml")
        own = 'templates = "/etc/tocsin/templates"'
        box.write("etc/tocsin/tocsin.toml", re.sub("(?m)^# *templates = .*", own, settings))
        box.write("etc/systemd/system/tocsin.service.d/quick.conf", f"[Service]\nWatchdogSec={WATCHDOG}s\n")
        box("systemctl", "daemon-reload")
        box("systemctl", "restart", "tocsin")
        before = box.show("tocsin", "MainPID")
        self.shop("wedge", 3)
        began = time.monotonic()
        until("the stuck thread is named", lambda: "thread_stuck" in box("journalctl", "-u", "tocsin"))
        took = time.monotonic() - began
        self.record(
            "a wedged thread is named in the log", True, f"after {took:.0f} s of WatchdogSec={WATCHDOG}s"
        )
        until("the watchdog ends it", lambda: box.show("tocsin", "MainPID") != before)
        box.write("etc/tocsin/templates/notice.txt", "{{ title }}")
        until("it is up", lambda: box.show("tocsin", "ActiveState", "SubState") == ["active", "running"])
        said = "Watchdog timeout" in box("journalctl", "-u", "tocsin", "--no-pager")
        took = time.monotonic() - began
        self.record("the watchdog restarts the daemon", said, f"up again after {took:.0f} s")
        self.all_counted("nothing is lost by it", 9 + LOADED)

    def journal(self) -> None:
        lines = [entry for entry in self.box.journal("tocsin") if entry.get("_COMM") == "tocsin"]
        bad = [entry["MESSAGE"] for entry in lines if not _is_json(entry["MESSAGE"])]
        seen = bad[:3] or f"{len(lines)} lines"
        self.record("every journal line of the daemon is one JSON event", lines and not bad, seen)
        levels = {entry["PRIORITY"] for entry in lines}
        self.record("with its priority", {"6", "2"} <= levels, sorted(levels))

    def die(self) -> None:
        drop_in = "etc/systemd/system/tocsin.service.d/quick.conf"
        self.box.write(drop_in, "[Service]\nRestart=no\n")
        self.box("systemctl", "daemon-reload")
        self.box("systemctl", "kill", "--signal=SIGKILL", "tocsin")
        until("the admin is told", lambda: any("has failed" in mail for mail in self.mails()))
        self.record("a daemon that dies for good is told to the admin by mail", True)
        self.box.inside(drop_in).unlink()
        self.box("systemctl", "daemon-reload")

    def cannot_be_read(self) -> None:
        settings = self.box.read("etc/tocsin/tocsin.toml")
        self.box.write("etc/tocsin/tocsin.toml", "[mail\n")
        before = sum("has failed" in mail for mail in self.mails())
        self.box("systemctl", "start", "tocsin")
        until("told", lambda: sum("has failed" in mail for mail in self.mails()) > before)
        tried = self.box.show("tocsin", "ExecMainStatus", "NRestarts")
        self.record("so is a configuration that cannot be read; it is tried once", tried == ["2", "0"], tried)
        self.box.write("etc/tocsin/tocsin.toml", settings)
        self.box("systemctl", "reset-failed", "tocsin")
        self.box("systemctl", "start", "tocsin")

    def on_postgres(self) -> None:
        test = ["-m", "tocsin.handler", "test", "--spool", "/var/lib/shop/spool"]
        self.box("runuser", "-u", "www-data", "--", "/opt/tocsin/bin/python", *test)
        errors = json.loads(self.box("runuser", "-u", "tocsin", "--", TOCSIN, "errors", "--json"))
        self.record("three errors on Postgres are one error", [one["occurrences"] for one in errors] == [3])
        self.box("systemctl", "start", "tocsin-backup")
        kept = list(self.box.inside("var/lib/tocsin/backup").glob("tocsin-*.backup"))
        heads = [path.read_bytes()[:5] for path in kept]
        done = self.box.show("tocsin-backup", "Result") == ["success"] and b"PGDMP" in heads
        self.record("the nightly backup unit backs Postgres up", done, [path.name for path in kept])


def _is_json(text: object) -> bool:
    try:
        return "event" in json.loads(str(text))
    except ValueError:
        return False


def main(wheel: str, directory: str) -> int:
    """0 when every expectation held."""
    record = Record()
    rehearsal = Rehearsal(Container(Path(directory).absolute()), record)
    rehearsal.prepare(Path(wheel).absolute())
    with rehearsal.box.running():
        try:
            rehearsal.run()
        except BaseException:
            units = ("-u", "tocsin", "-u", "tocsin-failed@*", "-u", "sink")
            print(rehearsal.box("journalctl", *units, "--no-pager", "-n", "60"), flush=True)
            raise
    print(f"{record.held} held, {record.failed} failed", flush=True)
    return 1 if record.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
