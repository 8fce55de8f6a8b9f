"""One error with everything known of it: several are read with as many queries as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field
from peewee import fn

from tocsin.daemon.queries.claims import ClaimFacts, claims
from tocsin.daemon.queries.corrections import CorrectionFacts, corrections
from tocsin.daemon.queries.deployments import DeploymentFacts, deployments_since
from tocsin.daemon.queries.errors import ErrorFacts, errors
from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, pairs, tuples
from tocsin.daemon.queries.samples import EventFacts, event_facts
from tocsin.daemon.queries.tickets import HistoryFacts, TicketFacts, history, tickets
from tocsin.daemon.queries.tries import TryFacts, handed_over, tries
from tocsin.daemon.store import sources
from tocsin.daemon.store.bodies import decode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorHistory, ErrorLog, HourCount, Sample, Session
from tocsin.daemon.ticket_wording import described


class ReleaseFacts(Struct, frozen=True):
    """A release that an error was seen in, from its first to its last occurrence there."""

    release: str
    first_seen: Moment
    last_seen: Moment


class HourFacts(Struct, frozen=True):
    """Occurrences in the hour that begins at `at`."""

    at: Moment
    count: int


class ClientCount(Struct, frozen=True):
    """How often a client met the error. `name` is empty for one that is not declared."""

    id: str
    name: str
    count: int


class SampleFacts(Struct, frozen=True):
    """One stored event and the process it came from. `event` is None when its bytes cannot be read."""

    id: int
    occurred_at: Moment
    client_id: str
    session_id: str
    position: int
    release: str | None
    host: str | None
    pid: int | None
    python: str | None
    event: EventFacts | None


class Happening(Struct, frozen=True):
    """One line of the timeline. `kind`: first_seen, deployed, correction, resolved, or a history row's action."""

    at: Moment
    kind: str
    text: str
    by: str
    ticket_id: int | None = None
    correction_id: int | None = None
    details: dict[str, Any] = {}
    """A history row's facts: `ticket_wording.history` says them in any language, `text` in English."""


class NoteFacts(Struct, frozen=True):
    """A note for the team."""

    id: int
    text: str
    created_by: str
    created_at: Moment


class ErrorDetail(ErrorFacts, frozen=True, kw_only=True):
    """Everything known of one error."""

    components: Any
    samples: list[SampleFacts]
    """Newest first."""
    samples_kept: int
    """In the database; `samples` may hold fewer."""
    hours: list[HourFacts]
    clients: list[ClientCount]
    sessions: list[str]
    releases: list[str]
    hosts: list[str]
    tickets: list[TicketFacts]
    corrections_recorded: list[CorrectionFacts]
    """Those that stand."""
    timeline: list[Happening]
    corrections_withdrawn: list[CorrectionFacts]
    notes: list[NoteFacts]
    """The team's, oldest first."""
    seen_in: list[ReleaseFacts]
    """The releases that it was seen in, the first one first."""
    deployments: list[DeploymentFacts]
    """Of its service, since it was first seen, the oldest first."""
    claim: ClaimFacts | None = None
    """Who is correcting it now."""
    tries: list[TryFacts] = field(default_factory=list)
    """Coding agents', the newest first."""
    waits_for_agent: bool = False
    """It was handed to a coding agent, and its tries are not over."""


def error(store: Store, error_id: int) -> ErrorDetail | None:
    """Everything about one error, None when there is none with this number."""
    return details(store, [error_id]).get(error_id)


def details(store: Store, error_ids: Iterable[int], *, samples: int | None = None) -> dict[int, ErrorDetail]:
    """Everything about some errors, by number; of each at most its newest `samples`."""
    wanted = list(error_ids)
    with store.reading():
        plain = errors(store, error_ids=wanted, merged=True)
        components = pairs(ErrorLog.select(ErrorLog.id, ErrorLog.components).where(ErrorLog.id.in_(wanted)))
        kept, known = _kept(wanted)
        read = _samples([row for rows in kept.values() for row in rows[:samples]], known)
        hours, clients = _hours(wanted), _clients(wanted)
        own_tickets = _by_error(tickets(store, error_ids=wanted))
        changes = _by_error(corrections(store, error_ids=wanted, withdrawn=True))
        seen_in, deployed = _seen_in(wanted), deployments_since(plain)
        said, claimed = _said(wanted), _by_error(claims(store, error_ids=wanted))
        tried, handed = _by_error(tries(store, error_ids=wanted)), handed_over(store, wanted)
        happened: dict[int, list[HistoryFacts]] = defaultdict(list)
        for row in history(store, [one.id for group in own_tickets.values() for one in group]):
            happened[row.ticket_id].append(row)
    return {
        one.id: ErrorDetail(
            **{name: getattr(one, name) for name in ErrorFacts.__struct_fields__},
            components=components[one.id],
            samples=[read[row["id"]] for row in kept[one.id][:samples]],
            samples_kept=len(kept[one.id]),
            hours=hours[one.id],
            clients=clients[one.id],
            sessions=_distinct(row["session_id"] for row in kept[one.id]),
            releases=_distinct(
                [
                    *(release.release for release in seen_in[one.id]),
                    *(known.get(row["session_id"], {}).get("release") for row in kept[one.id]),
                ]
            ),
            hosts=_distinct(known.get(row["session_id"], {}).get("host") for row in kept[one.id]),
            tickets=own_tickets[one.id],
            corrections_recorded=[change for change in changes[one.id] if change.withdrawn_at is None],
            corrections_withdrawn=[change for change in changes[one.id] if change.withdrawn_at is not None],
            notes=[
                NoteFacts(row["id"], row["description"], row["created_by"], moment(row["created_at"]))
                for row in said[one.id]
                if row["action"] == "note"
            ],
            claim=next(iter(claimed[one.id]), None),
            tries=tried[one.id],
            waits_for_agent=one.id in handed,
            seen_in=seen_in[one.id],
            deployments=deployed[one.id],
            timeline=_timeline(
                one, own_tickets[one.id], changes[one.id], happened, said[one.id], deployed[one.id]
            ),
        )
        for one in plain
    }


