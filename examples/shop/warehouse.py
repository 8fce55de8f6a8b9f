"""The warehouse: scanners report over TCP what was picked; `python -m shop.warehouse [PORT]`.

A scanner sends lines such as `martin;PICK;1042;TEA-100;0.24` and gets `OK` or `NO` for each.
"""

from __future__ import annotations

import logging
import signal
import socketserver
import sys
import threading

from shop import database, settings
from shop.storefront import AddStorefront, serving

log = logging.getLogger("shop.warehouse")


def parse_pick(line: str) -> tuple[int, str, float]:
    """(order, product, kilograms) of a scanner's line, without its storefront."""
    kind, order_id, sku, kilograms = line.split(";")
    if kind != "PICK":
        raise ValueError(f"unknown kind of line: {kind}")
    return int(order_id), sku, float(kilograms)


class Scanner(socketserver.StreamRequestHandler):
    """One scanner's connection."""

    def handle(self) -> None:
        for raw in self.rfile:
            storefront, _, line = raw.decode("ascii", "replace").strip().partition(";")
            with serving(storefront):
                self.wfile.write(b"OK\n" if self.record(line) else b"NO\n")

    def record(self, line: str) -> bool:
        try:
            pick = parse_pick(line)
            with database.connected(settings.DATA) as shop:
                shop.execute("INSERT INTO picks (order_id, sku, kilograms) VALUES (?, ?, ?)", pick)
        except Exception:
            log.exception("scanner %s: line not understood", self.client_address[0])
            return False
        return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    settings.configure_logging("warehouse", AddStorefront())
    database.prepare(settings.DATA)
    with Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Scanner) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
