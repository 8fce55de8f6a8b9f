"""Hosts that fork, close descriptors or change their user on their own: none hangs, each error is counted once."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.example_programs import PROGRAMS, ExamplesDaemon, RunningProgram
from support.running import until

STARTS = int(os.environ.get("TOCSIN_STARTS", "2"))
"""Starts of each kind; `make frameworks` tries 20."""
REQUESTS = 30
EACH = 4
"""Errors of a request, each 8 KB: a worker's share is more than a segment."""
WAYS = {
    "default": (),
    "enable-threads": ("--enable-threads",),
    "py-call-osafterfork": ("--enable-threads", "--py-call-osafterfork"),
    "py-call-uwsgi-fork-hooks": ("--enable-threads", "--py-call-uwsgi-fork-hooks"),
    "lazy-apps": ("--enable-threads", "--lazy-apps"),
}
if sys.version_info >= (3, 13):
    del WAYS["py-call-osafterfork"]  # uWSGI 2.0.30 aborts at its first fork there, whatever it serves.
APPLICATION = """
import logging, os
from tocsin.handler import TocsinHandler

logging.getLogger().addHandler(TocsinHandler(service={service!r}, client="acme", spool_limit="1MB", heartbeat=0.5))


def application(environ, start_response):
    for number in range({each}):
        logging.error("%d %s %d %s", os.getpid(), environ["PATH_INFO"], number, "x" * 8000)
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(url: str) -> int:
    """Which worker answered; 0 when none did."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.read())
    except OSError:
        return 0


def answers(server: RunningProgram, port: int) -> list[int]:
    url = f"http://127.0.0.1:{port}/"
    assert until(lambda: listens(port)), server.said()
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(asked, [url + str(number) for number in range(REQUESTS)]))


@pytest.mark.parametrize("way", WAYS)
def test_uwsgi_in_its_ways_of_forking(way: str, tocsin: ExamplesDaemon) -> None:
    service = f"uwsgi {way}"
    program = tocsin.examples / f"uwsgi_{way.replace('-', '_')}.py"
    program.write_text(APPLICATION.format(service=service, each=EACH))
    run = "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])"
    for start in range(STARTS):
        port = free_port()
        command = ("python", "-c", run, "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "3")
        command += ("--wsgi-file", str(program), "--need-app", *WAYS[way])
        with tocsin.serving(*command, end=signal.SIGINT) as server:
            found = answers(server, port)
            assert 0 not in found, (start, server.said())
            # uWSGI itself does not end well while it is still loading an application.
            assert server.says("ready in", 3 if way == "lazy-apps" else 1), server.said()
            begun = time.monotonic()
        assert time.monotonic() - begun < 45, server.said()
    assert tocsin.counts(service, {"acme": STARTS * REQUESTS * EACH}), tocsin.clients(service)


def test_gunicorn_that_gives_up_its_rights(tocsin: ExamplesDaemon) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    service = "gunicorn as another user"
    nobody = pwd.getpwnam("nobody")
    spool = tocsin.place / "nobodys"
    spool.mkdir()
    os.chown(spool, nobody.pw_uid, nobody.pw_gid)
    tocsin.place.chmod(0o755)
    (tocsin.place / "s").chmod(0o666)
    program = tocsin.examples / "given_up.py"
    text = APPLICATION.format(service=service, each=1).replace("client=", f"spool={str(spool)!r}, client=")
    program.write_text("import encodings.ascii, encodings.idna, hashlib\n" + text)
    port = free_port()
    command = ("gunicorn", "--preload", "--user", "nobody", "--workers", "2", "--bind", f"127.0.0.1:{port}")
    with tocsin.serving(*command, "given_up:application") as server:
        found = answers(server, port)
        assert 0 not in found, server.said()
        expected = {"acme": REQUESTS}
        assert until(lambda: tocsin.clients(service) == expected), (tocsin.clients(service), server.said())
    assert {path.stat().st_uid for path in spool.iterdir()} <= {nobody.pw_uid}


DAEMON = """
import logging, os, sys, time
import daemon
from tocsin.handler import TocsinHandler

logging.getLogger().addHandler(TocsinHandler(service="daemonised", client="acme", heartbeat=0.5))
with daemon.DaemonContext(working_directory=os.getcwd(), stderr=open("daemon.err", "ab", 0)):
    own = [open(f"own{number}", "w+") for number in range(12)]
    for file in own:
        file.write("precious")
        file.flush()
    for number in range(20):
        logging.error("error %d", number)
        time.sleep(0.02)  # The load: longer than a turn of our thread.
    logging.getLogger().handlers[0].destination.await_delivery(20)
    open("lived", "w").close()
"""


@pytest.mark.parametrize("start", range(STARTS))
def test_python_daemon(start: int, alone: ExamplesDaemon) -> None:
    (alone.examples / "daemonised.py").write_text(DAEMON)
    command = [PROGRAMS / "python", "daemonised.py"]
    subprocess.run(command, cwd=alone.examples, env=alone.environ, timeout=60, check=True)
    assert until(lambda: (alone.examples / "lived").exists()), Path(alone.examples, "daemon.err").read_text()
    assert alone.counts("daemonised", {"acme": 20}), alone.clients("daemonised")
    assert {path.read_text() for path in alone.examples.glob("own*")} == {"precious"}
