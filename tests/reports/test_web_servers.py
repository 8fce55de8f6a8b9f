"""The pages behind nginx and Caddy, as docs/web-servers.md tells: admins by password, clients by their folder."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from report_data import NOW, fill_one, plain, write_config
from support.web_server import INSTALLED, USER, WebServer, program

from tocsin.daemon import config as configuration
from tocsin.daemon.operations.report_access import report_access
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client
from tocsin.reports.writer import ReportWriter

GROUP = USER if os.geteuid() == 0 else grp.getgrgid(os.getgid()).gr_name
ADMIN = ("ops", "correct horse battery")
SITE = "/var/cache/tocsin/report"
NGINX_PASSWORDS = "/etc/nginx/tocsin.htpasswd"


class Site:
    """A report directory, written under the service's umask, and a web server before it."""

    def __init__(self, store: Store, server: WebServer, place: Path, **report: str) -> None:
        data: dict[str, Any] = write_config(place / "state")
        data["report"] = {"dir": str(place / "report"), "url": server.url, **report}
        self.config = configuration.parse(data, {})
        before = os.umask(0o077)
        try:
            ReportWriter(store, self.config).write(NOW)
        finally:
            os.umask(before)
        self.root = self.config.report_dir
        server.change(SITE, str(self.root))
        if server.name == "nginx":
            passwords = server.place / "passwords"
            hashed = subprocess.run(
                ["openssl", "passwd", "-6", ADMIN[1]], capture_output=True, text=True, check=True
            )
            passwords.write_text(f"{ADMIN[0]}:{hashed.stdout}")
            server.change(NGINX_PASSWORDS, str(passwords))
        else:
            command = [program("caddy") or "caddy", "hash-password", "--plaintext", ADMIN[1]]
            hashed = subprocess.run(command, capture_output=True, text=True, check=True)
            server.change("HASH", hashed.stdout.strip())
        server.start()
        self.http = httpx2.Client(base_url=server.url, verify=server.trust, timeout=30)

    def status(self, path: str, **how: Any) -> int:
        return int(self.http.get(path, **how).status_code)


@pytest.fixture(params=INSTALLED)
def make_site(request: pytest.FixtureRequest, store: Store) -> Iterator[Callable[..., Site]]:
    with store.transaction():
        fill_one(plain)
    place = Path(tempfile.mkdtemp(prefix="tocsin-site-"))
    place.chmod(0o755)
    server = WebServer(request.param, "files")
    yield lambda **report: Site(store, server, place, **report)
    server.stop()
    shutil.rmtree(place)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(group=GROUP)


def test_admins_read_their_pages_by_password_only(site: Site) -> None:
    assert site.status("/admin/index.html") == 401
    assert site.status("/admin/index.html", auth=(ADMIN[0], "wrong")) == 401
    page = site.http.get("/admin/index.html", auth=ADMIN)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "no-referrer" in page.text or page.headers["referrer-policy"] == "same-origin"


def test_a_client_reads_its_pages_by_their_address(site: Site) -> None:
    folder = Client.select().where(Client.folder.is_null(False)).get().folder
    assert site.status(f"/clients/{folder}/index.html") == 200
    assert site.status(f"/clients/{folder}/") == 200


def test_nobody_learns_the_address_of_a_client(site: Site) -> None:
    folders = [client.folder for client in Client.select() if client.folder]
    answers = [
        site.http.get(path) for path in ("/", "/clients/", "/clients", "/.shelf", "/.lock", "/metrics.prom")
    ]
    answers.append(site.http.get("/admin/.written", auth=ADMIN))
    assert not [answer.url for answer in answers if any(folder in answer.text for folder in folders)]
    assert not [answer.url for answer in answers if answer.status_code == 200]


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the server is the writer's own user")
def test_without_the_group_no_page_is_served_and_the_doctor_says_so(make_site: Callable[..., Site]) -> None:
    site = make_site()
    assert site.status("/admin/index.html", auth=ADMIN) in (403, 404)
    (found,) = report_access(site.config)
    assert not found.ok
    assert "report.group" in found.remedy


def test_with_the_group_the_doctor_is_content(site: Site) -> None:
    (found,) = report_access(site.config)
    assert found.ok
