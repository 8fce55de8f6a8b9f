"""Options that several commands share: what a listing is narrowed to, moments, who does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from msgspec import structs

from tocsin.daemon.cli.wording import told
from tocsin.daemon.queries.moment import iso
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.runtime import clock
from tocsin.daemon.settings import Duration


class Moment(click.ParamType[float]):
    """An ISO 8601 moment, UTC when it names no zone; becomes epoch seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if (found := iso(str(value))) is None:
            self.fail(told("%(value)r is no time; write it as 2026-01-31T14:05:00Z", value=value), param, ctx)
        return found


class Since(click.ParamType[float]):
    """How long ago (`2h`, `7d`) or an ISO 8601 moment; becomes epoch seconds."""

    name = "since"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return clock.now() - Duration.parse(str(value))
        except ValueError:
            found = iso(str(value))
        if found is None:
            self.fail(
                told(
                    "%(value)r is no time; write how long ago, as 2h or 7d, or 2026-01-31T14:05:00Z",
                    value=value,
                ),
                param,
                ctx,
            )
        return found


_OPTIONS: dict[str, Callable[[str], Callable[..., Any]]] = {
    "service": lambda what: click.option("--service", metavar="NAME", help="Only of this service."),
    "client": lambda what: click.option("--client", metavar="ID", help="Only of this client."),
    "since": lambda what: click.option(
        "--since", type=Since(), metavar="TIME", help=f"Only those {what} since: 2h, 7d, 2026-01-31."
    ),
    "limit": lambda what: click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="At most so many; what is cut is said."
    ),
}


def invoke_narrowed(
    click_context: click.Context, command: click.Command, selection: Selection, **more: Any
) -> None:
    """Runs a listing in its group's place, with what was given to the group."""
    known = {parameter.name for parameter in command.params}
    given = {name: value for name, value in structs.asdict(selection).items() if name in known}
    click_context.invoke(command, **given, **more)


def narrowing(*names: str, what: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options that become one `selection`; `what` happened is what `--since` goes by."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def called(*args: Any, **kwargs: Any) -> Any:
            given = {name: kwargs.pop(name) for name in names}
            return command(*args, selection=Selection(**given), **kwargs)

        for name in reversed(names):
            called = _OPTIONS[name](what)(called)
        return called

    return decorate
