"""Who may do what, decided here and nowhere else: by role, route and object; what no rule permits is denied."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What somebody is to the console."""

    NOBODY = "nobody"
    ADMIN = "admin"
    CLIENT = "client"
    TOKEN = "token"  # noqa: S105  (a role)


class Right(StrEnum):
    """What a route asks for. The last four are the scopes of tokens; an admin has them all."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed_in"
    """Whoever has signed in, but not by a mailed link to one ticket."""
    OWN = "own"
    """A client, of its own tickets."""
    READ = "read"
    CORRECT = "correct"
    ACT = "act"
    SEND = "send"


class Of(StrEnum):
    """What a route is about, for those who may see a client's things only."""

    EVERYTHING = "everything"
    """Nothing of it is one client's: refused to whoever is limited to one."""
    LISTING = "listing"
    """A list that the route narrows to `who.client_id`."""
    TICKET = "ticket"
    """The ticket that the path names by `ticket_id`."""


class Who(Struct, frozen=True):
    """Who asks. `name` goes into the history."""

    role: Role = Role.NOBODY
    name: str = ""
    client_id: str | None = None
    """The client that it is, or that a token is limited to."""
    ticket_id: int | None = None
    """The one ticket that a mailed link opened."""
    user_id: int | None = None
    scopes: frozenset[str] = frozenset()
    """Of a token."""
    language: str | None = None
    timezone: str | None = None


NOBODY = Who()


class Owned(Struct, frozen=True):
    """What a request is about: of which client, and which ticket."""

    client_id: str | None = None
    ticket_id: int | None = None


class Verdict(StrEnum):
    """ALLOWED; UNKNOWN: sign in first; FORBIDDEN: the token lacks the scope; HIDDEN: it does not exist for you."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    FORBIDDEN = "forbidden"
    HIDDEN = "hidden"


def decide(who: Who, right: Right, of: Of, owned: Owned | None) -> Verdict:
    """Whether `who` may. `owned` is the object of a route of `Of.TICKET`, None where it is not there."""
    if right is Right.EVERYBODY:
        return Verdict.ALLOWED
    if who.role is Role.NOBODY:
        return Verdict.UNKNOWN
    if who.role is Role.TOKEN and right not in who.scopes:
        return Verdict.FORBIDDEN
    if of is Of.TICKET and owned is None:
        return Verdict.HIDDEN
    return Verdict.ALLOWED if _may(who, right, of, owned) else Verdict.HIDDEN


def _may(who: Who, right: Right, of: Of, owned: Owned | None) -> bool:
    if right is Right.SIGNED_IN:
        return who.role in (Role.ADMIN, Role.CLIENT) and who.ticket_id is None
    if right is Right.OWN:
        return who.role is Role.CLIENT and _is_its_own(who, of, owned)
    if who.role is Role.ADMIN:
        return True
    return who.role is Role.TOKEN and (who.client_id is None or _is_its_own(who, of, owned))


def _is_its_own(who: Who, of: Of, owned: Owned | None) -> bool:
    if who.client_id is None:
        return False
    if of is Of.TICKET and owned is not None:
        return owned.client_id == who.client_id and who.ticket_id in (None, owned.ticket_id)
    return of is Of.LISTING and who.ticket_id is None
