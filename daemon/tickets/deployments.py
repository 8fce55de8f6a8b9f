"""A release is out: said by a person or a script, or by the first process of it."""

from __future__ import annotations

from tocsin.daemon.failure import Failed
from tocsin.daemon.store import deployments
from tocsin.daemon.store.database import Store
from tocsin.handler.capture.values import clean


class DeploymentError(Failed):
    """What was said of a release cannot be; the text says why."""


def deployed(
    store: Store,
    service: str,
    release: str,
    by: str,
    now: float,
    *,
    environment: str | None = None,
    at: float | None = None,
) -> list[tuple[str, bool]]:
    """Notes that a release of a service is out since `at` (default: now).

    Returns (environment, whether it was new there): of the one given, else of all in which the service was heard.
    Raises DeploymentError.
    """
    service, release = clean(service).strip(), clean(release).strip()
    if not service or not release:
        raise DeploymentError("the service or the release is empty; write tocsin deployed SERVICE RELEASE")
    if len(release) > deployments.RELEASE:
        raise DeploymentError(
            "the release has %(count)s characters; at most %(limit)s are kept",
            count=len(release),
            limit=deployments.RELEASE,
        )
    if at is not None and at > now:
        raise DeploymentError("--at is in the future; write when the release was out")
    with store.transaction():
        places = [environment] if environment is not None else deployments.environments(service) or [""]
        return [(one, deployments.note(service, one, release, at or now, by)) for one in places]
