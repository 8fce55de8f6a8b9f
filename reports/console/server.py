"""The console's process: uvicorn on the application, until a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tocsin.daemon import config_console
from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed
from tocsin.daemon.store.database import Store
from tocsin.reports.console.app import make_app
from tocsin.reports.console.site import Site

HEADERS_WITHIN = 10.0
"""Seconds after which a connection that has not asked anything is closed."""
STOP_WITHIN = 5
CONNECTIONS = 2000


class ConsoleError(Failed):
    """The console cannot listen; the text names the setting."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's own waits for ever for the first request of a connection."""

    _first: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._first = self.loop.call_later(HEADERS_WITHIN, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._first is not None:
            self._first.cancel()
        super().connection_lost(exc)


def settings(config: Config, app: Any) -> uvicorn.Config:
    """How uvicorn is to serve the application: quietly, and believing the proxies named and nobody else."""
    host, port = config_console.place(config.console)
    return uvicorn.Config(
        app, host=host, port=port, http=ImpatientProtocol, ws="none", loop="asyncio", lifespan="on",
        proxy_headers=bool(config.console.proxies), forwarded_allow_ips=config.console.proxies,
        server_header=False, access_log=False, log_config=None, timeout_keep_alive=15,
        timeout_graceful_shutdown=STOP_WITHIN, limit_concurrency=CONNECTIONS, h11_max_incomplete_event_size=32_768,
    )  # fmt: skip


class Server(uvicorn.Server):
    """Ends the streams of open pages when it is asked to stop: they never would by themselves."""

    def __init__(self, config: uvicorn.Config, site: Site, up: Callable[[], None]) -> None:
        super().__init__(config)
        self._site = site
        self._up = up

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._up()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._site.changes.over = True
        super().handle_exit(sig, frame)


def serve(store: Store, config: Config, up: Callable[[], None]) -> None:
    """Serves until SIGTERM or SIGINT; `up` is called once when it listens. Raises ConsoleError."""
    site = Site(store, config)
    server = Server(settings(config, make_app(site)), site, up)
    try:
        server.run()
    except SystemExit:
        raise ConsoleError(f"console.listen = {config.console.listen!r}: it cannot listen there") from None
