"""Which releases of a service are out since when: the table, and the queries on it. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection

from peewee import CharField, CompositeKey

from tocsin.daemon.store.models import Session
from tocsin.daemon.store.table import MomentField, Table

RELEASE = 200
"""Characters of a release's name."""


class Deployment(Table):
    """A release of a service, since somebody said that it is out, or since its first process was heard."""

    service = CharField()
    environment = CharField(default="")
    release = CharField()
    at = MomentField()
    created_by = CharField(default="system")

    class Meta:
        table_name = "deployments"
        primary_key = CompositeKey("service", "environment", "release")


def note(service: str, environment: str, release: str, at: float, by: str = "system") -> bool:
    """Notes that a release is out since then at the latest; returns whether it was not known."""
    known = Deployment.get_or_none(
        (Deployment.service == service)
        & (Deployment.environment == environment)
        & (Deployment.release == release)
    )
    if known is None:
        Deployment.insert(
            service=service, environment=environment, release=release, at=at, created_by=by
        ).on_conflict_ignore().execute()
        return True
    if at < known.at:
        Deployment.update(at=at).where(
            (Deployment.service == service)
            & (Deployment.environment == environment)
            & (Deployment.release == release)
        ).execute()
    return False


def of_service(service: str, environment: str) -> list[tuple[str, float]]:
    """(release, since when it is out) of a service, the oldest first."""
    query = (
        Deployment.select(Deployment.release, Deployment.at)
        .where((Deployment.service == service) & (Deployment.environment == environment))
        .order_by(Deployment.at, Deployment.release)
    )
    return [(release, at) for release, at in query.tuples()]


def since(
    places: Collection[tuple[str, str]] | None, moment: float
) -> dict[tuple[str, str], list[tuple[str, float, str]]]:
    """Per (service, environment), of some or of all, (release, moment, who said so) since then, oldest first."""
    found: dict[tuple[str, str], list[tuple[str, float, str]]] = {}
    for one in Deployment.select().where(Deployment.at >= moment).order_by(Deployment.at, Deployment.release):
        if places is None or (one.service, one.environment) in places:
            found.setdefault((one.service, one.environment), []).append((one.release, one.at, one.created_by))
    return found


def environments(service: str) -> list[str]:
    """The environments in which processes of a service were heard."""
    query = Session.select(Session.environment).where(Session.service == service).distinct()
    return sorted(environment for (environment,) in query.tuples())
