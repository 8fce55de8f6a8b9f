"""Every table, each after those that it refers to."""

from __future__ import annotations

from tocsin.daemon.store.attempts import SignInAttempt
from tocsin.daemon.store.deployments import Deployment
from tocsin.daemon.store.hour_models import AliveHour
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
    Run,
    Sample,
    Session,
    Signature,
    Ticket,
    User,
    Watch,
    WithdrawnCorrection,
)
from tocsin.daemon.store.reminder_models import Reminder
from tocsin.daemon.store.run_models import CountedRuns, ErrorFunction, RunCount
from tocsin.daemon.store.source_models import ErrorSource, UnheardInterval
from tocsin.daemon.store.split_models import Split
from tocsin.daemon.store.tokens import Token
from tocsin.daemon.store.try_models import AgentRequest, Try

MODELS = (KeyValue, ErrorLog, Ticket, History, Correction, Signature, Split, HourCount, Sample, Session,
          ErrorFunction, CountedRuns, RunCount, ErrorSource, UnheardInterval, AliveInterval, AliveHour, Run, Loss,
          Quarantined, Watch, Reminder, Client, Mail, User, OneTimeLink, BrowserSession, ErrorHistory, Message,
          WithdrawnCorrection, Claim, Token, Deployment, SignInAttempt, Try, AgentRequest)  # fmt: skip