def _kept(error_ids: list[int]) -> tuple[dict[int, list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """The samples of each error without their bodies, newest first, and the sessions they came from."""
    query = Sample.select(
        Sample.id, Sample.error, Sample.session_id, Sample.position, Sample.occurred_at, Sample.client_id
    ).where(Sample.error.in_(error_ids))
    kept: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in dicts(query.order_by(Sample.occurred_at.desc(), Sample.id.desc())):
        kept[row["error"]].append(row)
    ids = {row["session_id"] for rows in kept.values() for row in rows}
    return kept, {row["id"]: row for row in dicts(Session.select().where(Session.id.in_(ids)))}


def _samples(rows: list[dict[str, Any]], sessions: dict[str, dict[str, Any]]) -> dict[int, SampleFacts]:
    ids = [row["id"] for row in rows]
    bodies = pairs(Sample.select(Sample.id, Sample.body).where(Sample.id.in_(ids)))
    found = {}
    for row in rows:
        body = decode_body(bodies[row["id"]])
        session = sessions.get(row["session_id"], {})
        found[row["id"]] = SampleFacts(
            id=row["id"],
            occurred_at=moment(row["occurred_at"]),
            client_id=row["client_id"],
            session_id=row["session_id"],
            position=row["position"],
            release=session.get("release"),
            host=session.get("host"),
            pid=session.get("pid"),
            python=session.get("python"),
            event=event_facts(body) if body else None,
        )
    return found


def _hours(error_ids: list[int]) -> dict[int, list[HourFacts]]:
    query = HourCount.select(HourCount.error, HourCount.hour, fn.SUM(HourCount.count))
    query = query.where(HourCount.error.in_(error_ids)).group_by(HourCount.error, HourCount.hour)
    found: dict[int, list[HourFacts]] = defaultdict(list)
    for error_id, hour, count in tuples(query.order_by(HourCount.hour)):
        found[error_id].append(HourFacts(Moment(hour * 3600), int(count)))
    return found


def _seen_in(error_ids: list[int]) -> dict[int, list[ReleaseFacts]]:
    found: dict[int, list[ReleaseFacts]] = defaultdict(list)
    for error_id in error_ids:
        for release, first, last in sources.releases(error_id):
            found[error_id].append(ReleaseFacts(release, moment(first), moment(last)))
    return found


def _clients(error_ids: list[int]) -> dict[int, list[ClientCount]]:
    total = fn.SUM(HourCount.count)
    query = HourCount.select(HourCount.error, HourCount.client_id, total)
    query = query.where(HourCount.error.in_(error_ids), HourCount.client_id != "")
    query = query.group_by(HourCount.error, HourCount.client_id)
    counts = tuples(query.order_by(total.desc(), HourCount.client_id))
    ids = {client for _, client, _ in counts}
    names = pairs(Client.select(Client.id, Client.name).where(Client.id.in_(ids)))
    found: dict[int, list[ClientCount]] = defaultdict(list)
    for error_id, client, count in counts:
        found[error_id].append(ClientCount(client, names.get(client, ""), int(count)))
    return found


def _timeline(
    plain: ErrorFacts,
    own_tickets: list[TicketFacts],
    changes: list[CorrectionFacts],
    happened: dict[int, list[HistoryFacts]],
    said: list[dict[str, Any]],
    deployed: list[DeploymentFacts],
) -> list[Happening]:
    found = [Happening(plain.first_seen, "first_seen", plain.message, "system")]
    found += [Happening(one.at, "deployed", one.release, one.created_by) for one in deployed]
    for change in changes:
        text = change.description or change.file_path
        found.append(
            Happening(change.applied_at, "correction", text, change.applied_by, correction_id=change.id)
        )
        if change.withdrawn_at is not None:
            by = str(change.withdrawn_by)
            facts = {"correction": change.id, "file": change.file_path}
            text = described("correction_withdrawn", facts)
            found.append(
                Happening(
                    change.withdrawn_at, "correction_withdrawn", text, by,
                    correction_id=change.id, details=facts,
                )
            )  # fmt: skip
    for own in said:
        at = moment(own["created_at"])
        found.append(
            Happening(at, own["action"], own["description"], own["created_by"], details=own["details"] or {})
        )
    for row in (row for one in own_tickets for row in happened[one.id]):
        if row.action not in (
            "correction_logged",
            "correction_withdrawn",
        ):  # the corrections stand there already
            found.append(
                Happening(
                    row.created_at,
                    row.action,
                    row.description,
                    row.created_by,
                    ticket_id=row.ticket_id,
                    details=row.details,
                )
            )
    if plain.resolved_at is not None:
        found.append(Happening(plain.resolved_at, "resolved", "", "system"))
    return sorted(found, key=lambda one: one.at)


def _said(error_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """The rows of the errors' own histories, oldest first."""
    query = ErrorHistory.select().where(ErrorHistory.error.in_(error_ids)).order_by(ErrorHistory.id)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in dicts(query):
        found[row["error"]].append(row)
    return found


def _by_error(values: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for value in values:
        found[value.error_id].append(value)
    return found


def _distinct(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
