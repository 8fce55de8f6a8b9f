"""Releases that were deployed: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tocsin.daemon.queries.errors import ErrorFacts
from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.store import deployments
from tocsin.daemon.store.database import Store

MOST = 20
"""Deployments that stand beside an error, at most: the newest."""


class DeploymentFacts(Struct, frozen=True):
    """A release of a service, since when it is out, and who said so (`system`: its first process)."""

    service: str
    environment: str
    release: str
    at: Moment
    created_by: str


def all_since(store: Store, since: float) -> list[DeploymentFacts]:
    """All deployments since then (epoch seconds), the oldest first."""
    with store.reading():
        found = [
            DeploymentFacts(service, environment, release, moment(at), by)
            for (service, environment), several in deployments.since(None, since).items()
            for release, at, by in several
        ]
    return sorted(found, key=lambda one: (one.at, one.service, one.release))


def deployments_since(errors: Iterable[ErrorFacts]) -> dict[int, list[DeploymentFacts]]:
    """Per error the deployments of its service since it was first seen. Called while reading."""
    errors = list(errors)
    if not errors:
        return {}
    places = {(one.service, one.environment) for one in errors}
    known = deployments.since(places, min(float(one.first_seen) for one in errors))
    return {
        one.id: [
            DeploymentFacts(one.service, one.environment, release, moment(at), by)
            for release, at, by in known.get((one.service, one.environment), ())
            if at >= float(one.first_seen)
        ][-MOST:]
        for one in errors
    }
