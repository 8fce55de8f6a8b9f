"""`tocsin deployed SERVICE RELEASE`: a release is out."""

from __future__ import annotations

import click

from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context_to_change,
    say_changed,
    say_json,
)
from tocsin.daemon.cli.options import Moment


@click.command()
@click.argument("service")
@click.argument("release")
@click.option("--environment", help="Default: each in which the service was heard.")
@click.option("--at", type=Moment(), help="Since when it is out; default: now.")
@by_option
@as_json
@pass_context_to_change
def deployed(
    context: Context,
    /,
    service: str,
    release: str,
    environment: str | None,
    at: float | None,
    by: str,
    as_json: bool,
) -> None:
    """Say that a release of a service is out: what was corrected in it is watched from now on."""
    found = context.source.deployed(service, release, by, environment, at)
    if as_json:
        say_json(found)
        return
    for one in found:
        out = {"release": f"{service} {release}"}
        said = (
            context.said("%(release)s is out", **out)
            if one.new
            else context.said("%(release)s is known to be out already", **out)
        )
        say_changed(context, said, f"{service} {one.environment}".strip())
