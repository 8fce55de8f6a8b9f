"""A traceback that a text holds is one error, whatever directory the release stands in."""

from __future__ import annotations

import html
import io
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import rich.console
import rich.traceback
from support.world import World, an_error
from twisted.python.failure import Failure

from tocsin.daemon.grouping.sign import Signature, sign
from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.protocol.event import CodeLocation, Event, Raised

SOURCE = "def work(order):\n    return price(order)\n\n\ndef price(order):\n    return {}[order]\n"


class Carrier(Exception):
    pass


def release(folder: Path, number: int) -> Path:
    root = folder / f"rel-{number}"
    root.mkdir()
    (root / "jobsmod.py").write_text(SOURCE)
    (root / "broken.py").write_text("x = (\n")
    return root


def fail(root: Path, name: str = "jobsmod.py") -> BaseException:
    """A real exception of that release's code, which this process has not imported."""
    names: dict[str, Callable[[str], object]] = {}
    path = root / name
    try:
        exec(compile(path.read_text(), str(path), "exec"), names)
        names["work"]("A1")
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def coloured(error: BaseException) -> str:
    """As Python 3.13 prints it on a terminal."""
    rows = []
    for row in printed(error).splitlines():
        if row.startswith('  File "'):
            path, line, function = row.removeprefix("  File ").split(", ")
            row = f"  File \x1b[35m{path}\x1b[0m, line \x1b[35m{line[5:]}\x1b[0m, in \x1b[35m{function[3:]}\x1b[0m"
        rows.append(row)
    return "\n".join(rows)


def boxed(error: BaseException) -> str:
    out = io.StringIO()
    shown = rich.traceback.Traceback.from_exception(type(error), error, error.__traceback__, width=300)
    rich.console.Console(file=out, width=300).print(shown)
    return out.getvalue()


def prefixed(error: BaseException) -> str:
    return "\n".join(f"worker-1  | {row}" for row in printed(error).splitlines())


FORMS: dict[str, Callable[[BaseException], str]] = {
    "as it is": printed,
    "repr": lambda error: repr(printed(error)),
    "repr of bytes": lambda error: repr(printed(error).encode()),
    "JSON": lambda error: json.dumps({"level": "error", "traceback": printed(error)}),
    "JSON in a line": lambda error: "failed: " + json.dumps({"traceback": printed(error)}),
    "JSON in JSON": lambda error: "failed: " + json.dumps({"log": json.dumps({"traceback": printed(error)})}),
    "HTML": lambda error: f"<pre>{html.escape(printed(error))}</pre>",
    "colours": coloured,
    "colours in JSON": lambda error: "failed: " + json.dumps({"traceback": coloured(error)}),
    "a prefix": prefixed,
    "rich": boxed,
    "Twisted, whole": lambda error: Failure(error).getTraceback(),
    "Twisted, in brief": lambda error: Failure(error).getBriefTraceback(),
}


def signed(root: Path, event: Event) -> Signature:
    """As a process that has the release's directory on its path would have it signed."""
    source = CodeLocations(
        started_at=time.time() + 60, in_app=(), not_in_app=(), sys_path=(str(root),), live=True
    )
    told = [source.of_mention(one) for one in mentions(event)]
    return sign(event, {(location.path, location.line): location for location in told})


def both(folder: Path, event: Callable[[Path], Event]) -> list[Signature]:
    roots = [release(folder, number) for number in (1, 2)]
    return [signed(root, event(root)) for root in roots]


@pytest.mark.parametrize("form", FORMS)
def test_a_release_in_another_directory_has_the_same_error(tmp_path: Path, form: str) -> None:
    one, other = both(tmp_path, lambda root: an_error(FORMS[form](fail(root)), at=0.0))
    assert (one.fine, one.location.module) == (other.fine, "jobsmod")


def test_a_quoted_syntax_error_is_known_by_its_module(tmp_path: Path) -> None:
    one, other = both(tmp_path, lambda root: an_error(printed(fail(root, "broken.py")), at=0.0))
    assert (one.fine, one.location.module) == (other.fine, "broken")


@pytest.mark.parametrize(
    "carrier", ["multiprocessing.pool.RemoteTraceback", "billiard.einfo.RemoteTraceback"]
)
def test_an_error_that_a_worker_process_hands_over_is_known_by_its_module(
    tmp_path: Path, carrier: str
) -> None:
    def handed(root: Path) -> Event:
        error = fail(root)
        cause = Raised(carrier, f'\n"""\n{printed(error)}"""')
        return an_error("failed", at=0.0, exception=Raised("KeyError", "'A1'", cause=cause))

    one, other = both(tmp_path, handed)
    assert (one.fine, one.location.module) == (other.fine, "jobsmod")


def lines(error: BaseException) -> list[Event]:
    rows = ["worker failed", *printed(error).splitlines()]
    return [an_error(row, at=i / 10_000, line=20, function="log", thread="T") for i, row in enumerate(rows)]


@pytest.mark.parametrize("cut", [0, 3, 5, 6])
def test_a_traceback_logged_line_by_line_is_one_error_of_all_releases(
    world: World, tmp_path: Path, cut: int
) -> None:
    """Also where a batch ends between two of its lines."""
    for number in (1, 2):
        root = release(tmp_path, number)
        source = CodeLocations(started_at=0.0, in_app=(), not_in_app=(), sys_path=(str(root),), live=True)
        app = world.app()
        events = lines(fail(root))
        for part in (events[:cut], events[cut:]):
            told: list[CodeLocation] = [source.of_mention(one) for event in part for one in mentions(event)]
            app.log(*part, places=told)
    assert [(error.module, error.occurrences) for error in world.errors()] == [("jobsmod", 2)]


def test_a_traceback_whose_rest_never_comes_is_known_as_its_call_was(world: World, tmp_path: Path) -> None:
    call = CodeLocation("/srv/shop/orders.py", 20, template="worker *")
    app = world.app()
    app.log(*lines(fail(release(tmp_path, 1)))[:5], places=[call])
    app.goodbye()
    assert [error.title for error in world.errors()] == ["worker *"]
