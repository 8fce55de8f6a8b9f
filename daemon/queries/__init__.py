"""Read-only queries into small frozen values, whose JSON is the documented shape."""

from tocsin.daemon.queries.corrections import CorrectionFacts, correction_titles, corrections
from tocsin.daemon.queries.details import ErrorDetail, details, error
from tocsin.daemon.queries.errors import ErrorFacts, errors, recent_hours
from tocsin.daemon.queries.metrics import MetricsFacts, metrics, top_corrected
from tocsin.daemon.queries.moment import Moment, moment, to_builtins, to_json
from tocsin.daemon.queries.status import StatusFacts, status
from tocsin.daemon.queries.tickets import (
    ClientFacts,
    HistoryFacts,
    MailFacts,
    TicketDetail,
    TicketFacts,
    WatchFacts,
    clients,
    history,
    mails,
    ticket,
    ticket_details,
    ticket_titles,
    tickets,
    watches,
)

__all__ = [
    "ClientFacts",
    "CorrectionFacts",
    "ErrorDetail",
    "ErrorFacts",
    "HistoryFacts",
    "MailFacts",
    "MetricsFacts",
    "Moment",
    "StatusFacts",
    "TicketDetail",
    "TicketFacts",
    "WatchFacts",
    "clients",
    "correction_titles",
    "corrections",
    "details",
    "error",
    "errors",
    "history",
    "mails",
    "metrics",
    "moment",
    "recent_hours",
    "status",
    "ticket",
    "ticket_details",
    "ticket_titles",
    "tickets",
    "to_builtins",
    "to_json",
    "top_corrected",
    "watches",
]
