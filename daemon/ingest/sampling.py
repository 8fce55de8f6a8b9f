"""Which full events are stored with their error: the first ones, the newest, a spread between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tocsin.daemon.ingest.tally import SAMPLES_AT_ONCE, Sampled, Sum, thin
from tocsin.daemon.store import errors
from tocsin.daemon.store.bodies import encode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.table import moment
from tocsin.handler.capture.mentions import mentions

SAMPLE_EVERY = 10.0
"""Seconds between two samples of an error that has its full number."""


def sample(store: Store, totals: Collection[tuple[ErrorLog, Sequence[Sum]]], limit: int) -> None:
    """Stores samples of each error's new events and thins out what is over `limit`, per error.

    Sets the errors' `samples` and `sampled_at`, which the caller saves.
    """
    added: list[tuple[object, ...]] = []
    over: list[ErrorLog] = []
    for error, parts in totals:
        chosen = _chosen(error, [one for part in parts for one in part.samples], limit)
        if chosen:
            added += (_row(error, one) for one in chosen)
            error.samples += len(chosen)
            error.sampled_at = max(error.sampled_at or 0.0, *(one.at for one in chosen))
        if error.samples > limit:
            over.append(error)
    errors.add_samples(store, added)
    _thin(over, limit)


def _chosen(error: ErrorLog, samples: list[Sampled], limit: int) -> Sequence[Sampled]:
    """Of one transaction's full events those to store; of an error that has its number, one now and then."""
    samples = _few(samples)
    if error.samples < limit:
        return samples
    newest = max(samples, key=lambda one: one.at, default=None)
    if newest is None or newest.at - (error.sampled_at or 0.0) < SAMPLE_EVERY:
        return ()
    return (newest,)


def _few(samples: list[Sampled]) -> list[Sampled]:
    """The first ones and the newest, where many events of one transaction became one error's."""
    if len(samples) <= SAMPLES_AT_ONCE:
        return samples
    samples = sorted(samples, key=lambda one: one.at)
    return [*samples[: SAMPLES_AT_ONCE - 1], samples[-1]]


def _row(error: ErrorLog, sample: Sampled) -> tuple[object, ...]:
    locations = [sample.locations[one.at] for one in mentions(sample.event) if one.at in sample.locations]
    body = encode_body(sample.body, locations)
    return error.id, sample.session_id, sample.position, moment(sample.at), sample.client, body


def _thin(over: Collection[ErrorLog], limit: int) -> None:
    dropped: list[int] = []
    for kept in errors.sample_moments([error.id for error in over]).values():
        dropped += (kept[index][1] for index in thin([at for at, _ in kept], limit))
    errors.drop_samples(dropped)
    for error in over:
        error.samples = limit
