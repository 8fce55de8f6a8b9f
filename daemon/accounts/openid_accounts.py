"""Which user an account at the OpenID provider is: the one it was before, else the one of its verified address."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from peewee import IntegrityError

from tocsin.daemon.accounts import users
from tocsin.daemon.settings import OpenId
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import User


class ProviderError(Exception):
    """The provider cannot be reached, or said what cannot be believed; the text is for the log."""


class NotKnown(Exception):
    """The account is nobody's here; the text, for the log, says why."""


class Challenge(NamedTuple):
    """What one browser's sign-in is known by: `state` and `nonce` come back, `verifier` proves who asked."""

    state: str
    nonce: str
    verifier: str


class Account(Struct, frozen=True):
    """Whom the provider has let in. `email` is '' unless it says that it has verified it."""

    key: str
    """The provider's address and its own name for the account, which never changes."""
    email: str
    name: str


def user(store: Store, account: Account, settings: OpenId, language: str, now: float) -> int:
    """The id of the user. Raises NotKnown.

    At its first sign-in an account becomes the user of its address, for good: an address that the provider later
    gives to somebody else signs nobody in. Makes an admin only where `openid.admins_from` says so.
    """
    try:
        with store.transaction():
            found = User.get_or_none(User.openid_account == account.key)
            if found is None:
                found = _by_address(store, account, settings, language, now)
                rows.set_user(found.id, openid_account=account.key)
    except (IntegrityError, users.UserError) as error:
        raise NotKnown(str(error)) from None
    if found.disabled_at is not None:
        raise NotKnown("the user is disabled")
    return int(found.id)


def _by_address(store: Store, account: Account, settings: OpenId, language: str, now: float) -> User:
    if not account.email:
        raise NotKnown("the provider has verified no mail address of it")
    found = User.get_or_none(User.email == account.email.strip().lower())
    if found is None:
        domain = account.email.rpartition("@")[2].lower()
        if domain not in {one.lower() for one in settings.admins_from}:
            raise NotKnown("no user has its address")
        name = account.name[: users.NAME_LIMIT]
        return users.known(store, users.add(store, account.email, now, name=name, language=language))
    if found.openid_account is not None:
        raise NotKnown("the user of its address has another account there")
    return found
