"""What an admin does to errors: each through the function that the command calls too, one transaction."""

from __future__ import annotations

from msgspec import structs
from starlette.responses import Response

from tocsin.daemon.corrections import requests, withdrawal
from tocsin.daemon.corrections.diff import read_diff
from tocsin.daemon.corrections.recording import NewCorrection, record
from tocsin.daemon.settings import Duration
from tocsin.daemon.tickets import deployments, remarks
from tocsin.daemon.tickets import merge as merging
from tocsin.daemon.tickets.manual import Manual, ManualError, find
from tocsin.daemon.tickets.mute import RATE_LIMIT, parse_rate
from tocsin.reports.console import answers
from tocsin.reports.console.error_pages import chosen_ids
from tocsin.reports.console.request import ConsoleRequest


def resolve(request: ConsoleRequest) -> Response:
    """Marks one error resolved. Another admin may have done so a moment ago: that is no failure."""
    error_id = request.path["error_id"]
    Manual(request.site.store, request.site.config).resolve(error_id, request.who.name, request.now)
    return _back(request, request.say("Error %(id)s is resolved.", id=error_id))


def resolve_chosen(request: ConsoleRequest) -> Response:
    """Marks the chosen errors resolved; those that are so already stay as they are."""
    manual, done = Manual(request.site.store, request.site.config), 0
    for error_id in chosen_ids(request):
        try:
            manual.resolve(error_id, request.who.name, request.now)
            done += 1
        except ManualError:
            continue
    return answers.go(request, "/errors", request.say("%(count)s resolved.", count=done))


def mute(request: ConsoleRequest) -> Response:
    """Mutes one error for a time, or until it exceeds a rate."""
    _mute(request, [request.path["error_id"]])
    return _back(request, request.say("Error %(id)s is muted.", id=request.path["error_id"]))


def mute_chosen(request: ConsoleRequest) -> Response:
    """Mutes the chosen errors."""
    chosen = chosen_ids(request)
    _mute(request, chosen)
    return answers.go(request, "/errors", request.say("%(count)s muted.", count=len(chosen)))


def unmute(request: ConsoleRequest) -> Response:
    """Ends a mute."""
    error_id = request.path["error_id"]
    Manual(request.site.store, request.site.config).unmute(error_id, request.who.name, request.now)
    return _back(request, request.say("Error %(id)s is heard again.", id=error_id))


def hand_over(request: ConsoleRequest) -> Response:
    """Hands the chosen errors to a coding agent: a runner of `tocsin fix --serve` takes them."""
    chosen = chosen_ids(request)
    requests.hand_over(request.site.store, chosen, request.who.name, request.now)
    return answers.go(request, "/errors", request.say("%(count)s handed to the agent.", count=len(chosen)))


def merge(request: ConsoleRequest) -> Response:
    """Makes one error part of another."""
    into = request.field("into")
    if not (into.isascii() and into.isdigit() and len(into) < 10):
        raise ManualError(request.say("Write the number of the other error."))
    _merge(request, [request.path["error_id"]], int(into))
    return answers.go(request, f"/errors/{int(into)}", request.say("The errors are one now."))


def merge_chosen(request: ConsoleRequest) -> Response:
    """Makes the chosen errors part of the oldest of them."""
    chosen = sorted(chosen_ids(request))
    if len(chosen) < 2:
        raise ManualError(request.say("Choose at least two errors."))
    _merge(request, chosen[1:], chosen[0])
    return answers.go(request, f"/errors/{chosen[0]}", request.say("The errors are one now."))


def describe(request: ConsoleRequest) -> Response:
    """Sets what clients read of an error."""
    error_id = request.path["error_id"]
    manual = Manual(request.site.store, request.site.config)
    manual.describe(error_id, request.field("text"), request.who.name, request.now)
    return _back(request, request.say("Saved."))


def note(request: ConsoleRequest) -> Response:
    """Writes down what the team only reads."""
    site, error_id = request.site, request.path["error_id"]
    remarks.note(site.store, error_id, request.field("text"), request.who.name, request.now)
    return _back(request, request.say("Written down."))


def assign(request: ConsoleRequest) -> Response:
    """Says who sees to the error."""
    site, error_id = request.site, request.path["error_id"]
    remarks.assign(site.store, error_id, request.field("name"), request.who.name, request.now)
    return _back(request, request.say("Saved."))


def link(request: ConsoleRequest) -> Response:
    """Names the issue or pull request in which the error is dealt with."""
    site, error_id = request.site, request.path["error_id"]
    remarks.link(site.store, error_id, request.field("url"), request.who.name, request.now)
    return _back(request, request.say("Saved."))


def record_correction(request: ConsoleRequest) -> Response:
    """Records a change that was made; the console sees no checkout, so no file is looked at."""
    site, who, error_id = request.site, request.who.name, request.path["error_id"]
    description, diff = request.field("description").strip(), request.field("diff")
    if diff.strip():
        changes = read_diff(diff.encode("utf-8", "replace"), error_id, who, description).changes
    else:
        path, old, new = (request.field(name) for name in ("file_path", "old_code", "new_code"))
        changes = [NewCorrection(error_id, path.strip(), old, new, description, who)]
    if release := request.field("fixed_in").strip():
        changes = [structs.replace(change, fixed_in=release) for change in changes]
    record(site.store, site.config, changes, project=None, now=request.now)
    return _back(request, request.say("The correction is recorded."))


def deployed(request: ConsoleRequest) -> Response:
    """Says that a release of the error's service is out: what was corrected in it is watched from now on."""
    site, error_id = request.site, request.path["error_id"]
    with site.store.reading():
        error = find(error_id)
    release = request.field("release").strip()
    found = deployments.deployed(
        site.store, error.service, release, request.who.name, request.now, environment=error.environment
    )
    new = any(is_new for _, is_new in found)
    out = {"release": f"{error.service} {release}"}
    said = (
        request.say("%(release)s is out.", **out)
        if new
        else request.say("%(release)s is known to be out already.", **out)
    )
    return _back(request, said)


def withdraw_correction(request: ConsoleRequest) -> Response:
    """Takes a correction back."""
    site, correction_id = request.site, request.path["correction_id"]
    error_id = withdrawal.withdraw(site.store, site.config, correction_id, request.who.name, request.now)
    said = request.say("The correction is withdrawn.")
    return answers.go(request, request.came_from or f"/errors/{error_id}", said)


def _mute(request: ConsoleRequest, error_ids: list[int]) -> None:
    """For `1d`, or until `10/h`. Raises ManualError for any other text."""
    how = request.field("for")
    try:
        rate = parse_rate(how) if "/" in how else None
        until = None if rate is not None else request.now + Duration.parse(how)
    except ValueError:
        raise ManualError(
            request.say(
                "Write for how long, such as 1d, or until how many an hour, at most %(most)s, such as 10/h.",
                most=RATE_LIMIT,
            )
        ) from None
    manual = Manual(request.site.store, request.site.config)
    with request.site.store.transaction():
        for error_id in error_ids:
            manual.mute(error_id, request.who.name, request.now, until=until, rate=rate)


def _merge(request: ConsoleRequest, error_ids: list[int], into_id: int) -> None:
    site = request.site
    with site.store.transaction():
        for error_id in error_ids:
            merging.merge(site.store, site.config, error_id, into_id, request.who.name, request.now)


def _back(request: ConsoleRequest, said: str) -> Response:
    return answers.go(request, request.came_from or f"/errors/{request.path['error_id']}", said)
