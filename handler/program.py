"""What runs in this process: its program, what the process is of it, and its arguments. Reads no files.

Two processes with the same program and role are of one kind: silence of an error that one of them logged counts
while processes of that kind are seen alive.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
from typing import Any, NamedTuple

from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.values import clean

LONGEST = 100
"""Characters of a program's or a role's name."""
ARGUMENTS = 300
"""Characters of the arguments."""
_LOADED = os.getpid()
_MAIN = "MainProcess"
_COUNTER = re.compile(r"[-:_ ]*\d+")
_WORD = re.compile(r"[A-Za-z][\w-]*")
_COMMANDS = {
    "celery": {"worker", "beat", "flower", "events", "multi"},
    "flask": {"run", "shell"},
    "rq": {"worker", "worker-pool", "cron"},
    "airflow": {"scheduler", "webserver", "worker", "triggerer", "celery"},
}
"""Programs that are several: which of their arguments say which one."""
_FIRST_ARGUMENT = {"manage.py", "django-admin", "django"}
"""Programs whose first argument always says it."""


class Program(NamedTuple):
    """What a session's header says of it."""

    name: str
    role: str
    """"" for the program itself; `forked`, or the name of a pool's processes without their numbers."""
    arguments: str


def running(scrub: tuple[str, ...], key: str | None = None) -> Program:
    """What runs here now. `scrub`: more names of secrets; `key`: one that may stand among the arguments.

    Never raises: what cannot be told is "".
    """
    try:
        arguments = [one for one in sys.argv[1:] if isinstance(one, str)]
        name = _name(arguments)
        hidden = [one.replace(key, "[scrubbed]") if key else one for one in arguments[:100]]
        said = _scrubbed(scrub, tuple(hidden))
    except Exception:
        name = said = ""
    try:
        role = _role()
    except Exception:
        role = ""
    return Program(clean(name)[:LONGEST], clean(role)[:LONGEST], said)


@functools.lru_cache(maxsize=4)
def _scrubbed(scrub: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """Kept, since each session of a process, and of its forked children, says the same."""
    return clean(Scrubber(scrub).text(shlex.join(arguments)[: 4 * ARGUMENTS]))[:ARGUMENTS]


def _name(arguments: list[str]) -> str:
    script = sys.argv[0] if sys.argv and isinstance(sys.argv[0], str) else ""
    spec: Any = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = getattr(spec, "name", None)
    if isinstance(module, str) and module not in ("", "__main__"):
        short = module.removesuffix(".__main__")
        name = f"python -m {short}"
    else:
        short = name = os.path.basename(script.rstrip("/")) or "python"
    command = ""
    if short in _FIRST_ARGUMENT and arguments and _WORD.fullmatch(arguments[0]):
        command = arguments[0]
    elif short in _COMMANDS:
        command = next((one for one in arguments if one in _COMMANDS[short]), "")
    return f"{name} {command}".strip()


def _role() -> str:
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None and (uwsgi.worker_id() or uwsgi.mule_id()):
        return "worker" if uwsgi.worker_id() else "mule"
    for library in ("billiard.process", "multiprocessing.process"):
        module: Any = sys.modules.get(library)
        name = module.current_process().name if module is not None else _MAIN
        if isinstance(name, str) and name != _MAIN:
            return _COUNTER.sub("", name) or "child"
    return "forked" if os.getpid() != _LOADED else ""
