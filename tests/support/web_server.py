"""nginx and Caddy as docs/web-servers.md configures them: real processes, a certificate of a CA of our own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import trustme

from support.markdown import ROOT, blocks
from support.waiting import until

PAGE = ROOT / "docs" / "web-servers.md"
NAMES = ("tocsin.example.org", "errors.example.org")
USER = "www-data"
"""Whom the servers run as where root starts them, as Debian has it."""
NGINX = """
{user}
daemon off;
pid {place}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    include /etc/nginx/mime.types;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    scgi_temp_path {place}/scgi;
    uwsgi_temp_path {place}/uwsgi;
{block}
}}
"""
CADDY = """
{{
    admin off
    auto_https disable_redirects
}}
{block}
"""


def program(name: str) -> str | None:
    """Where the server's program is; /usr/sbin is on root's PATH only."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


INSTALLED = tuple(name for name in ("nginx", "caddy") if program(name))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class WebServer:
    """One server with one block of the page, on ports of its own, as `localhost`."""

    def __init__(self, name: str, subject: str) -> None:
        """`subject`: which of the page's blocks, `console` or `files`."""
        self.name = name
        self.place = Path(tempfile.mkdtemp(prefix="tocsin-web-"))
        self.place.chmod(0o755)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(self._file("key.pem"))
        certificate.cert_chain_pems[0].write_to_path(self._file("chain.pem"))
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        self._process: subprocess.Popen[bytes] | None = None
        self._block = next(block.text for block in blocks(PAGE) if block.mark == f"{name}-{subject}")

    def _file(self, name: str) -> str:
        return str(self.place / name)

    def change(self, before: str, after: str) -> None:
        """Changes what every reader of the page has to change. What is not there is the page's fault."""
        assert before in self._block, f"{PAGE.name} no longer says {before!r}"
        self._block = self._block.replace(before, after)

    def start(self) -> None:
        """Returns when it listens."""
        self._own_names()
        template, arguments = (
            (NGINX, ["-c"])
            if self.name == "nginx"
            else (CADDY, ["run", "--adapter", "caddyfile", "--config"])
        )
        user = f"user {USER};" if os.geteuid() == 0 else ""
        configuration = self.place / "configuration"
        configuration.write_text(template.format(block=self._block, place=self.place, user=user))
        command = [program(self.name) or self.name, *arguments, str(configuration)]
        if self.name == "caddy" and os.geteuid() == 0:
            for path in self.place.iterdir():
                shutil.chown(path, USER)
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command]
        env = {
            **os.environ,
            "HOME": str(self.place),
            "XDG_DATA_HOME": self._file("data"),
            "XDG_CONFIG_HOME": self._file("data"),
        }
        (self.place / "data").mkdir(mode=0o777)
        (self.place / "data").chmod(0o777)
        with open(self._file("log"), "wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=self.place)
        assert until(self._listens, 20), self.log()

    def _own_names(self) -> None:
        """The page's names, ports and certificate become the test's."""
        for name in NAMES:
            self._block = self._block.replace(f"server_name {name}", "server_name localhost")
            self._block = self._block.replace(
                f"{name} {{", f"{self.url} {{\n    tls {self._file('chain.pem')} {self._file('key.pem')}"
            )
        self._block = self._block.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        self._block = self._block.replace("listen 80;", f"listen 127.0.0.1:{self.plain_port};")
        self._block = self._block.replace("/etc/ssl/tocsin/fullchain.pem", self._file("chain.pem"))
        self._block = self._block.replace("/etc/ssl/tocsin/privkey.pem", self._file("key.pem"))

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return Path(self._file("log")).read_text("utf-8", "replace")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.place, ignore_errors=True)
