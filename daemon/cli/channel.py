"""`tocsin channel`: chats and webhooks."""

from __future__ import annotations

import sys

import click

from tocsin.daemon.cli.context import Context, as_json, pass_context, say, say_json
from tocsin.daemon.outgoing import channel as messages
from tocsin.daemon.runtime import clock
from tocsin.daemon.settings import Channel


@click.group()
def channel() -> None:
    """Chats and webhooks: send a test message."""


@channel.command()
@click.argument("name", required=False)
@as_json
@pass_context
def test(context: Context, name: str | None, as_json: bool) -> None:
    """Send a test message to the channel NAME, or to each, and say what is wrong."""
    tried = [(one.name, messages.test(one, context.config, clock.now())) for one in _chosen(context, name)]
    if as_json:
        say_json(
            [
                {"channel": name, "ok": not fault.text, "text": fault.text, "remedy": fault.remedy}
                for name, fault in tried
            ]
        )
    arrived, language = context.words.gettext("a test message is there"), context.page_words.language
    for name, fault in () if as_json else tried:
        said = fault.text.said(language) or arrived
        say(f"{'FAIL' if fault.text else 'ok  '}  {name:<10}  {said}")
        if fault.remedy:
            say(f"      {'':<10}  {fault.remedy.said(language)}")
    if any(fault.text for _, fault in tried):
        sys.exit(1)


def _chosen(context: Context, name: str | None) -> list[Channel]:
    channels = context.config.channel
    if not channels:
        raise click.ClickException(
            context.said("the configuration has no [[channel]]; docs/channels.md shows how to add one")
        )
    found = [one for one in channels if name in (None, one.name)]
    if not found:
        names = ", ".join(one.name for one in channels)
        raise click.ClickException(
            context.said("no channel is called %(name)r; there are %(names)s", name=name, names=names)
        )
    return found
