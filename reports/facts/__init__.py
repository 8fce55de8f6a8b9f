"""Read-only queries into small frozen values, whose JSON is the documented shape."""

from tocsin.reports.facts.corrections import CorrectionFacts, corrections
from tocsin.reports.facts.errors import ErrorDetail, ErrorFacts, error, errors, recent_hours
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
    history,
    mails,
    ticket,
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
    "error",
    "errors",
    "history",
    "mails",
    "metrics",
    "moment",
    "recent_hours",
    "status",
    "ticket",
    "tickets",
    "to_builtins",
    "to_json",
    "watches",
]
