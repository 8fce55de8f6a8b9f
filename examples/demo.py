"""The main job, played on a real application: `make demo`.

A small web shop runs under real requests; some hit genuine bugs. Its errors become tickets and mails, one bug is
corrected and its ticket closes, another is corrected and never called again, one comes back, one's application is
stopped. The daemon is killed once in the middle. At the end a table says what was expected and what happened; the
exit code is 1 where they differ.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import termios
import time
import tty
from datetime import UTC, datetime
from pathlib import Path

import verdict
from rich.console import Console
from rich.markup import escape
from staging import Failed, Stage, end_on_signals
from traffic import LABEL, SCAN, STOCK, VOUCHER, Bug, Crowd, Visitors

HERE = Path(__file__).parent
WATCH = 15.0
"""Seconds an error must stay away; a day in earnest."""

WRONG = "zone = ZONES[order.country]"
RIGHT = 'zone = ZONES.get(order.country, "world")'
WRONG_WORTH = 'return VOUCHERS.get(code)["cents"]  # type: ignore[index]'
RIGHT_WORTH = 'return VOUCHERS.get(code, NOTHING)["cents"]'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="directory for all that is made (default: demo)"
    )
    out = parser.parse_args().out
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    end_on_signals()
    try:
        with Stage(out, console) as stage:
            return play(stage)
    except Failed as failure:
        console.print(f"[bold red]The demo failed:[/] {escape(str(failure))}", soft_wrap=True)
        console.print(f"What the processes said is in {out / 'logs'}.", soft_wrap=True)
    except KeyboardInterrupt:
        console.print("Ended before its end; all its processes are ended too.")
    return 1


def play(stage: Stage) -> int:
    """The acts in order; the exit code."""
    visitors = open_house(stage)
    rows = errors_under_load(stage, visitors)
    # What has not been dealt with goes on, so that no ticket closes before its time on a slow machine.
    crowds = {bug: visitors.again_and_again(bug) for bug in (LABEL, STOCK, SCAN, VOUCHER)}
    stage.until("waiting for tickets and mails", lambda: verdict.tickets_opened(stage))
    opened, kept = stage.tocsin("tickets"), list((stage.directory / "mail").glob("*.eml"))
    stage.say(f"{len(opened)} tickets are open, {len(kept)} mails arrived")
    stop_warehouse(stage, crowds.pop(SCAN))
    correct(stage, visitors, crowds)
    now = watch(stage, visitors, crowds)
    stage.say("writing the report")
    stage.tocsin_plain("report")
    rows.append(verdict.Row("exit code of the daemon, asked to end", 0, stage.stop("daemon")))
    status = stage.tocsin("status", accept=(0, 1))
    rows += verdict.bugs(stage) + verdict.counts(stage, status) + verdict.open_watches(stage, now)
    rows += verdict.runs(stage)
    rows += verdict.mails(stage) + verdict.metrics(stage) + verdict.pages(stage)
    return curtain(stage, rows)


def open_house(stage: Stage) -> Visitors:
    """Mail server, daemon, and the shop and its warehouse on a copy of their code."""
    mail_port = stage.start("mail", str(HERE / "smtp_sink.py"), str(stage.directory / "mail"))
    stage.configure(mail_port=mail_port, watch=WATCH)
    start_daemon(stage)
    shutil.copytree(HERE / "shop", project(stage) / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    shop_port = stage.start("shop", "-m", "shop.web", directory=project(stage))
    warehouse_port = stage.start("warehouse", "-m", "shop.warehouse", directory=project(stage))
    stage.say(f"the shop listens on port {shop_port}, the warehouse on {warehouse_port}")
    return Visitors(shop_port, warehouse_port)


def project(stage: Stage) -> Path:
    return stage.directory / "app"


def start_daemon(stage: Stage) -> None:
    stage.start("daemon", "-m", "tocsin.daemon", "daemon", "--no-console", listens=False)
    stage.until("waiting for the daemon", lambda: stage.tocsin("status")["alive"], patient=True)
    stage.say(f"the daemon runs as process {stage.pid('daemon')}")


def errors_under_load(stage: Stage, visitors: Visitors) -> list[verdict.Row]:
    """Visitors come, the daemon is killed among them, they go on, it comes back; nothing may be missing."""
    crowd = Crowd(visitors.day(), pace=0.03)
    crowd.start()
    stage.say(f"{crowd.total} visits begin")
    stage.until("visitors are in the shop", lambda: crowd.has_sent(0.4))
    code = stage.kill("daemon")
    stage.say(f"the daemon is killed (SIGKILL) after {crowd.done} visits; the visitors go on")
    stage.until("visitors are in the shop, the daemon is dead", lambda: crowd.has_sent(0.8))
    start_daemon(stage)
    stage.until("the last visitors", lambda: crowd.has_sent(1))
    stage.until("waiting for every error to be counted", lambda: verdict.counts_agree(stage))
    logged = len(verdict.application_log(stage))
    stage.say(f"{logged} errors logged by the applications, each counted once")
    return [verdict.Row("the daemon was killed in the middle", -9, code)]


def stop_warehouse(stage: Stage, crowd: Crowd) -> None:
    crowd.end()
    stage.until("waiting for the warehouse's last errors", lambda: verdict.counts_agree(stage))
    stage.stop("warehouse")
    stage.say("the warehouse is stopped: from now on its silence proves nothing")


def correct(stage: Stage, visitors: Visitors, crowds: dict[Bug, Crowd]) -> None:
    """Two files are changed, the shop restarted, the corrections recorded; one of the pages is used again."""
    for crowd in crowds.values():
        crowd.end()
    del crowds[LABEL], crowds[VOUCHER]
    change(stage, "shipping.py", WRONG, RIGHT)
    change(stage, "vouchers.py", WRONG_WORTH, RIGHT_WORTH)
    stage.stop("shop")
    visitors.shop_port = stage.start("shop", "-m", "shop.web", directory=project(stage))
    visitors.check_label("martin", "CH")
    crowds[STOCK] = visitors.again_and_again(STOCK)
    record(
        stage,
        LABEL,
        "shipping.py",
        WRONG,
        RIGHT,
        "Countries without a zone of their own go at the world rate",
    )
    record(stage, VOUCHER, "vouchers.py", WRONG_WORTH, RIGHT_WORTH, "Unknown vouchers are worth nothing")


def change(stage: Stage, name: str, old: str, new: str) -> None:
    path = project(stage) / "shop" / name
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def record(stage: Stage, bug: Bug, name: str, old: str, new: str, description: str) -> None:
    error = verdict.error_of(bug, stage.tocsin("errors"))
    where = ("--project", str(project(stage)), "--file", f"shop/{name}")
    said = ("--description", description, "--by", "demo")
    stage.tocsin_plain("correct", str(error["id"]), *where, "--old", old, "--new", new, *said)
    stage.say(f"error {error['id']} is corrected: {new}")


def watch(stage: Stage, visitors: Visitors, crowds: dict[Bug, Crowd]) -> datetime:
    """The quiet errors' tickets close while the shop goes on and one bug is hit again and again; returns when that
    ended. Nobody asks for a voucher: nothing exercises the code that was corrected there.
    """
    others = visitors.shop_goes_on()
    stage.say(f"watching for {WATCH:g} s (24 h in earnest); one bug keeps coming back")
    stage.until(
        "waiting for the quiet tickets to close",
        lambda: crowds[STOCK].has_sent(0) and others.has_sent(0) and verdict.tickets_closed(stage),
        seconds=WATCH + 60,
    )
    stage.say("the quiet tickets closed themselves")
    stage.until("waiting for the word on the silent warehouse", lambda: verdict.told_of_silence(stage))
    stage.say("the admin knows that the warehouse's silence proves nothing")
    stage.tocsin_plain("check")
    crowds[STOCK].end()
    others.end()
    now = datetime.now(UTC)
    stage.until("waiting for every error to be counted", lambda: verdict.counts_agree(stage))
    return now


def curtain(stage: Stage, rows: list[verdict.Row]) -> int:
    """Table, result.json, and where to look."""
    seconds = time.monotonic() - stage.started_at
    verdict.write(stage, rows, seconds)
    verdict.show(stage.console, rows)
    differ = sum(not row.agrees for row in rows)
    stage.console.print(
        f"{len(rows)} facts, {differ} differ; {seconds:.0f} s\n"
        f"mails    {stage.directory / 'mail'}\n"
        f"report   {stage.directory / 'report' / 'admin' / 'index.html'}\n"
        f"look on  {Path(sys.executable).with_name('tocsin')} --config {stage.configuration} errors",
        soft_wrap=True,
    )
    leave_open(stage)
    return 1 if differ else 0


def leave_open(stage: Stage) -> None:
    """Where the console is: on a terminal it stays up until a key is pressed."""
    address = f"http://127.0.0.1:{stage.console_port}"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        command = f"{Path(sys.executable).with_name('tocsin')} --config {stage.configuration} console"
        stage.console.print(f"console  {address}, after: {command}", soft_wrap=True)
        return
    stage.start("console", "-m", "tocsin.daemon", "console", listens=False)
    stage.until("waiting for the console", lambda: answers(stage.console_port), patient=True)
    link = stage.tocsin_plain("users", "add", "you@tea.example").split()
    stage.console.print(f"console  {address}", soft_wrap=True)
    stage.console.print(f"sign in  {next(word for word in link if word.startswith(address))}", soft_wrap=True)
    stage.console.print("Press a key to end the demo.")
    wait_for_key()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_key() -> None:
    """The terminal's next key, whichever it is."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        sys.stdin.read(1)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main())
