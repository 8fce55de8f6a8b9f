"""What is known of this process: whether it is still the one that set a flag, who it is, what its time is, and
whether threads may be started in it. Opens nothing on import.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import mmap
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

# A partial object of the system's own clock: what freezes time in tests replaces the functions of `time`, also where
# a module has bound them.
monotonic: Callable[[], float] = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
"""Seconds of a clock that nobody sets."""
LOADED = monotonic()
"""When this program's code began to be loaded, by that clock; a forked child runs its parent's code."""

_WIPEONFORK = 18
"""MADV_WIPEONFORK (Linux 4.14): a forked child finds the page full of zeros. The module `mmap` has no name for it."""
_UWSGI_THREADS = {"enable-threads", "enable-thread", "threads", "thread", "gevent", "asyncio"}
"""Options of uWSGI with which it lets the interpreter's other threads run."""
_STEP = 0.002
"""Seconds between two looks at what is waited for."""
sleep = time.sleep


def wall() -> float:
    """Seconds of the epoch, by the clock that stamps the application's records, whoever has set or frozen it.

    Only to be told; nothing waits by it.
    """
    return time.time()


class Identity(NamedTuple):
    """Who a process is, for as long as it lives and after: no other process is equal to it."""

    machine: str
    boot: str
    namespace: int
    pid: int
    born: int

    @property
    def lives(self) -> bool | None:
        """Whether it is running; None when that cannot be seen from here."""
        here = identity()
        if not self.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return None
        return _born(self.pid) == self.born


def identity() -> Identity:
    """This process's own."""
    pid = os.getpid()
    return Identity(*_surroundings(), pid, _born(pid))


@functools.cache
def _surroundings() -> tuple[str, str, int]:
    """Machine, boot and pid namespace; "" and 0 for what cannot be told."""
    namespace = 0
    with contextlib.suppress(OSError):
        namespace = os.stat("/proc/self/ns/pid").st_ino
    return _line("/etc/machine-id"), _line("/proc/sys/kernel/random/boot_id"), namespace


def _line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.readline(100).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _born(pid: int) -> int:
    """When the process was started, in ticks since the boot; 0 when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything; the state is the field behind it.
            fields = file.read(4096).rpartition(b")")[2].split()
        return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0


class Flag(Protocol):
    """`flag[0]` is 1 where this very process has set it, and 0 in a child that was forked since."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


def flag() -> Flag:
    """A flag that no fork inherits, also not one that runs none of Python's hooks.

    Reading it is no system call: it stands in a page that the kernel empties in a forked child.
    """
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPEONFORK)
    except (OSError, ValueError):
        return _PidFlag()
    return page


class _PidFlag:
    """Where the kernel knows no such page: the process id tells."""

    def __init__(self) -> None:
        self._pid = -1

    def __getitem__(self, index: int, /) -> int:
        return int(self._pid == os.getpid())

    def __setitem__(self, index: int, value: int, /) -> None:
        self._pid = os.getpid() if value else -1


def wait(seconds: float, until: Callable[[], bool]) -> bool:
    """Whether it has come true within so many seconds. Ends by the number of its looks too, if no clock moves."""
    deadline = monotonic() + seconds
    for _ in range(int(seconds / _STEP) + 1):
        if until():
            return True
        if monotonic() >= deadline:
            break
        nap()
    return until()


def nap() -> None:
    """For a moment, as the application sleeps: gevent's hub goes on meanwhile. A test may have put anything there."""
    try:
        time.sleep(_STEP)
    except Exception:
        sleep(_STEP)


def start_thread(main: Callable[[], None]) -> None:
    """A real thread, also where gevent has replaced the module's: a poll there would stop its hub.

    `threading.Thread.start` waits for the new thread to run, which may be never while the interpreter ends.
    Raises RuntimeError where none can be started any more.
    """
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is ending")
    original("_thread", "start_new_thread", _thread.start_new_thread)(main, ())


def original(module: str, name: str, found: Any) -> Any:
    """What gevent has replaced in a module, else `found`."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched(module):
        return monkey.get_original(module, name)
    return found


def uwsgi_master() -> bool:
    """Whether this is uWSGI's master, which forks its workers without a word to Python: no thread may run in it.

    A worker that is forked while our thread holds a lock of the interpreter's hangs for ever.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return False
    try:
        return not (uwsgi.worker_id() or uwsgi.mule_id() or uwsgi.i_am_the_spooler())
    except Exception:
        return False


def threads_run() -> bool:
    """Whether a thread of ours would run here: uWSGI keeps the interpreter to itself, unless it is told otherwise."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    try:
        options = {option.decode() if isinstance(option, bytes) else option for option in uwsgi.opt}
    except Exception:
        return False
    return not uwsgi_master() and not options.isdisjoint(_UWSGI_THREADS)


def after_uwsgi_fork(begin: Callable[[], None]) -> None:
    """Has it called in each worker that uWSGI forks, after what the application has asked for."""
    uwsgi: Any = sys.modules.get("uwsgi")
    former = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        if former is not None:
            former()
        begin()

    with contextlib.suppress(Exception):
        uwsgi.post_fork_hook = hook
