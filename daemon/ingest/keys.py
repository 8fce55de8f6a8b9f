"""CURVE keys as files: the daemon's pair, a client's pair, the public keys that may connect. No sockets.

A pair is a file of mode 0600 with `public-key` and `secret-key`; who may connect is a directory of `NAME.pub`
files that hold a `public-key` each.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zmq
from msgspec import Struct

from tocsin.daemon.failure import Failed
from tocsin.daemon.ownership import give_back, make_directory
from tocsin.handler.shipping.connection import read_key

SUFFIX = ".pub"
_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,99}", re.ASCII)
_TCP = re.compile(r"tcp://(?P<host>\[[^\]]*\]|[^:]*):\d{1,5}")


class KeysError(Failed):
    """A key cannot be made, read or revoked; the text names the file and the remedy, never a secret."""


class Pair(NamedTuple):
    """A key pair, in Z85."""

    public: bytes
    secret: bytes


class ClientKey(Struct, frozen=True):
    """One file of the directory of those who may connect. `problem`: why it admits nobody, else ''."""

    name: str
    public_key: str
    file: str
    problem: str = ""


def make_pair(file: Path, owner: str) -> str:
    """Writes a new pair into `file`, mode 0600, and returns the public key. Raises KeysError."""
    public, secret = zmq.curve_keypair()
    text = (
        f"# CURVE key pair of {owner}. Keep this file secret.\n"
        f'public-key = "{public.decode()}"\nsecret-key = "{secret.decode()}"\n'
    )
    _write_new(file, text, 0o600)
    return public.decode()


def make_client(name: str, file: Path, directory: Path) -> str:
    """Writes a client's new pair into `file`, admits its public key and returns that. Raises KeysError."""
    admitted = _public_file(name, directory)
    if admitted.exists():
        raise KeysError(f"{admitted}: {name} has a key already; tocsin keys revoke {name} first")
    public = make_pair(file, f"the application {name}")
    try:
        _write_new(admitted, f'# CURVE public key of {name}\npublic-key = "{public}"\n', 0o644)
    except KeysError:
        file.unlink()
        raise
    return public


def revoke(name: str, directory: Path) -> ClientKey:
    """Takes a client's public key out of the directory. Raises KeysError."""
    file = _public_file(name, directory)
    found = _read_client(file)
    try:
        file.unlink()
    except FileNotFoundError:
        raise KeysError(f"{file}: no such key; see tocsin keys list") from None
    except OSError as error:
        raise KeysError(f"{file}: {error.strerror}") from None
    return found


def clients(directory: Path) -> list[ClientKey]:
    """Who may connect, by name. Raises KeysError when the directory cannot be read."""
    return list(_clients(directory))


def read_pair(file: Path) -> Pair:
    """The pair in `file`, which nobody but its owner may read. Raises KeysError."""
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise KeysError(f"{file}: others may read this secret key; chmod 600 {file}")
        secret = read_key(str(file), "secret-key")
        return Pair(zmq.curve_public(secret), secret)
    except FileNotFoundError:
        raise KeysError(f"{file}: no such file; make it with tocsin keys daemon {file}") from None
    except OSError as error:
        raise KeysError(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise KeysError(str(error)) from None


def needs_keys(address: str) -> bool:
    """Whether others than this machine's users reach the address."""
    match = _TCP.fullmatch(address)
    if match is None:
        return False
    host = match["host"].strip("[]").partition("%")[0]
    if host in ("localhost", "lo"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _clients(directory: Path) -> Iterator[ClientKey]:
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix == SUFFIX)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KeysError(f"{directory}: {error.strerror}") from None
    for file in files:
        yield _read_client(file)


def _read_client(file: Path) -> ClientKey:
    try:
        return ClientKey(file.stem, read_key(str(file), "public-key").decode(), str(file))
    except OSError as error:
        return ClientKey(file.stem, "", str(file), error.strerror or str(error))
    except ValueError as error:
        return ClientKey(file.stem, "", str(file), str(error))


def _public_file(name: str, directory: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise KeysError(f"{name!r}: a key's name is made of letters, digits, '.', '_' and '-'")
    return directory / f"{name}{SUFFIX}"


def _write_new(file: Path, text: str, mode: int) -> None:
    """A file that is there already is left as it is: somebody may depend on its key."""
    try:
        make_directory(file.parent, 0o755)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise KeysError(f"{file} is there already; it was left as it is") from None
    except OSError as error:
        raise KeysError(f"{file}: {error.strerror}") from None
    with open(descriptor, "w", encoding="ascii") as out:
        # The umask may have taken rights away that the daemon needs.
        os.fchmod(descriptor, mode)
        out.write(text)
    give_back(file)
