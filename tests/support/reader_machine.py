"""A scratch machine for a reader: a home, a directory to work in, a mail server, the real `tocsin`.

What the pages write for a machine of its own stands for directories of this one (`STANDS_FOR`). `pip` looks
up what it would install, `make` its targets, without doing it: both are other tests' and the CI's own work.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

from support.daemon_process import DaemonProcess
from support.markdown import ROOT, Block
from support.waiting import until

STANDS_FOR = (
    (r"/etc/(?:tocsin|shop)\b", "{root}/etc"),
    (r"/var/backups\b", "{root}/backups"),
    (r"/var/lib/tocsin\b", "{home}/.local/state/tocsin"),
    (r"/srv/shop\b", "{work}"),
    (r"'\.\[", "'{project}["),
    (r"(?m)^make ", "make --dry-run --directory {project} "),
)
CONFIG = """\
[mail]
admin = ["ops@example.org"]
client = "review"
[organisation]
name = "Reader & Co"
[console]
url = "https://errors.example.org"
[[client]]
id = "acme"
name = "Acme Ltd"
email = "it@acme.example"
"""
BROKEN = "PRICES = {'tea': 3}\n\n\ndef price(sku):\n    return PRICES[sku]\n"
CORRECTED = BROKEN.replace("PRICES[sku]", "PRICES.get(sku, 0)")
SHOP = """\
import logging
from shop.orders import price
from tocsin.handler import TocsinHandler, bind

logging.getLogger().addHandler(TocsinHandler(service="shop", flush_timeout=30))
with bind(client="acme"):
    for number in range(3):
        try:
            price("coffee")
        except KeyError:
            logging.exception("order %d could not be priced", number)
        logging.error("the stock of %s is below zero", "tea")
"""
OUTSIDE = re.compile(
    r"(?<![\w./~-])/(?:boot|etc|lib|opt|root|run|srv|usr|var)/|\b(?:sudo|systemctl|apt-get|usermod)\b"
)
"""What belongs to the machine that the tests run on. Blocks with it are for the rehearsal alone."""
FOREGROUND = re.compile(r"^tocsin daemon\b[^\n]*$", re.MULTILINE)


class ReaderMachine:
    """Commands run in `work`; `close` ends the daemon, if one was started.

    `tools`: a directory with the `tocsin` that they call.
    """

    def __init__(self, root: Path, tools: Path) -> None:
        self.tools = tools
        self.root, self.home, self.work = root, root / "home", root / "work"
        for directory in (self.home, self.work, root / "etc", root / "backups"):
            directory.mkdir(exist_ok=True)
        self.state = self.home / ".local" / "state" / "tocsin"
        self.log = root / "daemon.log"
        self.daemon: DaemonProcess | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of the developer's own settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "SMTP_", "XDG_", "PIP_"))}
        pip = {"PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
        path = f"{self.tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**kept, **pip, "HOME": str(self.home), "PATH": path, "COLUMNS": "200"}

    def furnish(self, smtp_port: int) -> None:
        """A configuration, a running daemon, two errors of the shop with tickets; the first is corrected."""
        (self.work / "tocsin.toml").write_text(CONFIG)
        mail = (
            f"SMTP_HOST=127.0.0.1\nSMTP_PORT={smtp_port}\nSMTP_SECURITY=none\nSMTP_FROM=tocsin@example.org\n"
        )
        (self.work / ".env").write_text(mail)
        (self.work / ".env").chmod(0o600)
        shop = self.work / "shop"
        shop.mkdir()
        (shop / "__init__.py").touch()
        (shop / "__main__.py").write_text(SHOP)
        (shop / "orders.py").write_text(BROKEN)
        self.start()
        # On a busy machine the program may not wait for the daemon's first answer.
        self.shell("python3 -m shop; tocsin ship")
        assert self.counted() == 6, self.log.read_text()
        self._commit("Sell", "init -q -b main", "add shop")
        (shop / "orders.py").write_text(CORRECTED)
        self._commit("An unknown article is free", "checkout -q -b fix", "add shop")

    def _commit(self, subject: str, *before: str) -> None:
        """Commits in `work`, after these commands of git."""
        who = "git -c user.name=Anna -c user.email=anna@example.org"
        self.shell("\n".join(f"{who} {words}" for words in (*before, f"commit -q -m '{subject}'")))

    def run(self, block: Block) -> None:
        """Runs the block. Raises AssertionError with what it printed when it failed."""
        text = block.text
        for pattern, stands_for in STANDS_FOR:
            by = stands_for.format(root=self.root, home=self.home, work=self.work, project=ROOT)
            text = re.sub(pattern, by.replace("\\", r"\\"), text)
        assert not OUTSIDE.search(text.replace(str(ROOT), "")), f"{text}\nis for the rehearsal: mark it"
        {"sh": self._script, "console": self._console, "python": self._python}[block.language](text)

    def shell(self, text: str, directory: Path | None = None) -> str:
        """The output of the commands, each of which must end well."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=directory or self.work, env=self.environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, directory: Path | None = None) -> None:
        """`tocsin daemon`, as in a terminal of its own, in place of the one that runs."""
        self.close()
        self.daemon = _TerminalDaemon(self, directory or self.work).up()

    def close(self) -> None:
        if self.daemon is not None:
            self.daemon.kill(signal.SIGTERM)
            self.daemon.close()
            self.daemon = None

    def moved(self, root: Path) -> ReaderMachine:
        """A copy of a closed place, with its daemon running."""
        ours_alone = shutil.ignore_patterns("*.sock", self.log.name)
        shutil.copytree(self.root, root, dirs_exist_ok=True, ignore=ours_alone)
        copy = ReaderMachine(root, self.tools)
        copy.start()
        return copy

    def counted(self) -> int:
        """Occurrences of all errors."""
        path = f"file:{self.state}/tocsin.db?mode=ro"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, uri=True)) as database:
            return int(database.execute("SELECT coalesce(sum(occurrences), 0) FROM error_logs").fetchone()[0])
        return 0

    def _script(self, text: str) -> None:
        directory, end = self.work, self.root / "directory"
        before, *after = FOREGROUND.split(text)
        for number, part in enumerate((before, *after)):
            if number:
                self.start(directory)
            if part.strip():
                self.shell(f"{part}\npwd > {end}", directory)
                directory = Path(end.read_text().strip())

    def _console(self, text: str) -> None:
        """Lines after `$ ` are commands; what is printed must be what follows them, `...` is anything."""
        for part in re.split(r"(?m)^\$ ", text)[1:]:
            command, _, expected = part.partition("\n")
            printed = self.shell(command)
            pattern = r"[^\x00]*?".join(map(re.escape, _squeezed(expected).split("...")))
            assert re.fullmatch(pattern, _squeezed(printed)), f"$ {command}\n{printed}\nis not\n{expected}"

    def _python(self, text: str) -> None:
        before = self.counted()
        (self.work / "example.py").write_text(text)
        self.shell("python3 example.py")
        if re.search(r"\.(error|exception|critical)\(", text) and "tcp://" not in text:
            assert until(lambda: self.counted() > before), f"{text}\nlogged an error that was not counted"


class _TerminalDaemon(DaemonProcess):
    """The daemon of a machine, which looks for its configuration in the directory it is started in."""

    def __init__(self, machine: ReaderMachine, directory: Path) -> None:
        super().__init__(machine.root)
        self.place = directory
        self._machine = machine

    @property
    def environ(self) -> dict[str, str]:
        return self._machine.environ

    def command(self, *arguments: str) -> list[str | Path]:
        return [*self.program, *arguments]


def _squeezed(text: str) -> str:
    return "\n".join(re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines())
