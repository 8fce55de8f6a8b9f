"""Read-only queries into small frozen values, whose JSON is the documented shape."""

from tocsin.daemon.queries.claims import ClaimFacts, claims
from tocsin.daemon.queries.corrections import (
    CorrectionFacts,
    correction_count,
    correction_titles,
    corrections,
)
from tocsin.daemon.queries.details import ErrorDetail, details, error
from tocsin.daemon.queries.errors import ErrorFacts, error_count, errors, recent_hours
from tocsin.daemon.queries.metrics import MetricsFacts, metrics, top_corrected
from tocsin.daemon.queries.moment import Moment, moment, to_builtins, to_json
from tocsin.daemon.queries.outbox import OutboxMail, outbox, outbox_count
from tocsin.daemon.queries.selection import EVERYTHING, Selection, client_ids, services
from tocsin.daemon.queries.status import StatusFacts, status
from tocsin.daemon.queries.tickets import (
    ClientFacts,
    HistoryFacts,
    MailFacts,
    MessageFacts,
    TicketDetail,
    TicketFacts,
    WatchFacts,
    clients,
    history,
    mails,
    messages,
    ticket,
    ticket_count,
    ticket_details,
    ticket_titles,
    tickets,
    watches,
)
from tocsin.daemon.queries.tries import RequestFacts, TryFacts, requests, tries

__all__ = [
    "EVERYTHING",
    "ClaimFacts",
    "ClientFacts",
    "CorrectionFacts",
    "ErrorDetail",
    "ErrorFacts",
    "HistoryFacts",
    "MailFacts",
    "MessageFacts",
    "MetricsFacts",
    "Moment",
    "OutboxMail",
    "RequestFacts",
    "Selection",
    "StatusFacts",
    "TicketDetail",
    "TicketFacts",
    "TryFacts",
    "WatchFacts",
    "claims",
    "client_ids",
    "clients",
    "correction_count",
    "correction_titles",
    "corrections",
    "details",
    "error",
    "error_count",
    "errors",
    "history",
    "mails",
    "messages",
    "metrics",
    "moment",
    "outbox",
    "outbox_count",
    "recent_hours",
    "requests",
    "services",
    "status",
    "ticket",
    "ticket_count",
    "ticket_details",
    "ticket_titles",
    "tickets",
    "to_builtins",
    "to_json",
    "top_corrected",
    "tries",
    "watches",
]
