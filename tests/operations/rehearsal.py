"""Runs the units for real: systemd as process 1 of its own name spaces, on a bare Debian 12 tree.

Usage: rehearsal.py WHEEL DIRECTORY, as root, with debootstrap and systemd-nspawn installed. It starts the
service, wedges a thread, reloads, stops under load, lets it die for good, and prints what was seen; exit 1
when one of the expectations does not hold. `make systemd` calls it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROJECT = Path(__file__).parents[2]
UNITS = PROJECT / "systemd"
PATIENCE = 90.0
CONFIG = """
[daemon]
state_dir = "/var/lib/tocsin"
socket_group = "tocsin"
[mail]
admin = ["ops@tocsin.example"]
templates = "/etc/tocsin/templates"
"""
ENV = "SMTP_HOST=127.0.0.1\nSMTP_PORT=2525\nSMTP_SECURITY=none\nSMTP_FROM=tocsin@tocsin.example\n"
QUICK = "[Service]\nWatchdogSec=10s\n"
LOG = """
import logging, sys, time
from tocsin.handler import TocsinHandler
log = logging.getLogger("shop")
handler = TocsinHandler(service=sys.argv[1], spool="/var/lib/shop/spool", flush_timeout=30)
log.addHandler(handler)
for number in range(int(sys.argv[2])):
    log.error("order %d could not be shipped", number)
    time.sleep(float(sys.argv[3]))
"""
SINK = """
import asyncio, pathlib
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.handlers import Mailbox
loop = asyncio.new_event_loop()
UnthreadedController(Mailbox("/var/mail/box"), hostname="127.0.0.1", port=2525, loop=loop).begin()
loop.run_forever()
"""
SINK_UNIT = "[Service]\nExecStart=/opt/sink/bin/python /opt/sink/sink.py\n"
# Ranges of the template sandbox end at 100,000; three of them within each other do not end.
ENDLESS = "".join("{% for " + name + " in range(99999) %}" for name in "abc") + "{% endfor %}" * 3


class Container:
    """A Debian tree and what runs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.leader = 0

    def prepare(self, wheel: Path) -> None:
        """A bare Debian 12 with python3, our wheel in /opt/tocsin, the units as docs/operations.md says."""
        root = self.root
        if not (root / "usr/bin/python3").exists():
            include = "--include=systemd,systemd-sysv,dbus,python3,python3-venv"
            _run("debootstrap", "--variant=minbase", include, "bookworm", str(root))
        for name in ("tocsin", "sink"):
            self.chroot("python3", "-m", "venv", f"/opt/{name}")
        wheels = root / "opt/wheels"
        for old in wheels.glob("tocsin-*.whl"):
            old.unlink()
        pip = [sys.executable, "-m", "pip", "download", "--quiet", f"--constraint={PROJECT}/constraints.txt"]
        _run(*pip, f"--dest={wheels}", f"{wheel}[daemon]", "aiosmtpd")
        for venv, what in (("tocsin", "tocsin[daemon]"), ("sink", "aiosmtpd")):
            install = [f"/opt/{venv}/bin/pip", "install", "--quiet", "--no-index", "--find-links=/opt/wheels"]
            self.chroot(*install, "--force-reinstall", what)
        self.write("opt/sink/sink.py", SINK)
        self.write("etc/systemd/system/sink.service", SINK_UNIT)
        for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
            shutil.copy(unit, root / "etc/systemd/system" / unit.name)
        self.write("etc/sysusers.d/tocsin.conf", (UNITS / "tocsin.sysusers").read_text())
        self.write("etc/tocsin/tocsin.toml", CONFIG)
        self.write("etc/tocsin/tocsin.env", ENV, 0o600)
        shutil.rmtree(root / "etc/tocsin/templates", ignore_errors=True)
        self.write("etc/tocsin/templates/.keep", "")
        self.write("etc/systemd/system/tocsin.service.d/quick.conf", QUICK)
        shutil.rmtree(root / "var/lib/tocsin", ignore_errors=True)
        shutil.rmtree(root / "var/lib/shop", ignore_errors=True)
        shutil.rmtree(root / "var/mail/box", ignore_errors=True)
        shutil.rmtree(root / "var/log/journal", ignore_errors=True)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def chroot(self, *command: str) -> None:
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        subprocess.run(["chroot", str(self.root), *command], env=clean, check=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """systemd is process 1 and has come up."""
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
                   "--console=pipe", "--machine=tocsin-try", f"--directory={self.root}"]  # fmt: skip
        with open(self.root.parent / "boot.log", "w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.leader = int(_until("systemd starts", lambda: _child(process.pid)))
            state = lambda: self("systemctl", "is-system-running")  # noqa: E731
            _until("systemd is up", lambda: state() in ("running", "degraded"))
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(self.leader, 36 + 1)  # SIGRTMIN+3: power off
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()

    def __call__(self, *command: str) -> str:
        """Runs a command in there; its output."""
        enter = [
            "nsenter",
            f"--target={self.leader}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
        ]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)
        if done.returncode and command[0] not in ("systemctl", "userdel", "/opt/tocsin/bin/tocsin"):
            print(f"{' '.join(command)[:80]}: {done.stderr.strip()[-500:]}", flush=True)
        return done.stdout.strip()

    def shop(self, service: str, errors: int, pause: float = 0.0) -> str:
        user = ["setpriv", "--reuid=shop", "--regid=shop", "--init-groups", "--reset-env"]
        return self(*user, "/opt/tocsin/bin/python", "-c", LOG, service, str(errors), str(pause))

    def status(self) -> dict[str, object]:
        text = self("/opt/tocsin/bin/tocsin", "--config", "/etc/tocsin/tocsin.toml", "status", "--json")
        return json.loads(text) if text else {}

    def show(self, unit: str, *properties: str) -> list[str]:
        names = [f"--property={name}" for name in properties]
        lines = self("systemctl", "show", unit, *names).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        return [found.get(name, "") for name in properties]

    def journal(self, unit: str) -> list[dict[str, str]]:
        text = self("journalctl", "--unit", unit, "--output=json", "--all", "--no-pager")
        return [json.loads(line) for line in text.splitlines()]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _child(pid: int) -> str:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children[0] if children else ""


