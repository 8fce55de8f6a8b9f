"""What the commands ask and do, in a database of this machine; `remote` does the same through a console."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from gettext import NullTranslations
from pathlib import Path
from typing import Any

from msgspec import Struct

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.corrections import tries as agent_tries
from tocsin.daemon.corrections import withdrawal
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import NewCorrection, Recorded, judged, record
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.queries.status import problems
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.conversation import Conversation, Sender
from tocsin.daemon.tickets.deployments import deployed
from tocsin.daemon.tickets.manual import Manual


class Deployed(Struct, frozen=True):
    """Where a release is out; `new`: it was not known to be."""

    service: str
    environment: str
    release: str
    new: bool


class Local:
    """The database, under its daemon's configuration."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._manual = Manual(store, config)
        self._conversation = Conversation(store, config)

    def errors(self, open_only: bool, selection: Selection) -> list[queries.ErrorFacts]:
        return queries.errors(self._store, open_only=open_only, selection=selection)

    def error_count(self, open_only: bool, selection: Selection) -> int:
        return queries.error_count(self._store, open_only=open_only, selection=selection)

    def error(self, error_id: int) -> queries.ErrorDetail | None:
        return queries.error(self._store, error_id)

    def tickets(self, open_only: bool, selection: Selection) -> list[queries.TicketFacts]:
        return queries.tickets(self._store, open_only=open_only, selection=selection)

    def ticket_count(self, open_only: bool, selection: Selection) -> int:
        return queries.ticket_count(self._store, open_only=open_only, selection=selection)

    def ticket(self, ticket_id: int) -> queries.TicketDetail | None:
        return queries.ticket(self._store, ticket_id, self._config, clock.now())

    def corrections(self, error_id: int | None, selection: Selection) -> list[queries.CorrectionFacts]:
        return queries.corrections(self._store, error_id, selection=selection, withdrawn=True)

    def correction_count(self, error_id: int | None, selection: Selection) -> int:
        return queries.correction_count(self._store, error_id, selection)

    def metrics(self) -> queries.MetricsFacts:
        return queries.metrics(self._store)

    def status(self) -> queries.StatusFacts:
        return queries.status(self._store, self._config, clock.now())

    def problems(self, found: queries.StatusFacts, words: NullTranslations) -> list[str]:
        """What is not well, in the reader's language."""
        return problems(found, self._config, clock.now(), words)

    def services(self) -> list[str]:
        return queries.services(self._store)

    def client_ids(self) -> list[str]:
        return queries.client_ids(self._store)

    def chosen(self, error_ids: Sequence[int]) -> list[queries.ErrorDetail]:
        """What is handed to a coding agent: these errors, or all that are open. Raises HandoffError."""
        return report.chosen(self._store, error_ids)

    def error_name(self, error_id: int) -> str:
        """`shop: KeyError: 'sku'`, '' for an error that is not there."""
        found = queries.errors(self._store, error_ids=[error_id], merged=True)
        return f"{found[0].service}: {found[0].title}" if found else ""

    def ticket_name(self, ticket_id: int) -> str:
        """Its subject, behind the service of its error; '' for a ticket that is not there."""
        found = queries.tickets(self._store, ticket_ids=[ticket_id])
        return ": ".join(filter(None, (found[0].service, found[0].subject))) if found else ""

    def resolve(self, error_id: int, by: str) -> list[int]:
        """Returns the tickets that closed. Raises ManualError, as what follows does."""
        return self._manual.resolve(error_id, by, clock.now())

    def mute(self, error_id: int, by: str, *, seconds: float | None, rate: int | None) -> None:
        now = clock.now()
        until = None if seconds is None else now + seconds
        self._manual.mute(error_id, by, now, until=until, rate=rate)

    def unmute(self, error_id: int, by: str) -> None:
        self._manual.unmute(error_id, by, clock.now())

    def open_ticket(self, subject: str, message: str, by: str, **given: Any) -> int:
        return self._manual.open(subject, message, by, clock.now(), **given)

    def open_for_client(
        self, client_id: str, subject: str, message: str, by: str, priority: str | None
    ) -> int:
        now = clock.now()
        return self._conversation.open_for_client(client_id, subject, message, by, now, priority=priority)

    def close(self, ticket_id: int, by: str, note: str) -> None:
        self._manual.close(ticket_id, by, clock.now(), note)

    def reopen(self, ticket_id: int, by: str, note: str) -> None:
        self._manual.reopen(ticket_id, by, clock.now(), note)

    def change_ticket(self, ticket_id: int, by: str, columns: dict[str, str], status: str | None) -> None:
        with self._store.transaction():
            if columns:
                self._manual.change(ticket_id, by, clock.now(), **columns)
            if status is not None:
                self._manual.set_status(ticket_id, status, by, clock.now())

    def note_ticket(self, ticket_id: int, text: str, by: str) -> None:
        self._manual.note(ticket_id, text, by, clock.now())

    def write_message(self, ticket_id: int, text: str, by: str, sender: Sender) -> None:
        self._conversation.write(ticket_id, text, by, clock.now(), sender=sender)

    def assign_ticket(self, ticket_id: int, name: str, by: str) -> None:
        self._conversation.assign(ticket_id, name, by, clock.now())

    def record(
        self, changes: Sequence[NewCorrection], project: Path, applied_at: float | None
    ) -> list[Recorded]:
        """Raises CorrectionError."""
        now = clock.now()
        return record(self._store, self._config, changes, project=project, now=now, applied_at=applied_at)

    def recorded(self, numbers: Collection[int]) -> list[queries.CorrectionFacts]:
        return queries.corrections(self._store, correction_ids=numbers)

    def withdraw(self, correction_id: int, by: str) -> int:
        """Returns the error. Raises CorrectionError."""
        return withdrawal.withdraw(self._store, self._config, correction_id, by, clock.now())

    def deployed(
        self, service: str, release: str, by: str, environment: str | None, at: float | None
    ) -> list[Deployed]:
        """Raises DeploymentError."""
        found = deployed(self._store, service, release, by, clock.now(), environment=environment, at=at)
        return [Deployed(service, place, release, new) for place, new in found]

    def tries(
        self, error_id: int | None, selection: Selection = queries.EVERYTHING
    ) -> list[queries.TryFacts]:
        """What agents tried, the newest first; of one error, or of all."""
        wanted = None if error_id is None else [error_id]
        return queries.tries(self._store, error_ids=wanted, selection=selection)

    def requests(self) -> list[queries.RequestFacts]:
        """What was handed to agents, the oldest first."""
        return queries.requests(self._store, clock.now())

    def begin_try(self, error_id: int, agent: str, runner: str, by: str, again: bool) -> int:
        """Raises TryError, TriedEnough, BudgetSpent, ClaimError, ManualError."""
        now = clock.now()
        begun = agent_tries.begin(
            self._store, self._config, error_id, agent=agent, runner=runner, by=by, now=now, again=again
        )
        return int(begun.id)

    def renew_try(self, try_id: int, runner: str, step: str) -> None:
        """Raises TryLost, NoTry."""
        agent_tries.renew(self._store, try_id, runner, step, clock.now())

    def end_try(self, try_id: int, runner: str, end: agent_tries.TryEnd) -> queries.TryFacts:
        """Raises TryLost, NoTry, CorrectionError."""
        agent_tries.end(self._store, self._config, try_id, runner, end, clock.now())
        return queries.tries(self._store, try_ids=[try_id])[0]

    def leave(self) -> None:
        """This thread asks no more."""
        self._store.disconnect()

    def judge(
        self, error_id: int, correction_ids: Collection[int], status: str, results: dict[str, Any], by: str
    ) -> None:
        """Keeps what a validation found. Raises CorrectionError."""
        judged(self._store, self._config, error_id, correction_ids, status, results, now=clock.now(), by=by)
