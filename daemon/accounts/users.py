"""Users of the console: added by an admin, let in by a one-time link, disabled at once and everywhere."""

from __future__ import annotations

from peewee import IntegrityError

from tocsin.daemon.accounts import one_time_links
from tocsin.daemon.failure import Failed
from tocsin.daemon.language import LANGUAGES
from tocsin.daemon.mail_address import mail_address
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, User
from tocsin.daemon.time_zone import is_time_zone

ADMIN = "admin"
CLIENT = "client"
ROLES = (ADMIN, CLIENT)
NAME_LIMIT = 100


class UserError(Failed):
    """What was asked of the users cannot be done; the text says why."""


def add(
    store: Store,
    email: str,
    now: float,
    *,
    role: str = ADMIN,
    name: str = "",
    client_id: str | None = None,
    language: str | None = None,
    timezone: str | None = None,
) -> int:
    """Adds a user who cannot sign in yet; returns its id. Raises UserError."""
    _check(role, name, client_id, timezone)
    values = {
        "email": address(email),
        "name": name.strip(),
        "role": role,
        "client_id": client_id,
        "language": language,
        "timezone": timezone,
        "created_at": now,
    }
    try:
        with store.transaction():
            if client_id is not None and Client.get_or_none(Client.id == client_id) is None:
                raise UserError(
                    "there is no client %(client_id)r; `tocsin clients list` lists them", client_id=client_id
                )
            return int(rows.add_user(values).id)
    except IntegrityError:
        raise UserError("%(email)s is a user already", email=email) from None


def link(store: Store, user_id: int, now: float) -> str:
    """The token of a one-time link by which the user sets a password. Raises UserError."""
    user = known(store, user_id)
    return one_time_links.make(store, one_time_links.PASSWORD, now, user_id=user.id, email=user.email)


def disable(store: Store, user_id: int, now: float) -> None:
    """Ends all that the user could do, at once: its sessions and links too. Raises UserError.

    The last admin stays: nobody could let the next one in.
    """
    with store.transaction():
        user = known(store, user_id)
        if user.disabled_at is not None:
            raise UserError("%(email)s is disabled already", email=user.email)
        _keep_an_admin(user)
        rows.set_user(user_id, disabled_at=now)
        rows.end_sessions_of(user_id)
        rows.drop_links(user_id, one_time_links.PASSWORD)


def enable(store: Store, user_id: int) -> None:
    """Lets a disabled user sign in again. Raises UserError."""
    with store.transaction():
        if known(store, user_id).disabled_at is None:
            raise UserError("%(email)s is not disabled", email=known(store, user_id).email)
        # An account at the provider may be another one from now on.
        rows.set_user(user_id, disabled_at=None, openid_account=None)


def change_role(store: Store, user_id: int, role: str, client_id: str | None) -> None:
    """Makes a user an admin, or a client's; its sessions end. Raises UserError."""
    _check(role, "", client_id, None)
    with store.transaction():
        user = known(store, user_id)
        if role != ADMIN:
            _keep_an_admin(user)
        if client_id is not None and Client.get_or_none(Client.id == client_id) is None:
            raise UserError(
                "there is no client %(client_id)r; `tocsin clients list` lists them", client_id=client_id
            )
        rows.set_user(user_id, role=role, client_id=client_id)
        rows.end_sessions_of(user_id)


def set_reading(store: Store, user_id: int, name: str, language: str | None, timezone: str | None) -> None:
    """Sets a user's name and how it reads pages and mails: `language` and `timezone` None for the console's own.

    Raises UserError.
    """
    _check(ADMIN, name, None, timezone)
    if language not in (None, *LANGUAGES):
        raise UserError(
            "language %(language)r: write one of %(known)s", language=language, known=", ".join(LANGUAGES)
        )
    with store.transaction():
        known(store, user_id)
        rows.set_user(user_id, name=name.strip(), language=language, timezone=timezone)


def set_password(store: Store, user_id: int, password_hash: str) -> None:
    """Gives the user this password (argon2id); every browser of the user must sign in again."""
    with store.transaction():
        rows.set_user(user_id, password_hash=password_hash)
        rows.end_sessions_of(user_id)


def by_email(store: Store, email: str) -> User | None:
    """The user of this address who may sign in, None when there is none."""
    with store.reading():
        found = User.get_or_none((User.email == email.strip().lower()) & User.disabled_at.is_null())
    return found


def is_admin_there(store: Store) -> bool:
    """Whether somebody can sign in as an admin."""
    with store.reading():
        return bool(
            User.select()
            .where(User.role == ADMIN, User.disabled_at.is_null())
            .where(User.password_hash.is_null(False) | User.openid_account.is_null(False))
            .exists()
        )


def address(email: str) -> str:
    """The address as it is compared: in lower case. Raises UserError."""
    try:
        return mail_address(email).lower()
    except ValueError as error:
        raise UserError("%(email)r is not a mail address: %(reason)s", email=email, reason=error) from None


def known(store: Store, user_id: int) -> User:
    """The user, disabled or not. Raises UserError."""
    with store.reading():
        user = User.get_or_none(User.id == user_id)
    if user is None:
        raise UserError("there is no user %(user_id)s; `tocsin users list` lists them", user_id=user_id)
    return user


def _keep_an_admin(user: User) -> None:
    others = User.select().where(User.role == ADMIN, User.disabled_at.is_null(), User.id != user.id)
    if user.role == ADMIN and not others.exists():
        raise UserError("%(email)s is the only admin; add another one first", email=user.email)


def _check(role: str, name: str, client_id: str | None, timezone: str | None) -> None:
    if role not in ROLES:
        raise UserError("role %(role)r: write one of %(known)s", role=role, known=", ".join(ROLES))
    if (role == CLIENT) != (client_id is not None):
        raise UserError("a user of the role client needs a client, an admin has none")
    if len(name) > NAME_LIMIT:
        raise UserError(
            "the name has %(count)s characters; at most %(limit)s are kept", count=len(name), limit=NAME_LIMIT
        )
    if timezone is not None and not is_time_zone(timezone):
        raise UserError("%(timezone)r is no time zone; write a name such as Europe/Paris", timezone=timezone)