def _until(what: str, fact: Callable[[], object], seconds: float = PATIENCE) -> str:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := fact()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain: {what}")
        pause.wait(0.2)
    return str(found)


class Record:
    """What was expected, and whether it was so."""

    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, expected: str, held: object, seen: object = "") -> None:
        self.failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {expected}{f': {seen}' if seen != '' else ''}", flush=True)


def try_it(box: Container, record: Record) -> None:
    box("systemd-sysusers")
    box("userdel", "shop")
    box("useradd", "--system", "--groups", "tocsin", "--create-home", "--home-dir", "/var/lib/shop", "shop")
    box("systemctl", "start", "sink")
    began = time.monotonic()
    box("systemctl", "start", "tocsin")
    active, status = box.show("tocsin", "ActiveState", "StatusText")
    record("`systemctl start` returns when the daemon listens", active == "active", status)
    record("started within 30 s", time.monotonic() - began < 30, f"{time.monotonic() - began:.1f} s")
    box.shop("shop", 3)
    _until("an application is heard", lambda: box.status().get("events_counted") == 3)
    record("an application of the group tocsin is counted", True)
    _until("the mail is sent", lambda: box.status()["outbox"]["sent"])  # type: ignore[index]
    record("the notice went out through the hardened service", True)
    _reload(box, record)
    _stop_under_load(box, record)
    _wedge(box, record)
    _journal(box, record)
    _die(box, record)


def _reload(box: Container, record: Record) -> None:
    before = box.show("tocsin", "MainPID")
    box("systemctl", "reload", "tocsin")
    _until("reloaded", lambda: "reloaded" in box("journalctl", "-u", "tocsin", "-o", "cat"))
    record("SIGHUP reloads without a restart", box.show("tocsin", "MainPID") == before)


