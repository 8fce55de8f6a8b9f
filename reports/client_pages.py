"""The pages of clients: a folder for each, with all that it needs in it and nothing of anybody else."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.queries.tickets import ClientFacts
from tocsin.daemon.store.database import Store
from tocsin.reports.content_hash import ContentHashes
from tocsin.reports.page_state import PageState
from tocsin.reports.pages import Pages, stamp
from tocsin.reports.report_files import ReportFiles

BATCH = 25
"""Tickets read with one set of queries."""


class ClientPages:
    """What the report directory holds for clients."""

    def __init__(self, store: Store, config: Config, files: ReportFiles, state: PageState) -> None:
        self._store = store
        self._config = config
        self._files = files
        self._state = state

    def write(self, seen: ContentHashes, now: float) -> None:
        """Writes the clients' pages that changed, and removes the folders of clients that are gone."""
        content_hash = stamp(repr((seen.by_client, seen.clients)))
        if self._state.current("clients", content_hash):
            return
        clients = queries.clients(self._store)
        for client in clients:
            self._write_client(client, seen.by_client.get(client.id, {}), now)
        folders = {f"clients/{client.folder}" for client in clients}
        for name in self._files.names("clients", "*"):
            if name not in folders:
                self._files.remove_folder(name)
        self._state.record("clients", content_hash)

    def _write_client(self, client: ClientFacts, own: Mapping[int, str], now: float) -> None:
        """A client's pages: with its own files for style and script, so that its folder is all it needs."""
        folder = f"clients/{client.folder}"
        index = f"{folder}/index.html"
        content_hash = stamp(repr((client, own)))
        if self._state.current(index, content_hash):
            return
        pages = Pages(client.language or self._config.report_language, self._config, timezone=client.timezone)
        self._state.refresh_static(f"{folder}/static")
        self._files.put(index, pages.client(client, queries.tickets(self._store, client_id=client.id)))
        names = {ticket_id: f"{folder}/tickets/{ticket_id}.html" for ticket_id in own}
        changed = self._state.outdated(own, names.__getitem__)
        for at in range(0, len(changed), BATCH):
            found = queries.ticket_details(self._store, changed[at : at + BATCH], self._config, now)
            for ticket_id, ticket in found.items():
                self._files.put(names[ticket_id], pages.client_ticket(client, ticket))
                self._state.record(names[ticket_id], own[ticket_id])
        wanted = set(names.values())
        for name in self._files.names(f"{folder}/tickets", "*.html"):
            if name not in wanted:
                self._files.remove(name)
        self._state.record(index, content_hash)
