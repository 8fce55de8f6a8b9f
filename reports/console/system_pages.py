"""The system as admins see it: is all well, which processes are known, what was lost, what holds as configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import msgspec
from starlette.responses import Response

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.queries.status import problems
from tocsin.daemon.store.url import shown
from tocsin.daemon.tickets.processes import write_off
from tocsin.reports.console import answers
from tocsin.reports.console.request import ConsoleRequest

DOCTOR_WITHIN = 90.0
_SECRET = frozenset(("password", "url_file", "webhook", "secret_file"))


def system(request: ConsoleRequest) -> Response:
    """How everything is."""
    return _page(request, None)


def examine(request: ConsoleRequest) -> Response:
    """What `tocsin doctor` finds; a process of its own looks, as it opens everything anew."""
    named = ["--config", request.site.config.file] if request.site.config.file else []
    command = [sys.executable, "-m", "tocsin.daemon", *named, "doctor", "--json"]
    try:
        done = subprocess.run(  # noqa: S603  (our own)
            command,
            env={**os.environ, "LANGUAGE": request.language},
            capture_output=True,
            text=True,
            timeout=DOCTOR_WITHIN,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        findings = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return answers.refusal(request, 500)
    return _page(request, findings)


def gone(request: ConsoleRequest) -> Response:
    """Writes off a process that never comes back."""
    write_off(request.site.store, request.field("id"), request.now)
    return answers.go(request, "/system", request.say("The process is written off."))


def configuration(config: Config) -> dict[str, dict[str, Any]]:
    """The configuration in force, by section; secrets are left out, of a channel all but its name."""
    found: dict[str, dict[str, Any]] = {}
    for section in config.__struct_fields__:
        values = msgspec.to_builtins(getattr(config, section), enc_hook=str)
        if section == "channel":
            values = {one.name: ", ".join(one.events) for one in config.channel}
        elif isinstance(values, list):
            values = {str(one.get("id") or one.get("name")): one for one in values}
        if isinstance(values, dict):
            found[section] = {key: value for key, value in values.items() if key not in _SECRET}
    found["database"]["url"] = shown(config.database.url)
    return found


def _page(request: ConsoleRequest, findings: list[dict[str, Any]] | None) -> Response:
    site = request.site
    status = queries.status(site.store, site.config, request.now)
    words = site.pages(request.language).words.catalogue
    return answers.page(
        request, "console/system.html", "system", status=status, findings=findings,
        problems=problems(status, site.config, request.now, words), configuration=configuration(site.config),
        file=site.config.file,
    )  # fmt: skip
