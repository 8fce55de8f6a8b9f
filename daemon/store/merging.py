"""Queries that make one error's rows another's. Called inside the caller's transaction."""

from __future__ import annotations

from peewee import fn

from tocsin.daemon.store import errors, sources
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import (
    Claim,
    Correction,
    ErrorHistory,
    ErrorLog,
    HourCount,
    Sample,
    Signature,
    Ticket,
    WithdrawnCorrection,
)
from tocsin.daemon.store.run_models import CountedRuns, ErrorFunction, RunCount
from tocsin.daemon.store.try_models import AgentRequest, Try


def move_rows(store: Store, error_id: int, into_id: int) -> None:
    """Signatures, samples, corrections, agents' tries, its history, who logged it; hourly counts, which add up."""
    for table in (Signature, Sample, Correction, WithdrawnCorrection, ErrorHistory, Try):
        table.update({table.error: into_id}).where(table.error == error_id).execute()
    for held in (Claim, AgentRequest):
        held.delete().where(held.error == error_id).execute()
    sources.move(store, error_id, into_id)
    ErrorLog.update(merged_into=into_id).where(ErrorLog.merged_into == error_id).execute()
    own = HourCount.error == error_id
    counts = HourCount.select(HourCount.client_id, HourCount.hour, HourCount.count).where(own)
    errors.add_counts(store, [(into_id, client, hour, count) for client, hour, count in counts.tuples()])
    HourCount.delete().where(own).execute()
    # What ran for the one says nothing of the other's function.
    for table in (RunCount, CountedRuns, ErrorFunction):
        table.delete().where(table.error == error_id).execute()


def move_ticket(ticket: Ticket, into: ErrorLog) -> None:
    """The ticket is for this error now."""
    ticket.error, ticket.error_signature = into, into.signature
    ticket.save(only=[Ticket.error, Ticket.error_signature])


def add_sums(error: ErrorLog, into: ErrorLog, recent: list[tuple[float, str]]) -> None:
    """Adds up what both have counted; `recent` are the occurrences that count towards the next ticket."""
    into.occurrences += error.occurrences
    into.first_seen = min(into.first_seen, error.first_seen)
    if error.last_seen > into.last_seen:
        into.last_seen, into.message, into.release = error.last_seen, error.message, error.release
    into.recent = recent
    into.assignee, into.link = into.assignee or error.assignee, into.link or error.link
    into.samples = Sample.select(fn.COUNT(Sample.id)).where(Sample.error == into.id).scalar()
    into.save()


def mark_merged(error: ErrorLog, into: ErrorLog) -> None:
    """The error lives on in the other one and has nothing of its own."""
    error.merged_into, error.occurrences, error.samples, error.recent = into, 0, 0, []
    error.save()
