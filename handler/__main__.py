"""`python -m tocsin.handler ship|test|status`: needs the base install only.

The command `tocsin` is the same where the daemon's extra is not installed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tocsin.handler.emit import TocsinHandler
from tocsin.handler.protocol.event import TEST_LOGGER
from tocsin.handler.settings import resolve_settings
from tocsin.handler.shipping.leftover import Outcome, ship_spool
from tocsin.handler.shipping.watcher import SpoolWatcher, until_signalled
from tocsin.handler.spool.segments import sessions

LIKE = 3
"""Errors that `test` logs: as many as open a ticket by default."""


COMMANDS = ("ship", "test", "status")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m tocsin.handler") -> int:
    """Exit code: 0 done, 1 something stayed in the spool, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog=prog, description=f"{', '.join(COMMANDS)}: for the application's side."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    ship = commands.add_parser("ship", help="ship what dead processes left in the spool")
    ship.add_argument(
        "spool", nargs="?", help="directory; default: TOCSIN_SPOOL or the user's state directory"
    )
    ship.add_argument("--endpoint", help="where to, instead of where the processes meant to")
    ship.add_argument("--patience", type=float, default=10.0, metavar="SECONDS", help="default: 10")
    ship.add_argument("--watch", action="store_true", help="go on until SIGTERM, also in directories within")
    test = commands.add_parser("test", help="log three like errors and say what became of them")
    test.add_argument("--endpoint", help="default: TOCSIN_ENDPOINT or the local daemon")
    test.add_argument("--service", help="default: TOCSIN_SERVICE or 'tocsin-test'")
    test.add_argument("--spool", help="default: TOCSIN_SPOOL or the user's state directory")
    test.add_argument("--patience", type=float, default=10.0, metavar="SECONDS", help="default: 10")
    status = commands.add_parser("status", help="say what waits in the spool")
    status.add_argument(
        "spool", nargs="?", help="directory; default: TOCSIN_SPOOL or the user's state directory"
    )
    options = parser.parse_args(arguments)
    try:
        return {"ship": _ship, "test": _test, "status": _status}[options.command](options)
    except ValueError as error:
        parser.error(str(error))


def _ship(options: argparse.Namespace) -> int:
    settings, _, _ = resolve_settings(
        {"spool": options.spool, "endpoint": options.endpoint, "service": "ship"}
    )
    if options.watch:
        watcher = SpoolWatcher(settings.spool, patience=options.patience, endpoint=options.endpoint)
        for outcome in until_signalled(watcher, lambda place: print(f"watching {place}", flush=True)):
            print(_line(outcome), flush=True)
        return 0
    stayed = 0
    try:
        for outcome in ship_spool(settings.spool, patience=options.patience, endpoint=options.endpoint):
            stayed += bool(outcome.reason)
            print(_line(outcome), flush=True)
    except FileNotFoundError:
        return 0
    except OSError as error:
        print(f"{settings.spool}: {error.strerror}", file=sys.stderr)
        return 1
    return 1 if stayed else 0


def _line(outcome: Outcome) -> str:
    became = f"stays: {outcome.reason}" if outcome.reason else "shipped"
    return f"{outcome.service} (pid {outcome.pid}, {outcome.size} bytes): {became}"


def base_install(arguments: Sequence[str]) -> int:
    """`tocsin` without the daemon's extra: what an application's environment can do, and where the rest is."""
    asked = next((word for word in arguments if not word.startswith("-")), "")
    if asked and asked not in COMMANDS:
        print(
            f"tocsin: `tocsin {asked}` needs the daemon's part: pip install 'tocsin[daemon]'", file=sys.stderr
        )
        return 2
    return main(arguments, prog="tocsin")


def _status(options: argparse.Namespace) -> int:
    spool = Path(resolve_settings({"spool": options.spool, "service": "status"})[0].spool)
    try:
        files = [file for file in spool.iterdir() if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        waiting = len(set(sessions(str(spool))))
    except FileNotFoundError:
        files, size, waiting = [], 0, 0
    except OSError as error:
        print(f"{spool}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"spool     {spool}")
    print(f"sessions  {waiting}, {len(files)} files, {size} bytes")
    return 0


def _test(options: argparse.Namespace) -> int:
    given = {"endpoint": options.endpoint, "service": options.service, "spool": options.spool}
    service = resolve_settings(given)[0].service
    # Without a release: that of the environment is not out because somebody tries its handler.
    handler = TocsinHandler(options.endpoint, _named(service), release="", spool=options.spool)
    logger = logging.Logger(TEST_LOGGER)
    logger.addHandler(handler)
    for number in range(1, LIKE + 1):
        logger.error("A test error of tocsin, %d of %d", number, LIKE)
    where = ", ".join(handler.settings.endpoints)
    print(f"logged {LIKE} like errors as service {handler.settings.service!r} to {where}", flush=True)
    if handler.destination.await_delivery(options.patience):
        print("acknowledged: the daemon has counted them, as a test: resolved at once, no ticket, no mail")
        return 0
    print(f"not acknowledged within {options.patience:g} s: {handler.destination.trouble}")
    print(f"they wait in {handler.settings.spool} until a daemon answers there; `tocsin doctor` says more")
    return 1


def _named(service: str) -> str:
    return "tocsin-test" if service in ("tocsin", "__main__") else service


if __name__ == "__main__":
    sys.exit(main())
