"""The values a spool holds: events and what belongs to them. Frozen, sized, valid once they exist; no I/O.

Every struct is `array_like`: a newer writer may append fields at the end, an older reader ignores them, and
a newer reader fills what an older writer left out with the defaults.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

PAYLOAD_LIMIT = 64 * 1024
"""Bytes of one encoded record, at most; capture shortens an event until it fits."""

SEGMENT_BITS = 32
"""A position is `segment << SEGMENT_BITS | byte offset of the frame`: one ordered integer per session."""


def position(segment: int, offset: int) -> int:
    """The place of a frame in its session's stream; larger is later."""
    return segment << SEGMENT_BITS | offset


def split(at: int) -> tuple[int, int]:
    """(segment, byte offset) of a position."""
    return at >> SEGMENT_BITS, at & ((1 << SEGMENT_BITS) - 1)


TEST_LOGGER = "tocsin.test"
"""Logger of the errors that `python -m tocsin.handler test` logs: they open no ticket."""


class Frame(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One call in a traceback, outermost first in `Raised.frames`. Raw facts; its source is in `CodeLocation`."""

    path: str
    module: str
    function: str
    line: int
    locals: dict[str, str] | None = None
    arguments: dict[str, Any] | None = None
    """Of an in-app frame: the call's arguments, when they are plain data (numbers, str, lists, ...)."""
    call: dict[str, Any] | None = None
    """The same where objects are among them, the method's own as `self`: `capture.call_data` says how."""


class Syntax(Struct, frozen=True, array_like=True):
    """What a SyntaxError says of the broken file."""

    path: str
    message: str
    text: str


class Raised(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One exception with its chain. `type`: `module.QualName`, builtins without module; `text`: its str()."""

    type: str
    text: str
    frames: tuple[Frame, ...] = ()
    omitted: int = 0
    """Frames left out of the middle of `frames` by the size cap."""
    cause: Raised | None = None
    context: Raised | None = None
    group: tuple[Raised, ...] = ()
    errno: str | None = None
    """Symbolic name of an OSError's errno, such as `ENOENT`."""
    syntax: Syntax | None = None
    recursive: tuple[tuple[str, str], ...] = ()
    """Of a RecursionError: the (module, function) pairs seen at least 3 times in the whole traceback."""
    notes: tuple[str, ...] = ()
    """Added with `add_note` (PEP 678)."""
    skipped: int | None = None
    """Of a `context` with which a chain began that was cut: how many links before it are left out."""
    others: tuple[str, ...] = ()
    """Of a group: type and text of the members, nested ones too, that are not in `group`."""


class Breadcrumb(Struct, frozen=True, array_like=True):
    """A record that the event's thread or task had logged before, below the handler's level."""

    at: float
    level: int
    logger: str
    message: str
    level_name: str = ""


class Event(Struct, frozen=True, array_like=True, tag=1):
    """One logged error as the application saw it. Times are epoch seconds by the application's clock."""

    occurred_at: float
    level: int
    logger: str
    message: str
    """The formatted text, scrubbed and capped."""
    template: str | None
    """`record.msg` where it is a str and there are arguments, else None."""
    path: str
    module: str
    function: str
    line: int
    thread: str = ""
    exception: Raised | None = None
    client: str | None = None
    context: dict[str, str] | None = None
    fingerprint: tuple[str, ...] | None = None
    stack: str | None = None
    """`stack_info` text, when the call asked for it."""
    key: int = 0
    """What later `DuplicateReference`s of this event name, 0 when none will."""
    level_name: str = ""
    """The application's own name of the level; "" where it is logging's."""
    task: str = ""
    """Name of the asyncio task that logged it, "" outside of tasks."""
    breadcrumbs: tuple[Breadcrumb, ...] = ()
    """Oldest first."""


class DuplicateReference(Struct, frozen=True, array_like=True, tag=2):
    """One more occurrence of the event with this key: same place, text, frames, client, fingerprint."""

    key: int
    occurred_at: float


class CodeLocation(Struct, frozen=True, array_like=True, tag=3):
    """What the source says of one (path, line), read once by the shipping thread. None: unknown."""

    path: str
    line: int
    statement: str | None = None
    """The smallest enclosing statement in canonical form (grouping rule: survives reformatting)."""
    template: str | None = None
    """The literal text of the logging call that covers the line, variable parts as `*`."""
    in_app: bool = True
    first: int = 0
    """Line number of `source[0]`."""
    source: tuple[str, ...] = ()
    """The lines around, for people to read."""
    module: str = ""
    """Dotted module name of the file: by sys.modules, else relative to the longest sys.path entry."""
    translated: bool = False
    """The template is the argument of a gettext call: the logged text may be in another language."""


class Lost(Struct, frozen=True, array_like=True, tag=4):
    """Events that are known to have happened and whose record is gone, by reason; counted like any record."""

    reason: str
    count: int


class AggregatedEvents(Struct, frozen=True, array_like=True, tag=5):
    """Occurrences of a keyed event whose bodies were given up for room: the count is exact."""

    key: int
    count: int
    first_at: float
    last_at: float


Record: TypeAlias = Event | DuplicateReference | CodeLocation | Lost | AggregatedEvents


class Header(Struct, frozen=True, array_like=True):
    """The first frame of every segment: makes the file shippable by any process, under its own session."""

    version: int
    session: str
    """uuid4 hex, new per process and after a fork."""
    segment: int
    service: str
    release: str | None
    environment: str | None
    host: str
    pid: int
    python: str
    started_at: float
    """When the process's session began."""
    written_at: float
    """When this segment was begun, by the application's clock."""
    interval: float
    """Seconds between heartbeats, as announced to the daemon."""
    endpoints: tuple[str, ...]
    server_key: str | None = None
    key_file: str | None = None
    in_app: tuple[str, ...] = ()
    not_in_app: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()
    scrub: tuple[str, ...] = ()
    """More names whose values are secrets: who adopts the session reads its source lines."""
    machine: str = ""
    """The machine's id, "" where it has none. A host's name is no identity."""
    boot: str = ""
    """Id of the kernel's boot: processes that share it share a clock and see each other's locks."""
    namespace: int = 0
    """Inode of the process's pid namespace, in which `pid` counts."""
    born: int = 0
    """When the process was started, in the kernel's ticks since its boot: no two of one pid share it."""
    program: str = ""
    """What runs: `gunicorn`, `python -m shop.worker`, `celery worker`; "" from a handler that does not say."""
    role: str = ""
    """What the process is of it: "" for the program itself, `forked`, or the kind of a pool's child."""
    arguments: str = ""
    """The command line behind the program, scrubbed and shortened."""
