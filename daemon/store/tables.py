"""Every table, each after those that it refers to."""

from __future__ import annotations

from tocsin.daemon.store.models import (
    AliveInterval,
    BrowserSession,
    Claim,
    Client,
    Correction,
    ErrorHistory,
    ErrorLog,
    History,
    HourCount,
    KeyValue,
    Loss,
    Mail,
    Message,
    OneTimeLink,
    Quarantined,
    Reminder,
    Run,
    Sample,
    Session,
    Signature,
    Split,
    Ticket,
    User,
    Watch,
    WithdrawnCorrection,
)
from tocsin.daemon.store.run_models import ErrorFunction, RunCount
from tocsin.daemon.store.tokens import Token

MODELS = (KeyValue, ErrorLog, Ticket, History, Correction, Signature, Split, HourCount, Sample, Session,
          ErrorFunction, RunCount, AliveInterval, Run, Loss, Quarantined, Watch, Reminder, Client, Mail, User,
          OneTimeLink, BrowserSession, ErrorHistory, Message, WithdrawnCorrection, Claim, Token)  # fmt: skip
