"""Which client a name in an event means. A name is a claim from outside: an unknown one makes nothing.

Knows the configuration and the clients of the database; decides no ticket.
"""

from __future__ import annotations

from tocsin.daemon.config import Config
from tocsin.daemon.store import tickets as rows

NAME_LIMIT = 200
"""Characters of a client's id; a longer name is no client's, not the one of its first 200."""


def host_name(text: str) -> str:
    """A host as it is compared: lower case, without its port and final dot."""
    host = text.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


class KnownClients:
    """For one transaction: clients may be added while the daemon runs."""

    def __init__(self, config: Config) -> None:
        self._create = config.tickets.unknown_clients == "create"
        self._hosts = {host_name(host): client.id for client in config.client for host in client.hosts}
        self._own = {service.client for service in config.service if service.client}
        self._known: dict[str, str] = {"": ""}

    def of(self, name: str) -> str:
        """The client's id; '' for a name that is nobody's: such an event is the admin's."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._find(name)
        return found

    def _find(self, name: str) -> str:
        # No client's id holds NUL, and Postgres cannot even be asked for one.
        if len(name) > NAME_LIMIT or "\0" in name:
            return ""
        if name in self._own or rows.client(name) is not None:
            return name
        by_host = self._hosts.get(host_name(name))
        if by_host is not None:
            return by_host
        return name if self._create else ""
