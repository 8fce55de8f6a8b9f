"""What the commands ask and do through a console's API, where TOCSIN_URL names one: the same answers.

Who did it is the token's name there, whatever `--by` says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from gettext import NullTranslations
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import Request, urlopen

import msgspec

from tocsin.daemon import queries
from tocsin.daemon.cli.source import Deployed
from tocsin.daemon.cli.wording import told
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.corrections.recording import NewCorrection, Recorded, check
from tocsin.daemon.corrections.tries import NoTry, TryEnd, TryLost
from tocsin.daemon.failure import Failed, Meanwhile, WrongUse
from tocsin.daemon.queries.moment import Moment, iso, moment
from tocsin.daemon.queries.selection import EVERYTHING, Selection
from tocsin.daemon.reason import Reason

T = TypeVar("T")
TIMEOUT = 60.0
PAGE = 1000
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')


class RemoteError(Failed):
    """The console refused, or cannot be reached; the text is its own, or names the address."""


class Conflict(RemoteError, Meanwhile):
    """Somebody else has done something meanwhile."""


class NotFound(RemoteError):
    """It is not there, or not this token's to see."""


def remote(environ: Mapping[str, str]) -> Remote:
    """The console that TOCSIN_URL names. Raises WrongUse."""
    url = environ["TOCSIN_URL"].strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUse(
            told("TOCSIN_URL = %(url)r: write the console's address, https://tocsin.example.org", url=url)
        )
    token = environ.get("TOCSIN_TOKEN", "").strip()
    if not token:
        raise WrongUse(
            told("TOCSIN_URL is set and TOCSIN_TOKEN is not: make one there with tocsin tokens add")
        )
    return Remote(url, token)


