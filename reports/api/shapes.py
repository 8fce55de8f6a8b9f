"""What calls bring: the bodies and queries of the API, with their bounds; what they get are the queries' values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tocsin.daemon.corrections.try_reasons import Because
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.tickets.conversation import NAME_LIMIT, SUBJECT_LIMIT, TEXT_LIMIT
from tocsin.daemon.tickets.manual import DESCRIPTION_LIMIT
from tocsin.reports.api.operation import LARGEST_NUMBER

MOST = 1000
Number = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
Line = Annotated[str, Meta(min_length=1, max_length=SUBJECT_LIMIT)]
Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Priority = Literal["low", "medium", "high", "critical"]
Limit = Annotated[int, Meta(ge=1, le=MOST)]
Cursor = Annotated[
    str, Meta(max_length=200, description="Where the page before ended, from its Link header.")
]
Since = Annotated[
    str, Meta(max_length=40, description="How long ago (2h, 7d), or an ISO 8601 moment, UTC without a zone.")
]


class _Given(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Listing(_Given, frozen=True):
    """How much of a listing, and from where on."""

    limit: Limit = 100
    cursor: Cursor = ""


class Narrowed(Listing, frozen=True):
    """What a listing is narrowed to."""

    service: Name | None = None
    client: Name | None = None
    since: Since | None = None


class ErrorsQuery(Narrowed, frozen=True):
    """Which errors."""

    open: bool = False


class TicketsQuery(Narrowed, frozen=True):
    """Which tickets."""

    open: bool = False


class CorrectionsQuery(Narrowed, frozen=True):
    """Which corrections."""

    error_id: Number | None = None


class MailsQuery(Narrowed, frozen=True):
    """Which mails."""

    state: Literal["waiting", "held", "sent", "failed", "dropped", "digested"] | None = None


class SessionsQuery(_Given, frozen=True):
    """Which processes."""

    service: Name | None = None


class AutofixQuery(_Given, frozen=True):
    """Of which error; of all that are open without it."""

    error_id: Number | None = None


class Nothing(_Given, frozen=True):
    """Nothing need be said."""


class MuteBody(_Given, frozen=True, rename={"for_": "for"}):
    """For a time such as `2d`, or until it exceeds a rate such as `10/h`: one of the two."""

    for_: Annotated[str, Meta(max_length=20)] | None = None
    until_rate: Annotated[str, Meta(max_length=20)] | None = None


class MergeBody(_Given, frozen=True):
    """The error that this one becomes part of."""

    into_id: Number


class AssignBody(_Given, frozen=True):
    """Who sees to it; empty for nobody."""

    assignee: Name


class NoteBody(_Given, frozen=True):
    """A note for the team."""

    text: Text


class LinkBody(_Given, frozen=True):
    """The issue or pull request in which it is dealt with; empty for none."""

    url: Annotated[str, Meta(max_length=2000)]


class DescribeBody(_Given, frozen=True):
    """What clients read of it in its title's place; empty for nothing."""

    text: Annotated[str, Meta(max_length=DESCRIPTION_LIMIT)]


class TicketBody(_Given, frozen=True):
    """A ticket to be opened. One client's token says subject, message and priority only."""

    subject: Line
    message: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    priority: Priority | None = None
    category: Line | None = None
    client_id: Name | None = None
    error_id: Number | None = None


class TicketChange(_Given, frozen=True):
    """What is to change of a ticket."""

    status: Literal["open", "in_progress", "monitoring", "closed"] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    category: Line | UnsetType = UNSET
    subject: Line | UnsetType = UNSET
    assignee: Name | UnsetType = UNSET


class MessageBody(_Given, frozen=True):
    """What is written to the other side."""

    text: Text


class WhyBody(_Given, frozen=True):
    """Why; the client reads it."""

    note: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""


class CorrectionBody(_Given, frozen=True):
    """One change of code. `applied_by` is the token's name where it is not given."""

    error_id: Number
    file_path: Annotated[str, Meta(min_length=1, max_length=1000)]
    old_code: Annotated[str, Meta(max_length=400_000)]
    new_code: Annotated[str, Meta(max_length=400_000)]
    description: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    applied_by: Name = ""
    test_status: Literal["pending", "passed", "failed"] = "pending"
    test_results: dict[str, Any] | None = None


Corrections = CorrectionBody | Annotated[list[CorrectionBody], Meta(min_length=1, max_length=500)]


class RecordQuery(_Given, frozen=True):
    """Since when the new code runs; from now on without it."""

    applied_at: Annotated[str, Meta(max_length=40, description="ISO 8601, UTC without a zone.")] | None = None


class ValidationBody(_Given, frozen=True):
    """What a validation of an error's corrections found, run where the code is."""

    error_id: Number
    correction_ids: Annotated[list[Number], Meta(min_length=1, max_length=500)]
    status: Literal["pending", "passed", "failed"]
    results: dict[str, Any] = {}


class ClaimBody(_Given, frozen=True):
    """The error that the caller is going to correct."""

    error_id: Number


class RequestBody(_Given, frozen=True):
    """The error that is handed to an agent."""

    error_id: Number


class TriesQuery(Listing, frozen=True):
    """What agents tried."""

    error_id: Number | None = None


class TryBody(_Given, frozen=True):
    """An agent begins with an error. `runner` names the process that runs it; `again`: though its tries failed."""

    error_id: Number
    agent: Line
    runner: Line
    again: bool = False


class TryStep(_Given, frozen=True):
    """What the agent is at; it keeps the error for another lease."""

    runner: Line
    step: Annotated[str, Meta(min_length=1, max_length=200)]


class TryEndBody(_Given, frozen=True):
    """How a try ended. `changes` are recorded where it is corrected or unproved, and the tests' results with them."""

    runner: Line
    state: Literal["corrected", "unproved", "refused", "failed", "broken"]
    reasons: Annotated[list[Because], Meta(max_length=100)] = []
    output: Annotated[str, Meta(max_length=100_000)] = ""
    branch: Annotated[str, Meta(max_length=300)] = ""
    revision: Annotated[str, Meta(max_length=100)] = ""
    changes: Annotated[list[CorrectionBody], Meta(max_length=500)] = []


class DeploymentBody(_Given, frozen=True):
    """A release of a service that is out; in one environment, or in each in which the service was heard."""

    service: Line
    release: Line
    environment: Name | None = None
    at: (
        Annotated[str, Meta(max_length=40, description="ISO 8601, UTC without a zone; now without it.")]
        | None
    ) = None


class DeploymentFacts(Struct, frozen=True):
    """Where a release is out; `new`: it was not known to be."""

    service: str
    environment: str
    release: str
    new: bool


class ClientBody(_Given, frozen=True):
    """A client, or what is to be completed of one."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    name: Name | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    language: Literal["en", "fr"] | None = None
    timezone: Annotated[str, Meta(max_length=100)] | None = None


class ValidationFacts(Struct, frozen=True):
    """What the last validation of a correction found."""

    correction_id: int
    error_id: int
    status: str
    results: Any
    applied_by: str
    applied_at: Moment
