"""What the daemon says first: where it listens, where its pages are, what is not set up yet."""

from __future__ import annotations

import json
import os
import pty

import pytest
from support.running import Daemon, short_place, until

MORE = """
[mail]
language = "{language}"
admin = {admins}
{more}
"""
SAID = {
    "en": ["listens on", "No mail leaves: set SMTP_HOST", "No admin is mailed", "No client is known",
           "No application has been heard yet"],
    "fr": ["écoute sur", "Aucun courriel ne part", "Aucun administrateur n’est averti", "Aucun client n’est connu",
           "Aucune application ne s’est encore annoncée"],
}  # fmt: skip


def first_lines(daemon: Daemon, last: str) -> str:
    """What the daemon shows on a terminal until it says `last`."""
    controller, terminal = pty.openpty()
    daemon.log.close()
    daemon.log = os.fdopen(terminal, "ab", buffering=0)
    shown = b""
    try:
        daemon.start()
        while last not in shown.decode(errors="replace"):
            shown += os.read(controller, 4096)
    finally:
        daemon.close()
        os.close(controller)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_on_a_terminal_people_read_where_it_is_and_what_is_missing(language: str) -> None:
    with short_place() as place:
        daemon = Daemon(place)
        with daemon.config.open("a") as file:
            file.write(MORE.format(language=language, admins="[]", more=""))
        shown = first_lines(daemon, SAID[language][-1])
    for said in (*SAID[language], daemon.endpoint, f"{place}/state/report/admin/index.html"):
        assert said in shown, shown


def test_in_a_log_the_same_are_events_and_what_is_set_up_is_none() -> None:
    with short_place() as place:
        daemon = Daemon(place)
        with daemon.config.open("a") as file:
            file.write(
                MORE.format(language="en", admins='["ops@example.org"]', more='[[client]]\nid = "acme"')
            )
        with daemon:
            assert until(lambda: daemon.said("not_set_up") == 3)
        lines = [json.loads(line) for line in daemon.written().splitlines() if line.startswith("{")]
    missing = [line["what"] for line in lines if line["event"] == "not_set_up"]
    assert missing == ["mail", "organisation", "application"]
    [pages] = [line for line in lines if line["event"] == "pages"]
    assert pages["file"] == f"{place}/state/report/admin/index.html"
