"""What handler and daemon say to each other, as bytes and back. No sockets here.

One message is one ZeroMQ part: a version byte, then one msgpack-encoded struct. The handler's side speaks
`Hello`, `Batch`, `Heartbeat`, `Goodbye`; the daemon answers `Welcome`, `Ack`, `Refusal`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from tocsin.handler.protocol.event import CodeLocation, Event, Header, Record

T = TypeVar("T")

VERSION = 1
MESSAGE_LIMIT = 1024 * 1024
"""Bytes of one message, at most: both sides set it as MAXMSGSIZE."""


_Bounded = Meta(max_length=10_000)
"""Entries of a batch's lists, ten times what is sent: nothings take a hundred times their bytes in memory."""


class WireError(Exception):
    """Bytes that are not a message of ours. `theirs`: the peer sent them; else we were about to.

    `version` is the peer's protocol version where that is what is wrong, else None.
    """

    def __init__(self, text: str, *, theirs: bool = True, version: int | None = None) -> None:
        super().__init__(text)
        self.theirs = theirs
        self.version = version


WATCHED_FUNCTIONS = 64
"""Functions that a daemon names to a process, at most: those of the newest tickets."""


class WatchedFunction(Struct, frozen=True, array_like=True):
    """A function whose runs are to be counted, for one error."""

    error: int
    caller: bool
    """It called the function in which the error happens; else it is that function."""
    module: str
    """`__name__` of the frame's namespace."""
    name: str
    """Qualified name without `<locals>.`, as in `Frame.function`; `*.name`: the only one of the module called so."""


class FunctionRuns(Struct, frozen=True, array_like=True):
    """How often a watched function has begun in this process since it is counted."""

    error: int
    caller: bool
    begun: int = 0
    since: float = 0.0
    """Since when it is counted, by the application's clock. Another moment: it is counted from 0 again."""
    estimated: bool = False
    """It began so often that counting was interrupted: `begun` is partly an estimate."""
    unknown: str = ""
    """Why it is not counted (`running.counts`), "" where it is."""


class Watched(Struct, frozen=True, array_like=True):
    """What the daemon asks a process to keep an eye on: all of it replaces what was asked before."""

    loggers: Annotated[tuple[tuple[str, int], ...], _Bounded] = ()
    """(name, level) of the loggers whose errors are being watched."""
    functions: Annotated[tuple[WatchedFunction, ...], _Bounded] = ()
    """Those in which the errors happen, and their callers."""


class Observed(Struct, frozen=True, array_like=True):
    """What a process has seen of what it was asked to keep an eye on, and of its own loggers."""

    unheard: Annotated[tuple[str, ...], _Bounded] = ()
    """Names of the loggers whose records do not reach the handler: what they log cannot be told."""
    runs: Annotated[tuple[FunctionRuns, ...], _Bounded] = ()
    """One for each function that was named, by totals: what is told twice counts once."""


class Hello(Struct, frozen=True, array_like=True, tag=1):
    """Opens a session on this connection; answered by `Welcome` with the watermark to go on from."""

    header: Header
    oldest: int
    """The oldest position still held: what lies between the daemon's watermark and it is lost."""
    backlog: int
    """Bytes in the spool not yet acknowledged."""
    sent_at: float
    live: bool
    """False when another process ships what a dead one left behind."""
    database: str | None = None
    """Id of the database this session was shipped to before, if any."""
    before: int | None = None
    """Events of the session that stood before `oldest`, None when that is not known."""
    age: float | None = None
    """Seconds since the session began, by a clock that nobody sets; None for an adopted one."""


class Batch(Struct, frozen=True, array_like=True, tag=2):
    """Every record of the session in [start, end), in order. `start` is the previous batch's `end`."""

    session: str
    start: int
    end: int
    frames: Annotated[list[tuple[int, Raw]], _Bounded]
    """(position, encoded `Record`)."""
    definitions: Annotated[list[Raw], _Bounded] = []
    """Encoded `Event`s, already counted, whose keys the frames' repeats name."""
    places: Annotated[list[Raw], _Bounded] = []
    """Encoded `CodeLocation`s: those that the frames' and definitions' events name. Batch after batch the same."""
    sent_at: float = 0.0
    backlog: int = 0
    """Bytes in the spool behind this batch."""
    observed: Observed | None = None
    """As in a heartbeat: a busy session sends none. None: nothing is said of it here."""


class Heartbeat(Struct, frozen=True, array_like=True, tag=3):
    """The process lives."""

    session: str
    backlog: int
    sent_at: float
    observed: Observed | None = None


class Goodbye(Struct, frozen=True, array_like=True, tag=4):
    """The process ends in order; `backlog` bytes stay in its spool. For an adopted one: nothing is left."""

    session: str
    backlog: int
    sent_at: float
    ended_at: float | None = None
    """For an adopted one: when its owner ended in order, by its own clock; None when it did not."""
    observed: Observed | None = None


