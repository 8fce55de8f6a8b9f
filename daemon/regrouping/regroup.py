"""`tocsin regroup`: what is stored becomes what the present rules say of it, as far as samples tell.

The samples are read and signed first, a few at a time. Then each transaction locks a few errors, with those that
they depend on, looks again, and writes. A daemon may run: it counts between them, under the rules that it was
started with. What breaks off is finished by running it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.regrouping.plan import Plan
from tocsin.daemon.regrouping.samples import Samples
from tocsin.daemon.regrouping.writer import PlanWriter
from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.tickets.manual import ManualError

AT_ONCE = 50
"""Errors written in one transaction, where not more depend on one another."""
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
    if dry_run:
        changes = _changes(samples, made, {})
    else:
        changes = [one for ids in _batches(made) for one in _write(store, samples, ids, by, now)]
    return Regrouped(samples.number, samples.unreadable, changes)


def _batches(made: Plan) -> Iterator[set[int]]:
    """The errors concerned, a few at a time."""
    batch: set[int] = set()
    for group in made.together:
        batch |= group
        if len(batch) >= AT_ONCE:
            yield batch
            batch = set()
    if batch:
        yield batch


def _write(store: Store, samples: Samples, ids: set[int], by: str, now: float) -> list[Change]:
    """Writes what is to be done about these errors, in one transaction."""
    touched = set(ids)
    for _ in range(TRIES):
        with store.transaction():
            errors.lock(store, touched)
            made = samples.plan(touched)
            if made.error_ids <= touched:
                return _changes(samples, made, PlanWriter(store, samples, by, now).write(made))
        touched |= made.error_ids
    raise ManualError("others change the same errors just now; run it again")


def _changes(samples: Samples, made: Plan, new: Mapping[Key, int]) -> list[Change]:
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
    return changes
