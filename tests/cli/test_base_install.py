"""What an application's environment, without the daemon's extra, can do; and what a test error leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from support.running import short_place
from support.world import World, an_error

from tocsin.daemon import queries
from tocsin.handler.__main__ import base_install
from tocsin.handler.protocol.event import TEST_LOGGER
from tocsin.handler.shipping.unanswered import no_answer

WITHOUT = (
    "import sys, importlib.util as u; real = u.find_spec\n"
    "u.find_spec = lambda name, *more: None if name == 'peewee' else real(name, *more)\n"
    "sys.argv = ['tocsin', *sys.argv[1:]]\n"
    "from tocsin.daemon.__main__ import main\n"
    "main()\n"
)


def tocsin(*words: str, spool: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *words]
    environ = {**os.environ, "TOCSIN_SPOOL": str(spool)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ)


def test_without_the_extra_a_command_is_one_line_that_names_it(tmp_path: Path) -> None:
    done = tocsin("tickets", "--open", spool=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tocsin: `tocsin tickets` needs the daemon's part: pip install 'tocsin[daemon]'\n"


def test_without_the_extra_it_ships_and_tells_what_waits_in_the_spool(tmp_path: Path) -> None:
    assert tocsin("ship", spool=tmp_path / "none").returncode == 0
    (tmp_path / "a").write_bytes(b"1234")
    assert "1 files, 4 bytes" in tocsin("status", spool=tmp_path).stdout


def test_what_the_base_install_prints_names_its_own_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        base_install(["--help"])
    assert capsys.readouterr().out.startswith("usage: tocsin ")


def test_a_test_error_opens_no_ticket_mails_nobody_and_counts_in_no_metric(world: World) -> None:
    before = queries.metrics(world.store)
    for _ in range(2):
        app = world.app("tocsin-test", release=None)
        app.log(*(an_error("A test error", at=world.now, logger=TEST_LOGGER) for _ in range(3)))
    [error] = queries.errors(world.store)
    assert (error.occurrences, error.resolved) == (6, True)
    assert (world.tickets(), world.mails()) == ([], [])
    assert queries.metrics(world.store) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_socket_that_this_user_may_not_open_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    for socket in (tmp_path / "s", tmp_path / "private" / "s"):
        socket.touch(mode=0o600)
        os.seteuid(65534)
        try:
            said = no_answer([f"ipc://{socket}"])
        finally:
            os.seteuid(0)
        assert "(uid 65534) may not open the socket" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("module", ["tocsin.handler.__main__", "tocsin.daemon.cli"])
def test_commands_that_go_to_the_socket_say_that_this_user_may_not_open_it(module: str) -> None:
    with short_place() as place, zmq.Context() as context, context.socket(zmq.ROUTER) as daemon:
        place.chmod(0o755)
        daemon.bind(f"ipc://{place}/s")
        (place / "s").chmod(0o600)
        (place / "spool").mkdir()
        os.chown(place / "spool", 65534, 65534)
        said = as_nobody("tocsin.handler.__main__", "test", place=place)
        if module == "tocsin.daemon.cli":
            said = as_nobody(module, "ship", place=place)
    assert "this user (uid 65534) may not open the socket" in said
    assert "no daemon answers" not in said


def as_nobody(module: str, *words: str, place: Path) -> str:
    """What a command says to a user of no rights; the interpreter itself may be out of that user's reach."""
    code = (
        "import os, sys, tocsin.daemon.cli.ship, tocsin.handler.shipping.shipper as _\n"
        f"from {module} import main\n"
        "os.seteuid(65534)\n"
        "sys.exit(main())"
    )
    environ = {**os.environ, "TOCSIN_SPOOL": str(place / "spool"), "TOCSIN_ENDPOINT": f"ipc://{place}/s"}
    typed = [sys.executable, "-c", code, *words, "--patience", "0.5"]
    return subprocess.run(typed, cwd="/", env=environ, capture_output=True, text=True, check=False).stdout


def test_a_socket_that_is_not_there_is_told_as_nobody_answering(tmp_path: Path) -> None:
    assert no_answer([f"ipc://{tmp_path}/s"]) == f"no daemon answers at ipc://{tmp_path}/s"
