"""The shop's web server: `python -m shop.web [PORT]`."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop import database, settings, views
from shop.figures import Figures
from shop.storefront import AddStorefront, serving

log = logging.getLogger("shop.web")


class Server(ThreadingHTTPServer):
    """Ends only when every request is answered."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, port: int, figures: Figures) -> None:
        super().__init__(("127.0.0.1", port), Page)
        self.figures = figures


class Page(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        with serving(self.headers.get("X-Storefront")):
            self.reply(*self.result())

    do_POST = do_GET

    def result(self) -> views.Answer:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with database.connected(settings.DATA) as shop:
                return views.answer(views.Request(self.command, self.path, body, shop, self.server.figures))
        except Exception:
            log.exception("%s %s failed", self.command, self.path)
            return 500, {"error": "internal error"}

    def reply(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        log.info(format, *args)


def main() -> None:
    settings.configure_logging("shop", AddStorefront())
    database.prepare(settings.DATA)
    figures = Figures(settings.DATA)
    figures.start()
    with Server(int(sys.argv[1]) if len(sys.argv) > 1 else 0, figures) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever(poll_interval=0.1)
    figures.finish()


if __name__ == "__main__":
    main()
