"""A minimal daemon: a real ROUTER socket that keeps watermarks and counts, with knobs to misbehave."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import zmq

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, DuplicateReference, Event, Lost


class Memory:
    """What survives the daemon's death: its database."""

    def __init__(self, name: str = "db") -> None:
        self.name = name
        self.watermarks: dict[str, int] = {}
        self.messages: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.clients: Counter[str | None] = Counter()
        self.events: list[Event] = []
        self.undefined = 0
        self.doubled = 0
        self.headers: dict[str, Any] = {}
        self.live: dict[str, bool] = {}
        self.goodbyes: dict[str, int] = {}
        self.ended: dict[str, float | None] = {}
        """When the owner of a session said that it ended, by its adopter's goodbye."""
        self.heartbeats: Counter[str] = Counter()
        self.places: dict[tuple[str, int], Any] = {}
        self.sizes: list[int] = []
        self.full = self.repeats = 0

    @property
    def counted(self) -> int:
        return sum(self.messages.values())

    @property
    def reported(self) -> int:
        """Events told as lost."""
        return sum(self.lost.values())


class DaemonDouble:
    """Runs in a thread. `mute`: takes batches, answers nothing. `ack`: counts, but does not acknowledge.

    `cut_after`: drops all connections once, and what is on the way, after so many messages.
    """

    def __init__(self, endpoint: str, memory: Memory | None = None, **knobs: Any) -> None:
        self.endpoint = endpoint
        self.memory = memory or Memory()
        self.mute = self.refuse = False
        self.ack = True
        self.drop_every = 0
        self.cut_after = 0
        self.version: int | None = None
        self.database: str | None = None
        vars(self).update(knobs)
        self._seen = 0
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> DaemonDouble:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def die(self) -> None:
        """Ends at once: what is in the socket is gone."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        context = zmq.Context()
        socket = self._listen(context)
        self._ready.set()
        while not self._stop.is_set():
            if not socket.poll(20):
                continue
            peer, data, *more = socket.recv_multipart()
            assert not more
            self._seen += 1
            if self.drop_every and self._seen % self.drop_every == 0:
                continue
            if self._seen == self.cut_after:
                socket.close(0)
                context.term()
                context = zmq.Context()
                socket = self._listen(context)
                continue
            answer = self._answer(wire.decode_from_handler(data))
            if answer is not None and not self.mute:
                socket.send_multipart([peer, wire.encode(answer)])
        socket.close(0)
        context.term()

    def _listen(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.maxmsgsize = wire.MESSAGE_LIMIT
        for name, value in getattr(self, "options", {}).items():
            setattr(socket, name, value)
        socket.bind(self.endpoint)
        return socket

    def _answer(self, message: wire.FromHandler) -> wire.FromDaemon | None:
        memory = self.memory
        if self.refuse:
            session = message.header.session if isinstance(message, wire.Hello) else message.session
            return wire.Refusal(session, "version", "too old", version=2)
        if isinstance(message, wire.Hello):
            return self._hello(message)
        if isinstance(message, wire.Heartbeat):
            memory.heartbeats[message.session] += 1
            return None
        if isinstance(message, wire.Goodbye):
            memory.goodbyes[message.session] = message.backlog
            memory.ended[message.session] = message.ended_at
            return None
        if message.session not in memory.watermarks:
            return wire.Refusal(message.session, "unknown_session", "say hello")
        watermark = memory.watermarks[message.session]
        if message.start > watermark:
            return wire.Refusal(message.session, "gap", "a gap", watermark=watermark)
        self._count(message, watermark)
        memory.watermarks[message.session] = max(watermark, message.end)
        return wire.Ack(message.session, memory.watermarks[message.session]) if self.ack else None

    def _hello(self, hello: wire.Hello) -> wire.FromDaemon:
        memory, session = self.memory, hello.header.session
        if hello.database not in (None, memory.name):
            return wire.Refusal(session, "other_database", f"this is {memory.name}")
        memory.headers[session] = hello.header
        memory.live[session] = hello.live
        mark = memory.watermarks.setdefault(session, 0)
        memory.watermarks[session] = max(mark, hello.oldest)
        return wire.Welcome(session, memory.name, memory.watermarks[session], time.time())

    def _count(self, batch: wire.Batch, watermark: int) -> None:
        memory = self.memory
        memory.sizes.append(len(wire.encode(batch)))
        for place in map(wire.decode_location, batch.places):
            memory.places[place.path, place.line] = place
        known = {event.key: event for event in map(wire.decode_event, batch.definitions)}
        for at, payload in batch.frames:
            if at < watermark:
                continue
            assert batch.start <= at < batch.end or batch.start == batch.end
            record = wire.decode_record(payload)
            if isinstance(record, Event):
                known[record.key] = record
                memory.full += 1
                memory.events.append(record)
                self._one(record, 1)
            elif isinstance(record, DuplicateReference | AggregatedEvents):
                event = known.get(record.key)
                memory.repeats += 1
                if event is None:
                    memory.undefined += 1
                else:
                    self._one(event, record.count if isinstance(record, AggregatedEvents) else 1)
            elif isinstance(record, Lost):
                memory.lost[record.reason] += record.count

    def _one(self, event: Event, count: int) -> None:
        self.memory.messages[event.message] += count
        self.memory.clients[event.client] += count


def endpoint(directory: Path) -> str:
    return f"ipc://{directory / 's'}"