def _stop_under_load(box: Container, record: Record) -> None:
    logging = threading.Thread(target=box.shop, args=("load", 400, 0.02))
    logging.start()
    _until("the load is heard", lambda: int(str(box.status()["events_counted"])) > 20)
    began = time.monotonic()
    box("systemctl", "stop", "tocsin")
    took = time.monotonic() - began
    result, code = box.show("tocsin", "Result", "ExecMainStatus")
    record(
        "stops within the time limit, by itself",
        took < 30 and result == "success" and code == "0",
        f"{took:.1f} s",
    )
    box("systemctl", "start", "tocsin")
    logging.join()
    _until("all arrived", lambda: box.status()["events_counted"] == 403)
    record("nothing logged meanwhile is lost or doubled", box.status()["lost"] == {}, "403 of 403")


def _wedge(box: Container, record: Record) -> None:
    """A mail template that never ends holds the courier's thread for ever."""
    box.write("etc/tocsin/templates/notice.txt", ENDLESS)
    box("systemctl", "restart", "tocsin")
    before = box.show("tocsin", "MainPID")
    began = time.monotonic()
    box.shop("wedge", 3)
    _until(
        "the stuck thread is named", lambda: "thread_stuck" in box("journalctl", "-u", "tocsin", "-o", "cat")
    )
    record("a wedged thread is named in the log", True, f"after {time.monotonic() - began:.0f} s")
    _until("the watchdog ends it", lambda: box.show("tocsin", "MainPID") != before)
    box.write("etc/tocsin/templates/notice.txt", "{{ title }}")
    _until("it is up again", lambda: box.show("tocsin", "ActiveState", "SubState") == ["active", "running"])
    said = box("journalctl", "-u", "tocsin", "--no-pager")
    record(
        "the watchdog restarts the daemon",
        "Watchdog timeout" in said,
        f"after {time.monotonic() - began:.0f} s",
    )
    _until("the errors are counted", lambda: box.status()["events_counted"] == 406)
    record("nothing is lost by it", box.status()["lost"] == {}, "406 of 406")


def _journal(box: Container, record: Record) -> None:
    lines = [entry for entry in box.journal("tocsin") if entry.get("_COMM") == "tocsin"]
    bad = [entry["MESSAGE"] for entry in lines if not _is_json(entry["MESSAGE"])]
    record(
        "every journal line of the daemon is one JSON event",
        lines and not bad,
        bad[:3] or f"{len(lines)} lines",
    )
    levels = {entry["PRIORITY"] for entry in lines}
    record("with its priority", {"6", "2"} <= levels, sorted(levels))


def _is_json(text: object) -> bool:
    try:
        return "event" in json.loads(str(text))
    except ValueError:
        return False


def _die(box: Container, record: Record) -> None:
    box.write("etc/systemd/system/tocsin.service.d/quick.conf", "[Service]\nRestart=no\n")
    box("systemctl", "daemon-reload")
    box("systemctl", "kill", "--signal=SIGKILL", "tocsin")
    new = box.root / "var/mail/box/new"
    _until("the admin is told", lambda: any("has failed" in mail.read_text() for mail in new.iterdir()))
    record("a daemon that dies for good is told to the admin by mail", True)


def main(wheel: str, directory: str) -> int:
    """0 when every expectation held."""
    box, record = Container(Path(directory).absolute() / "root"), Record()
    box.root.parent.mkdir(parents=True, exist_ok=True)
    box.prepare(Path(wheel))
    with box.running():
        try:
            try_it(box, record)
        except BaseException:
            print(box("ls", "-la", "/run/tocsin", "/var/lib/shop/spool"), box("id", "shop"), flush=True)
            print(
                box("journalctl", "-u", "tocsin", "-u", "tocsin-failed@*", "--no-pager", "-n", "40"),
                flush=True,
            )
            raise
    return 1 if record.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
