"""Read-only queries into small frozen values, whose JSON is the documented shape."""

from tocsin.reports.facts.corrections import CorrectionFacts, corrections
from tocsin.reports.facts.details import ErrorDetail, details, error
from tocsin.reports.facts.errors import ErrorFacts, errors, recent_hours
from tocsin.reports.facts.metrics import MetricsFacts, metrics
from tocsin.reports.facts.moment import Moment, moment, to_builtins, to_json
from tocsin.reports.facts.status import StatusFacts, status
from tocsin.reports.facts.tickets import (
    ClientFacts,
    HistoryFacts,
    MailFacts,
    TicketDetail,
    TicketFacts,
    WatchFacts,
    clients,
    count_tickets,
    history,
    mails,
    ticket,
    ticket_details,
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
    "corrections",
    "count_tickets",
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
    "tickets",
    "to_builtins",
    "to_json",
    "watches",
]
