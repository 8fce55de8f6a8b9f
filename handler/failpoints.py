"""Named points of the work at which a test can have the process killed. Knows nothing of the work.

`TOCSIN_FAILPOINT=NAME:TIMES:FILE` arms one: at the TIMES-th passing its name is written to FILE and the
process kills itself by SIGKILL. Unarmed, `reach` does nothing. No point lies on the path of a log call.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

VARIABLE = "TOCSIN_FAILPOINT"

Reach = Callable[[str], None]


def unarmed(point: str) -> None:
    """Nothing happens at `point`."""


def armed(name: str, times: int, file: str) -> Reach:
    """What kills this process when it reaches the point `name` for the `times`-th time."""
    passing = itertools.count(1).__next__

    def reach(point: str) -> None:
        if point == name and passing() == times:
            with open(file, "w", encoding="ascii") as mark:
                mark.write(point)
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def from_environment(setting: str) -> Reach:
    """What `setting` asks for; nothing where it is empty or makes no sense: no application fails of it."""
    name, _, rest = setting.partition(":")
    times, _, file = rest.partition(":")
    return armed(name, int(times), file) if name and times.isdecimal() and file else unarmed


reach: Reach = from_environment(os.environ.get(VARIABLE, ""))