class Remote:
    """A console, spoken to with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token

    def errors(self, open_only: bool, selection: Selection) -> list[queries.ErrorFacts]:
        return self._listing("errors", queries.ErrorFacts, selection, open="true" if open_only else None)

    def error_count(self, open_only: bool, selection: Selection) -> int:
        return len(self.errors(open_only, msgspec.structs.replace(selection, limit=None)))

    def error(self, error_id: int) -> queries.ErrorDetail | None:
        return self._one(f"errors/{error_id}", queries.ErrorDetail)

    def tickets(self, open_only: bool, selection: Selection) -> list[queries.TicketFacts]:
        return self._listing("tickets", queries.TicketFacts, selection, open="true" if open_only else None)

    def ticket_count(self, open_only: bool, selection: Selection) -> int:
        return len(self.tickets(open_only, msgspec.structs.replace(selection, limit=None)))

    def ticket(self, ticket_id: int) -> queries.TicketDetail | None:
        return self._one(f"tickets/{ticket_id}", queries.TicketDetail)

    def corrections(self, error_id: int | None, selection: Selection) -> list[queries.CorrectionFacts]:
        return self._listing("corrections", queries.CorrectionFacts, selection, error_id=error_id)

    def correction_count(self, error_id: int | None, selection: Selection) -> int:
        return len(self.corrections(error_id, msgspec.structs.replace(selection, limit=None)))

    def metrics(self) -> queries.MetricsFacts:
        return self._call("GET", "metrics", queries.MetricsFacts)

    def status(self) -> queries.StatusFacts:
        return self._call("GET", "status", queries.StatusFacts)

    def problems(self, found: queries.StatusFacts, words: NullTranslations) -> list[str]:
        return found.problems

    def services(self) -> list[str]:
        known = {one.service for one in self.errors(False, EVERYTHING)}
        return sorted(known | {one.service for one in self.status().sessions})

    def client_ids(self) -> list[str]:
        known = {one.client_id for one in self.tickets(False, EVERYTHING) if one.client_id}
        return sorted(known | {one.id for one in self._call("GET", "clients", list[queries.ClientFacts])})

    def chosen(self, error_ids: Sequence[int]) -> list[queries.ErrorDetail]:
        if not error_ids:
            error_ids = [one.id for one in sorted(self.errors(True, EVERYTHING), key=report.urgency)]
        found = []
        for error_id in dict.fromkeys(error_ids):
            error = self.error(error_id)
            if error is None:
                raise report.HandoffError(f"there is no error {error_id}; `tocsin errors` lists them")
            found.append(msgspec.structs.replace(error, samples=error.samples[: report.SAMPLES]))
        return found

    def error_name(self, error_id: int) -> str:
        found = self._one(f"errors/{error_id}", queries.ErrorDetail)
        return f"{found.service}: {found.title}" if found else ""

    def ticket_name(self, ticket_id: int) -> str:
        found = self.ticket(ticket_id)
        return ": ".join(filter(None, (found.service, found.subject))) if found else ""

    def resolve(self, error_id: int, by: str) -> list[int]:
        known = self.error(error_id)
        self._post(f"errors/{error_id}/resolve", {})
        return [one.id for one in known.tickets if one.status != "closed"] if known else []

    def mute(self, error_id: int, by: str, *, seconds: float | None, rate: int | None) -> None:
        how = {"until_rate": f"{rate}/h"} if seconds is None else {"for": f"{seconds:.0f}s"}
        self._post(f"errors/{error_id}/mute", how)

    def unmute(self, error_id: int, by: str) -> None:
        self._post(f"errors/{error_id}/unmute", {})

    def open_ticket(self, subject: str, message: str, by: str, **given: Any) -> int:
        body = {"subject": subject, "message": message}
        body |= {name: value for name, value in given.items() if value is not None}
        return self._call("POST", "tickets", queries.TicketDetail, body).id

    def open_for_client(
        self, client_id: str, subject: str, message: str, by: str, priority: str | None
    ) -> int:
        raise WrongUse(told("--from-client is for the server itself, or for a token of that client"))

    def close(self, ticket_id: int, by: str, note: str) -> None:
        self._post(f"tickets/{ticket_id}/close", {"note": note})

    def reopen(self, ticket_id: int, by: str, note: str) -> None:
        self._post(f"tickets/{ticket_id}/reopen", {"note": note})

    def change_ticket(self, ticket_id: int, by: str, columns: dict[str, str], status: str | None) -> None:
        body = columns if status is None else {**columns, "status": status}
        self._call("PATCH", f"tickets/{ticket_id}", Any, body)

    def note_ticket(self, ticket_id: int, text: str, by: str) -> None:
        self._post(f"tickets/{ticket_id}/notes", {"text": text})

    def write_message(self, ticket_id: int, text: str, by: str, sender: str) -> None:
        if sender != "team":
            raise WrongUse(told("--from-client is for the server itself, or for a token of that client"))
        self._post(f"tickets/{ticket_id}/messages", {"text": text})

    def assign_ticket(self, ticket_id: int, name: str, by: str) -> None:
        self._call("PATCH", f"tickets/{ticket_id}", Any, {"assignee": name})

    def record(
        self, changes: Sequence[NewCorrection], project: Path, applied_at: float | None
    ) -> list[Recorded]:
        checked = [check(change, project) for change in changes]
        known = {one.id for one in self.corrections(None, EVERYTHING)}
        since = f"?{urlencode({'applied_at': moment(applied_at).iso})}" if applied_at is not None else ""
        body = msgspec.to_builtins(checked)
        found = self._call("POST", f"corrections{since}", list[queries.CorrectionFacts], body)
        return [Recorded(one.id, one.error_id, one.id not in known) for one in found]

    def recorded(self, numbers: Collection[int]) -> list[queries.CorrectionFacts]:
        return [one for one in self.corrections(None, EVERYTHING) if one.id in numbers]

    def withdraw(self, correction_id: int, by: str) -> int:
        return self._call("DELETE", f"corrections/{correction_id}", queries.CorrectionFacts).error_id

    def deployed(
        self, service: str, release: str, by: str, environment: str | None, at: float | None
    ) -> list[Deployed]:
        body = {"service": service, "release": release, "environment": environment}
        when = {} if at is None else {"at": moment(at).iso}
        return self._call("POST", "deployments", list[Deployed], {**body, **when})

    def tries(self, error_id: int | None, selection: Selection = EVERYTHING) -> list[queries.TryFacts]:
        return self._listing("tries", queries.TryFacts, selection, error_id=error_id)

    def requests(self) -> list[queries.RequestFacts]:
        return self._call("GET", "requests", list[queries.RequestFacts])

    def begin_try(self, error_id: int, agent: str, runner: str, by: str, again: bool) -> int:
        body = {"error_id": error_id, "agent": agent, "runner": runner, "again": again}
        return self._call("POST", "tries", queries.TryFacts, body).id

    def renew_try(self, try_id: int, runner: str, step: str) -> None:
        try:
            self._call("PATCH", f"tries/{try_id}", queries.TryFacts, {"runner": runner, "step": step})
        except NotFound as error:
            raise NoTry(str(error)) from None
        except Conflict as error:
            raise TryLost(str(error)) from None

    def end_try(self, try_id: int, runner: str, end: TryEnd) -> queries.TryFacts:
        body = {"runner": runner, **msgspec.to_builtins(end)}
        return self._call("POST", f"tries/{try_id}/end", queries.TryFacts, body)

    def leave(self) -> None:
        """Nothing is kept open between two questions."""

    def judge(
        self, error_id: int, correction_ids: Collection[int], status: str, results: dict[str, Any], by: str
    ) -> None:
        body = {
            "error_id": error_id,
            "correction_ids": list(correction_ids),
            "status": status,
            "results": results,
        }
        self._post("validations", body)

    def _listing(self, path: str, row: type[T], selection: Selection, **more: Any) -> list[T]:
        """All pages of a listing, or as many as its limit needs."""
        since = moment(selection.since).iso if selection.since is not None else None
        limit = PAGE if selection.limit is None else min(PAGE, selection.limit)
        given = {
            "service": selection.service, "client": selection.client, "since": since, "limit": limit, **more,
        }  # fmt: skip
        query = urlencode({name: value for name, value in given.items() if value is not None})
        address: str | None = f"{path}?{query}"
        found: list[T] = []
        while address and (selection.limit is None or len(found) < selection.limit):
            data, following = self._answer("GET", address)
            found += _decoded(data, list[row])  # type: ignore[valid-type]
            address = following
        return found[: selection.limit]

    def _one(self, path: str, kind: type[T]) -> T | None:
        try:
            return self._call("GET", path, kind)
        except NotFound:
            return None

    def _post(self, path: str, body: Any) -> None:
        self._answer("POST", path, body)

    def _call(self, method: str, path: str, kind: type[T] | Any, body: Any = None) -> Any:
        return _decoded(self._answer(method, path, body)[0], kind)

    def _answer(self, method: str, path: str, body: Any = None) -> tuple[bytes, str | None]:
        """What is answered, and the address of the next page. Raises RemoteError."""
        address = urljoin(f"{self.url}/api/v1/", path)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None if body is None else msgspec.json.encode(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = Request(address, data, headers, method=method)  # noqa: S310  (http or https: see `remote`)
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                following = _NEXT.search(answer.headers.get("Link") or "")
                return (
                    answer.read(),
                    f"{path.partition('?')[0]}?{urlsplit(following[1]).query}" if following else None,
                )
        except HTTPError as error:
            raise self._refusal(error) from None
        except (URLError, HTTPException, OSError) as error:
            raise RemoteError(f"TOCSIN_URL = {self.url}: {getattr(error, 'reason', error)}") from None

    def _refusal(self, error: HTTPError) -> RemoteError:
        try:
            problem = msgspec.json.decode(error.read(), type=dict[str, Any])
        except (msgspec.DecodeError, OSError):
            problem = {}
        said = str(problem.get("detail") or problem.get("title") or error.reason)
        if error.code == 404:
            return NotFound(said)
        if error.code == 409:
            return Conflict(said)
        return RemoteError(said if "detail" in problem else f"{self.url} refuses ({error.code}): {said}")


def _decoded(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=_value)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteError(f"the console's answer is of another version of Tocsin: {error}") from None


def _value(kind: type, given: Any) -> Any:
    if kind is Moment and (at := iso(str(given))) is not None:
        return Moment(at)
    if kind is Reason:
        return Reason(str(given))
    raise ValueError(f"{given!r} is no {kind.__name__}")
