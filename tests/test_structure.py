"""The code's structure: packages import one way, whatever the files in them are called."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("handler", "daemon", "reports")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
FLAT = {"tocsin.handler", "tocsin.daemon"}
"""Packages whose modules each stand for themselves: the top of a part (`emit`, `run`) and its base (`config`)."""


def module_name(file: Path) -> str:
    parts = ("tocsin", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for top in TOPS for file in sorted((ROOT / top).rglob("*.py"))}
PACKAGES = {name for name, file in FILES.items() if file.name == "__init__.py"}


def imports(name: str) -> Iterator[str]:
    """The modules of ours that a module imports."""
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in FILES or node.module in FILES:
                    yield full if full in FILES else node.module


def leaf(name: str) -> str:
    """The package a module counts for: the one it lies in, or itself at a part's top."""
    package = name if name in PACKAGES else name.rpartition(".")[0]
    return name if package in FLAT else package


def arrows() -> dict[str, set[str]]:
    """Which leaf package imports which."""
    found: dict[str, set[str]] = {leaf(name): set() for name in FILES}
    for name in FILES:
        found[leaf(name)] |= {leaf(used) for used in imports(name)} - {leaf(name)}
    return found


def test_no_package_imports_one_that_imports_it() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_no_module_imports_one_that_imports_it() -> None:
    try:
        TopologicalSorter({name: set(imports(name)) - {name} for name in FILES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("tocsin.handler", ("tocsin.daemon", "tocsin.reports")),
        ("tocsin.daemon.store", ("tocsin.daemon.cli", "tocsin.daemon.run", "tocsin.reports")),
        ("tocsin.reports", ("tocsin.daemon.cli", "tocsin.daemon.run")),
    ],
)
def test_what_lies_below_does_not_import_what_lies_above(below: str, above: tuple[str, ...]) -> None:
    assert {below, *above} <= FILES.keys()
    assert not [
        f"{name} imports {used}"
        for name in FILES
        if name.startswith(below)
        for used in imports(name)
        if any(f"{used}.".startswith(f"{one}.") for one in above)
    ]


def test_only_the_daemon_and_its_commands_import_the_pages() -> None:
    users = {
        name
        for name in FILES
        if not name.startswith("tocsin.reports")
        and any(u.startswith("tocsin.reports") for u in imports(name))
    }
    assert users <= {"tocsin.daemon.run"} | {name for name in FILES if name.startswith("tocsin.daemon.cli")}


WRITING = {"insert", "insert_many", "insert_from", "update", "delete", "create", "get_or_create", "replace"}
WRITING |= {"replace_many", "bulk_create", "bulk_update", "set_by_id", "delete_by_id", "create_table"}
ON_ROWS = {"save", "delete_instance"}
SQL = re.compile(
    r"\s*(INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|REPLACE INTO|TRUNCATE|(ALTER|DROP|CREATE) (TABLE|INDEX))\b",
    re.IGNORECASE,
)


def writing_queries(source: str) -> Iterator[str]:
    """What in a module's text writes to the database: Peewee's methods on tables and rows, and SQL itself.

    A query of Peewee's that reads is iterated over; `execute()` is for those that write.
    """
    tree = ast.parse(source)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    tables = {
        alias.asname or alias.name
        for node in imported
        if node.module in ("tocsin.daemon.store.models", "tocsin.daemon.store.run_models")
        for alias in node.names
    }
    modules = {alias.asname or alias.name for node in imported for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield node.value
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, method = ast.unparse(node.func.value), node.func.attr
        if (
            (method in WRITING and owner in tables)
            or (method in ON_ROWS and not owner.startswith("self.") and owner not in modules - tables)
            or (method == "execute" and not node.args)
            or method == "run_many"
        ):
            yield f"{owner}.{method}"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Ticket.create(id=1)", ["Ticket.create"]),
        ("Ticket.update(status='open').where(True).execute()", 2),
        ("ticket.save(only=[Ticket.status])", ["ticket.save"]),
        ("for table in tables: table.delete().execute()", ["table.delete().execute"]),
        ("store.run_many(sql, rows)", ["store.run_many"]),
        ("database.execute_sql('UPDATE x SET y = 1')", ["UPDATE x SET y = 1"]),
        ("list(Ticket.select().where(True))", []),
        ("tickets.save(rows)", []),
        ("values.update(more)", []),
        ("'Update the ticket'.title()", []),
    ],
)
def test_a_writing_query_is_told_from_other_calls(written: str, found: list[str] | int) -> None:
    heading = "from tocsin.daemon.store import tickets\nfrom tocsin.daemon.store.models import Ticket\n"
    queries = list(writing_queries(heading + written))
    assert (len(queries) if isinstance(found, int) else queries) == found