class Welcome(Struct, frozen=True, array_like=True, tag=11):
    """The daemon knows the session and has everything below `watermark`."""

    session: str
    database: str
    watermark: int
    sent_at: float
    watched: Watched | None = None
    """None: no change."""


class Ack(Struct, frozen=True, array_like=True, tag=12):
    """Everything below `watermark` is committed."""

    session: str
    watermark: int
    watched: Watched | None = None
    """None: no change. Heartbeats are answered too."""


class Refusal(Struct, frozen=True, array_like=True, tag=13):
    """The message was not taken. Unless `permanent`, do what the reason asks and go on; the spool is kept."""

    session: str
    reason: Literal["gap", "unknown_session", "version", "other_database", "not_allowed", "malformed", "busy"]
    text: str
    permanent: bool = False
    watermark: int = 0
    version: int = VERSION
    """The newest protocol version the daemon speaks."""


FromHandler: TypeAlias = Hello | Batch | Heartbeat | Goodbye
FromDaemon: TypeAlias = Welcome | Ack | Refusal

_INTEGER = rb"(?:[\x00-\x7f]|\xcc.|\xcd..|\xce.{4}|\xcf.{8})"
_BATCH_HEAD = re.compile(
    # version, array, tag; then the session (a text of 32 characters, uuid4 hex) and two integers
    rb"%c[\x94-\x9f]\x02(\xd9\x20[0-9a-f]{32}%b%b)" % (VERSION, _INTEGER, _INTEGER),
    re.DOTALL,
)
_encoder = msgspec.msgpack.Encoder()
# A union is no class to a type checker: the decoders of unions are annotated by hand.
_from_handler: msgspec.msgpack.Decoder[FromHandler] = msgspec.msgpack.Decoder(FromHandler)
_from_daemon: msgspec.msgpack.Decoder[FromDaemon] = msgspec.msgpack.Decoder(FromDaemon)
_record: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
_event = msgspec.msgpack.Decoder(Event)
_place = msgspec.msgpack.Decoder(CodeLocation)


def encode(message: FromHandler | FromDaemon) -> bytes:
    """Bytes of one message. Raises WireError (ours) when it would be larger than `MESSAGE_LIMIT`."""
    data = bytes([VERSION]) + _encoded(message)
    if len(data) > MESSAGE_LIMIT:
        raise WireError(f"a message of {len(data)} bytes is over the limit of {MESSAGE_LIMIT}", theirs=False)
    return data


def decode_from_handler(data: bytes) -> FromHandler:
    """The handler's message in `data`. Raises WireError, whatever the bytes are."""
    return _decode(data, _from_handler)


def salvage(data: bytes) -> Batch | None:
    """The range of a batch that cannot be decoded, with one record: the undecodable bytes. None: no batch.

    Bytes in it that are no msgpack hide where the next record begins; refused, they would be sent for ever.
    """
    head = _BATCH_HEAD.match(data)
    if head is None:
        return None
    try:
        session, start, end = msgspec.msgpack.decode(b"\x93" + head[1], type=tuple[str, int, int])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Batch(session, start, end, [(start, Raw(_encoder.encode(data)))]) if start < end else None


def decode_from_daemon(data: bytes) -> FromDaemon:
    """The daemon's message in `data`. Raises WireError, whatever the bytes are."""
    return _decode(data, _from_daemon)


def encode_record(record: Record) -> bytes:
    """The payload of one spool frame."""
    return _encoded(record)


def _encoded(value: Struct) -> bytes:
    """The one door to disk and wire: what no encoder takes, a lone surrogate, goes through as its escape."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_encodable(value))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return [_encodable(part) for part in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(part) for name, part in value.items()}
    if isinstance(value, Struct):
        return type(value)(*(_encodable(getattr(value, name)) for name in value.__struct_fields__))
    return value


def carried(payload: bytes) -> bytes:
    """A spool frame's payload as it can be carried in a batch: what is no msgpack would spoil all of it.

    Such a payload travels as a byte string: no record to the daemon, which puts it aside.
    """
    try:
        msgspec.msgpack.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError):
        return _encoder.encode(payload)
    return payload


def decode_record(payload: bytes | Raw) -> Record:
    """The record of one spool frame. Raises WireError."""
    return _typed(payload, _record)


def decode_location(payload: bytes | Raw) -> CodeLocation:
    """A place, as in `Batch.places`. Raises WireError."""
    return _typed(payload, _place)


def decode_event(payload: bytes | Raw) -> Event:
    """An event, as in `Batch.definitions`. Raises WireError."""
    return _typed(payload, _event)


def _decode(data: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if not data:
        raise WireError("an empty message")
    if data[0] != VERSION:
        raise WireError(f"protocol version {data[0]}, this side speaks {VERSION}", version=data[0])
    return _typed(memoryview(data)[1:], decoder)


def _typed(payload: bytes | memoryview | Raw, decoder: msgspec.msgpack.Decoder[T]) -> T:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise WireError(f"not a message of ours: {error}") from error
