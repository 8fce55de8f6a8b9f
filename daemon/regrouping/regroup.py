"""`tocsin regroup`: what is stored becomes what the present rules say of it, as far as samples tell.

The samples are read and signed first, a few at a time. Then one transaction locks the errors concerned, looks
again, and writes. A daemon may run; it counts on under the rules that it was started with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.regrouping.plan import Plan
from tocsin.daemon.regrouping.samples import Samples
from tocsin.daemon.regrouping.writer import PlanWriter
from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.tickets.manual import ManualError

TRIES = 5
"""Looks at errors that other commands and the daemon change meanwhile."""


class Change(Struct, frozen=True):
    """One thing that regrouping does. `kind`: joined, told_apart, known or waiting.

    joined: the error is part of `into` now. told_apart: so many of its samples are error `into`'s, None for one
    that is not made yet. known: the error is what a signature of the present rules means. waiting: it is the
    same as `into`, but each of the two has an open ticket of these clients ('' for none).
    """

    kind: str
    error: int
    into: int | None = None
    samples: int = 0
    clients: tuple[str, ...] = ()
    title: str = ""


class Regrouped(Struct, frozen=True):
    """How many samples were looked at, how many could not be read, and what is, or would be, changed."""

    samples: int
    unreadable: int
    changes: list[Change]


def regroup(store: Store, config: Config, by: str, now: float, *, dry_run: bool = False) -> Regrouped:
    """Makes the errors what the present rules call their samples; with `dry_run` only says what would be done.

    Of errors that are one the oldest goes on with the signatures, counts and tickets of all, unless two have an
    open ticket of the same client: these go on side by side. An error whose samples are several keeps its number
    and all that no sample speaks for. No ticket opens, reopens or closes by it. `merge` undoes it.
    Raises ManualError.
    """
    samples = Samples(store, config, now)
    made = samples.plan()
    if dry_run or not made.error_ids:
        return _report(samples, made, {})
    touched = set(made.error_ids)
    for _ in range(TRIES):
        with store.transaction():
            errors.lock(store, touched)
            made = samples.plan(touched)
            if made.error_ids <= touched:
                return _report(samples, made, PlanWriter(store, samples, by, now).write(made))
        touched |= made.error_ids
    raise ManualError("others change the same errors just now; run it again")


def _report(samples: Samples, made: Plan, new: Mapping[Key, int]) -> Regrouped:
    changes = [Change("joined", error_id, into_id) for error_id, into_id in made.joins]
    changes += [Change("known", point.error_id) for point in made.points]
    for part in made.parts:
        into = new.get(part.key) if part.error_id is None else part.error_id
        signed = samples.signed(part.samples[-1])
        title = signed.signature.title if signed is not None else ""
        numbers = Counter(sample.error_id for sample in part.samples)
        changes += [
            Change("told_apart", error_id, into, number, title=title) for error_id, number in numbers.items()
        ]
    changes += [Change("waiting", one, into, clients=clients) for one, into, _, clients in made.waiting]
    return Regrouped(samples.number, samples.unreadable, changes)
