"""A world in which applications log, a daemon digests, and time is given."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from tocsin.daemon.config import Config, parse
from tocsin.daemon.ingest.digest import Digest, Received
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Mail, Run, Ticket
from tocsin.daemon.tickets.watch import WatchSweep
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Header, Raised, Record

START = 1_795_000_000.0
HOUR = 3600.0
SETTINGS: dict[str, Any] = {
    "mail": {"admin": ["ops@tocsin.example"]},
    "client": [
        {"id": "martin", "name": "Martin SA", "email": "contact@martin.example", "language": "fr"},
        {"id": "acme", "email": "it@acme.example"},
    ],
}


def an_error(text: str = "order 17 could not be shipped", *, at: float, **more: Any) -> Event:
    """A plain logged error."""
    known = {
        "occurred_at": at, "level": 40, "logger": "shop", "message": text, "template": None,
        "path": "/srv/shop/orders.py", "module": "orders", "function": "place", "line": 12,
    }  # fmt: skip
    return Event(**{**known, **more})


def an_exception(at: float, *, function: str = "price", line: int = 88, **more: Any) -> Event:
    """A logged KeyError of the shop's own code."""
    frames = (
        Frame("/srv/shop/views.py", "shop.views", "checkout", 40),
        Frame("/srv/shop/orders.py", "shop.orders", function, line),
    )
    return an_error("checkout failed", at=at, exception=Raised("KeyError", "'A1'", frames), **more)


class World:
    """One database, its digest and its hourly check; `now` moves when a test moves it."""

    def __init__(self, store: Store, settings: dict[str, Any] | None = None) -> None:
        self.store = store
        self.now = START
        self.configure(settings or SETTINGS)
        with store.transaction():
            Run.create(host="here", pid=1, started_at=START - HOUR, alive_until=START)

    def configure(self, settings: dict[str, Any]) -> None:
        self.config: Config = parse(settings, {})
        self.digest = Digest(self.store, self.config)
        self.round = WatchSweep(self.store, self.config)
        with self.store.transaction():
            for client in self.config.client:
                rows.remember_client(client.id, client.name, client.email, client.language, client.timezone)

    def live(self, seconds: float, *alive: App) -> None:
        """Time passes with the daemon up and these applications seen alive, a heartbeat an interval."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + min((app.header.interval for app in alive), default=600.0), end)
            for app in alive:
                app.heartbeat()
        with self.store.transaction():
            run = Run.select().order_by(Run.id.desc()).get()
            run.alive_until = self.now
            run.save()

    def down(self, seconds: float) -> None:
        """Time passes without a daemon."""
        self.now += seconds
        with self.store.transaction():
            Run.create(host="here", pid=2, started_at=self.now, alive_until=self.now)

    def check(self) -> None:
        """The hourly check."""
        self.round.run(self.now)

    def app(self, service: str = "shop", **more: Any) -> App:
        """A process that begins now."""
        return App(self, service, **more)

    def tickets(self) -> list[Ticket]:
        with self.store.reading():
            return list(Ticket.select().order_by(Ticket.id))

    def errors(self) -> list[ErrorLog]:
        with self.store.reading():
            return list(ErrorLog.select().order_by(ErrorLog.id))

    def history(self, ticket: Ticket) -> list[str]:
        with self.store.reading():
            return [row.action for row in ticket.history]

    def mails(self) -> list[tuple[str, str]]:
        with self.store.reading():
            return [(mail.kind, mail.recipient) for mail in Mail.select().order_by(Mail.id)]


class App:
    """One process of a service, as the daemon hears it."""

    def __init__(
        self,
        world: World,
        service: str,
        *,
        live: bool = True,
        clock: float = 0.0,
        interval: float = 1800.0,
        age: float = 0.0,
        **more: Any,
    ) -> None:
        """`clock`: seconds that its clock is ahead; `age`: since when it runs; `more`: fields of its header."""
        self.world = world
        self.clock = clock
        self.live = live
        known = {
            "version": 1, "session": uuid.uuid4().hex, "segment": 1, "service": service, "release": "1.0",
            "environment": "production", "host": "web1", "pid": 77, "python": "3.11.7",
            "started_at": world.now - age + clock, "written_at": world.now + clock, "interval": interval,
            "endpoints": (),
        }  # fmt: skip
        self.header = Header(**{**known, **more})
        self.end = 0
        self.runs: tuple[wire.FunctionRuns, ...] | None = None
        """What it tells with each heartbeat of the functions it counts; None: its handler counts nothing."""
        assert isinstance(self.hello(), wire.Welcome)

    def say(self, message: wire.FromHandler) -> wire.FromDaemon | None:
        return self.world.digest.handle([Received("", message)], self.world.now)[0]

    def hello(self, oldest: int = 0, backlog: int = 0, **more: Any) -> wire.FromDaemon | None:
        sent_at = self.world.now + self.clock
        return self.say(wire.Hello(self.header, oldest, backlog, sent_at, self.live, **more))

    def heartbeat(self, backlog: int = 0, observed: wire.Observed | None = None) -> wire.FromDaemon | None:
        sent_at = self.world.now + self.clock
        if observed is None and self.runs is not None:
            observed = wire.Observed(runs=self.runs)
        return self.say(wire.Heartbeat(self.header.session, backlog, sent_at, observed))

    def ran(self, begun: int, *, error: int = 1, unknown: str = "", since: float = START - HOUR) -> None:
        """From now on it tells so many runs of the error's function, and none of its caller."""
        self.runs = (
            wire.FunctionRuns(error, False, begun, since, unknown=unknown),
            wire.FunctionRuns(error, True, 0, since, unknown=unknown),
        )
        self.heartbeat()

    def goodbye(self, backlog: int = 0, ended_at: float | None = None) -> None:
        self.say(wire.Goodbye(self.header.session, backlog, self.world.now + self.clock, ended_at))

    def batch(self, *records: Record, places: Iterable[CodeLocation] = (), **more: Any) -> wire.Batch:
        """The next records of the stream, 100 bytes each."""
        start, frames = self.end, []
        for record in records:
            frames.append((self.end, Raw(wire.encode_record(record))))
            self.end += 100
        told = [Raw(wire.encode_record(place)) for place in places]
        return wire.Batch(self.header.session, start, self.end, frames, places=told, **more)

    def log(self, *records: Record, **more: Any) -> wire.FromDaemon | None:
        """Records arrive now."""
        return self.say(self.batch(*records, **more))

    def fail(self, times: int = 3, *, every: float = 60.0, **more: Any) -> None:
        """The same error comes `times` times, `every` seconds apart, ending now."""
        at = self.world.now + self.clock
        events = [an_exception(at - every * (times - 1 - i), **more) for i in range(times)]
        self.log(*events)


PLACES = [CodeLocation("/srv/shop/orders.py", 88, "total=prices[sku]", module="shop.orders")]
