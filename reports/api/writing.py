"""The operations that change something: through the functions of the commands, each one transaction."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, structs

from tocsin.daemon import queries
from tocsin.daemon.corrections import claims, requests, tries
from tocsin.daemon.corrections.recording import NewCorrection, judged, record
from tocsin.daemon.corrections.withdrawal import withdraw as withdraw_correction
from tocsin.daemon.failure import Meanwhile
from tocsin.daemon.queries.moment import iso
from tocsin.daemon.queries.status import SessionFacts
from tocsin.daemon.settings import Duration
from tocsin.daemon.store import outbox
from tocsin.daemon.tickets import clients as known_clients
from tocsin.daemon.tickets import deployments, remarks
from tocsin.daemon.tickets import merge as merging
from tocsin.daemon.tickets.conversation import Conversation
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.mute import parse_rate
from tocsin.daemon.tickets.processes import write_off
from tocsin.reports.api import reading
from tocsin.reports.api.operation import Call, InvalidValue
from tocsin.reports.api.shapes import CorrectionBody, DeploymentFacts, ValidationFacts

TEN_YEARS = 3650 * 86400.0
MAIL_STATES = {
    "release": ("held",),
    "drop": ("held", "waiting", "failed"),
    "retry": ("failed", "waiting"),
}


def _manual(call: Call) -> Manual:
    return Manual(call.store, call.config)


def _conversation(call: Call) -> Conversation:
    return Conversation(call.store, call.config)


def _error(call: Call, error_id: int | None = None) -> queries.ErrorFacts:
    return queries.errors(call.store, error_ids=[error_id or call.error_id], merged=True)[0]


def resolve(call: Call) -> queries.ErrorFacts:
    _manual(call).resolve(call.error_id, call.by, call.now)
    return _error(call)


def mute(call: Call) -> queries.ErrorFacts:
    until, rate = _muted(call)
    _manual(call).mute(call.error_id, call.by, call.now, until=until, rate=rate)
    return _error(call)


def _muted(call: Call) -> tuple[float | None, int | None]:
    if (call.body.for_ is None) == (call.body.until_rate is None):
        raise InvalidValue("for", "give one of the two: for, such as 2d, or until_rate, such as 10/h")
    if call.body.until_rate is not None:
        try:
            return None, parse_rate(call.body.until_rate)
        except ValueError as error:
            raise InvalidValue("until_rate", f"until_rate {call.body.until_rate!r}: {error}") from None
    try:
        return call.now + min(Duration.parse(call.body.for_), TEN_YEARS), None
    except ValueError as error:
        raise InvalidValue("for", f"for {call.body.for_!r}: {error}") from None


def unmute(call: Call) -> queries.ErrorFacts:
    _manual(call).unmute(call.error_id, call.by, call.now)
    return _error(call)


def merge(call: Call) -> queries.ErrorFacts:
    merging.merge(call.store, call.config, call.error_id, call.body.into_id, call.by, call.now)
    return _error(call, call.body.into_id)


def describe(call: Call) -> queries.ErrorFacts:
    _manual(call).describe(call.error_id, call.body.text, call.by, call.now)
    return _error(call)


def assign_error(call: Call) -> queries.ErrorFacts:
    remarks.assign(call.store, call.error_id, call.body.assignee, call.by, call.now)
    return _error(call)


def note_error(call: Call) -> queries.ErrorDetail:
    remarks.note(call.store, call.error_id, call.body.text, call.by, call.now)
    return reading.error(call)


def link_error(call: Call) -> queries.ErrorFacts:
    remarks.link(call.store, call.error_id, call.body.url, call.by, call.now)
    return _error(call)


def open_ticket(call: Call) -> queries.TicketDetail:
    body = call.body
    if call.client_id is not None:
        for key in ("category", "client_id", "error_id"):
            if getattr(body, key) is not None:
                raise InvalidValue(key, f"{key} is not for a client's token to say")
        made = _conversation(call).open_for_client(
            call.client_id, body.subject, body.message or body.subject, call.by, call.now,
            priority=body.priority,
        )  # fmt: skip
    else:
        made = _manual(call).open(
            body.subject, body.message or body.subject, call.by, call.now, client_id=body.client_id,
            error_id=body.error_id, priority=body.priority, category=body.category,
        )  # fmt: skip
    return reading.ticket(call, made)


def change_ticket(call: Call) -> queries.TicketDetail:
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not UNSET}
    if not given:
        raise InvalidValue("status", "say what to change: status, priority, category, subject or assignee")
    columns = {name: value for name, value in given.items() if name not in ("status", "assignee")}
    with call.store.transaction():
        if columns:
            _manual(call).change(call.ticket_id, call.by, call.now, **columns)
        if "assignee" in given:
            _conversation(call).assign(call.ticket_id, given["assignee"], call.by, call.now)
        if "status" in given:
            _manual(call).set_status(call.ticket_id, given["status"], call.by, call.now)
    return reading.ticket(call)


def write_message(call: Call) -> queries.MessageFacts:
    sender: Any = "team" if call.client_id is None else "client"
    made = _conversation(call).write(call.ticket_id, call.body.text, call.by, call.now, sender=sender)
    return next(one for one in reading.ticket(call).messages if one.id == made)


def note_ticket(call: Call) -> queries.TicketDetail:
    _manual(call).note(call.ticket_id, call.body.text, call.by, call.now)
    return reading.ticket(call)


def close(call: Call) -> queries.TicketDetail:
    _manual(call).close(call.ticket_id, call.by, call.now, call.body.note)
    return reading.ticket(call)


def reopen(call: Call) -> queries.TicketDetail:
    _manual(call).reopen(call.ticket_id, call.by, call.now, call.body.note)
    return reading.ticket(call)


def record_corrections(call: Call) -> queries.CorrectionFacts | list[queries.CorrectionFacts]:
    given = call.body if isinstance(call.body, list) else [call.body]
    changes = [_change(body, call.by) for body in given]
    at = _past("applied_at", call.query.applied_at, call.now)
    kept = record(call.store, call.config, changes, project=None, now=call.now, applied_at=at)
    found = {one.id: one for one in _corrections(call, [one.id for one in kept])}
    answers = [found[one.id] for one in kept]
    return answers if isinstance(call.body, list) else answers[0]


def _past(key: str, text: str | None, now: float) -> float | None:
    """A moment that a caller gives, epoch seconds. Raises InvalidValue."""
    if text is None:
        return None
    found = iso(text)
    if found is None or not 0 <= found <= now:
        raise InvalidValue(key, f"{key}: write a moment that is past, such as 2026-01-31T14:05:00Z")
    return found


def _change(body: CorrectionBody, by: str) -> NewCorrection:
    given = structs.asdict(body)
    return NewCorrection(**{**given, "applied_by": body.applied_by.strip() or by})


def _corrections(call: Call, ids: list[int]) -> list[queries.CorrectionFacts]:
    return queries.corrections(call.store, correction_ids=ids, withdrawn=True)


def withdraw(call: Call) -> queries.CorrectionFacts:
    number = int(call.path["correction_id"])
    withdraw_correction(call.store, call.config, number, call.by, call.now)
    return _corrections(call, [number])[0]


def record_validation(call: Call) -> list[ValidationFacts]:
    """Keeps what was found elsewhere; nothing is run here."""
    body = call.body
    results = {**body.results, "status": body.status, "reported_by": call.by}
    judged(
        call.store, call.config, body.error_id, body.correction_ids, body.status, results,
        now=call.now, by=call.by,
    )  # fmt: skip
    return [reading.validated(row) for row in _corrections(call, body.correction_ids)]


def claim(call: Call) -> queries.ClaimFacts:
    claims.claim(call.store, call.body.error_id, call.by, call.now)
    return queries.claims(call.store, error_ids=[call.body.error_id])[0]


def give_back(call: Call) -> None:
    claims.give_back(call.store, call.error_id, call.by, call.now)


def hand_over(call: Call) -> queries.RequestFacts:
    requests.hand_over(call.store, [call.body.error_id], call.by, call.now)
    found = queries.requests(call.store, call.now)
    return next(one for one in found if one.error_id == call.body.error_id)


def take_back(call: Call) -> None:
    requests.take_back(call.store, call.error_id)


def begin_try(call: Call) -> queries.TryFacts:
    body = call.body
    begun = tries.begin(
        call.store, call.config, body.error_id, agent=body.agent, runner=body.runner, by=call.by, now=call.now,
        again=body.again,
    )  # fmt: skip
    return _try(call, begun.id)


def renew_try(call: Call) -> queries.TryFacts:
    number = int(call.path["try_id"])
    tries.renew(call.store, number, call.body.runner, call.body.step, call.now)
    return _try(call, number)


def end_try(call: Call) -> queries.TryFacts:
    body, number = call.body, int(call.path["try_id"])
    changes = [_change(one, call.by) for one in body.changes]
    end = tries.TryEnd(body.state, body.reasons, body.output, body.branch, body.revision, changes)
    tries.end(call.store, call.config, number, body.runner, end, call.now)
    return _try(call, number)


def _try(call: Call, number: int) -> queries.TryFacts:
    return queries.tries(call.store, try_ids=[number])[0]


def deploy(call: Call) -> list[DeploymentFacts]:
    body, at = call.body, _past("at", call.body.at, call.now)
    found = deployments.deployed(
        call.store, body.service, body.release, call.by, call.now, environment=body.environment, at=at
    )
    return [DeploymentFacts(body.service, place, body.release, new) for place, new in found]


def add_client(call: Call) -> queries.ClientFacts:
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not None}
    known_clients.add(call.store, [known_clients.client(given)])
    return next(one for one in queries.clients(call.store) if one.id == call.body.id.strip())


def write_off_session(call: Call) -> SessionFacts:
    session = write_off(call.store, str(call.path["session_id"]), call.now)
    return next(
        one for one in queries.status(call.store, call.config, call.now).sessions if one.id == session.id
    )


def release_mail(call: Call) -> queries.OutboxMail:
    return _change_mail(call, "release")


def drop_mail(call: Call) -> queries.OutboxMail:
    return _change_mail(call, "drop")


def retry_mail(call: Call) -> queries.OutboxMail:
    return _change_mail(call, "retry")


def _change_mail(call: Call, what: str) -> queries.OutboxMail:
    number = int(call.path["mail_id"])
    with call.store.transaction():
        if what == "release":
            changed = outbox.release([number], call.now)
        elif what == "drop":
            changed = outbox.drop([number])
        else:
            changed = outbox.retry([number], call.now)
    found = reading.mail(call)
    if not changed:
        raise Meanwhile(f"mail {number} is {found.state}, not {' or '.join(MAIL_STATES[what])}")
    return found