def test_every_query_that_writes_is_in_the_store() -> None:
    assert not [
        f"{name}: {query}"
        for name, file in FILES.items()
        if name.startswith(("tocsin.daemon", "tocsin.reports")) and not name.startswith("tocsin.daemon.store")
        for query in writing_queries(file.read_text("utf-8"))
    ]


def log_events(name: str) -> Iterator[str]:
    """What a module's log calls name their events."""
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and ast.unparse(node.func.value) in ("log", "self.log")
        ):
            event = node.args[0]
            yield event.value if isinstance(event, ast.Constant) else ast.unparse(event)


def test_log_events_are_snake_case_names() -> None:
    events = {f"{name}: {event}" for name in FILES for event in log_events(name)}
    assert events, "no log call was found"
    assert not {event for event in events if not re.fullmatch(r"\S+: [a-z]+(_[a-z0-9]+)*", event)}


TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
SLEEP = re.compile(r"\bsleep\(|\bEvent\(\)\.wait\b")
REASON = re.compile(r"# (The scenario|The load|Polls)\b")


def test_no_test_sleeps_but_where_the_time_is_the_scenario_or_the_load() -> None:
    assert not [
        f"{file.relative_to(ROOT)}:{number}"
        for file in TESTS
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if SLEEP.search(line) and not REASON.search(line) and "re.compile" not in line
    ]


def test_every_real_daemon_of_tests_and_benchmarks_is_started_in_one_way() -> None:
    starts = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in [*TESTS, *BENCHMARKS]
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.List) and len(node.elts) > 1 and ast.unparse(node.elts[-1]) == "'daemon'"
    ]
    assert not starts, "use support.daemon_process.DaemonProcess"


def test_what_the_benchmarks_import_is_there() -> None:
    code = "import runpy, sys; sys.path[:0] = ['tests', 'benchmarks']; [*map(runpy.run_path, sys.argv[1:])]"
    subprocess.run([sys.executable, "-c", code, *BENCHMARKS], cwd=ROOT, timeout=60, check=True)


MOST_CLASS_LINES = 250
MOST_FUNCTION_LINES = 60
MOST_FILE_LINES = 500
MOST_ATTRIBUTES = 12
WIDE = {
    "tocsin.handler.protocol.event.Raised": "a record of the wire: what Python says of an exception",
    "tocsin.handler.protocol.event.Event": "a record of the wire: what is known of a log call",
    "tocsin.handler.protocol.event.Header": "a record of the wire: what is known of a session",
    "tocsin.handler.settings.Settings": "one field for each argument of the handler",
    "tocsin.handler.shipping.delivery.Delivery": "the protocol's state: no part changes without the others",
    "tocsin.daemon.config.Config": "one field for each section of the configuration",
    "tocsin.daemon.queries.corrections.CorrectionFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.details.ErrorDetail": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.errors.ErrorFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.outbox.OutboxMail": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.samples.EventFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.status.SessionFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.status.StatusFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.tickets.TicketFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.tickets.WatchFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.queries.tries.TryFacts": "what pages and JSON show, field by field",
    "tocsin.daemon.tickets.evidence.Silence": "all that a verdict rests on",
    "tocsin.daemon.queries.week.WeekFacts": "what mails and JSON show, field by field",
}
"""Classes with more attributes than others may have, each with the reason."""
LONG = {"tocsin.daemon.store.migrations.0001_first_tables.up"}
"""Functions longer than others may be: a migration stays as it was first run."""


def lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def attributes(node: ast.ClassDef) -> set[str]:
    """The fields that a class declares, and what its methods assign to `self`."""
    declared = {
        field.target.id
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    return declared | {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
    }


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for name, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{name}.{node.name}", node


def test_no_class_is_longer_than_a_few_screens() -> None:
    assert not {name: lines(node) for name, node in classes() if lines(node) > MOST_CLASS_LINES}


def test_classes_with_many_attributes_are_those_that_have_a_reason() -> None:
    wide = {
        name: len(attributes(node)) for name, node in classes() if len(attributes(node)) > MOST_ATTRIBUTES
    }
    assert wide.keys() == WIDE.keys(), wide


def test_no_function_is_longer_than_a_screen() -> None:
    found = {
        f"{name}.{node.name}"
        for name, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines(node) > MOST_FUNCTION_LINES
    }
    assert found == LONG


def test_no_file_is_longer_than_can_be_read_at_one_go() -> None:
    ours = ("handler", "daemon", "reports", "tests", "benchmarks", "docs", "examples")
    files = [file for folder in ours for file in sorted((ROOT / folder).rglob("*.py"))]
    lengths = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in files}
    assert not {name: length for name, length in lengths.items() if length > MOST_FILE_LINES}
