"""`tocsin mail`: test the mail server, look at a mail, see to the outbox."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    refuse_unknown,
    say,
    say_changed,
    say_cut,
    say_json,
    say_table,
)
from tocsin.daemon.cli.options import invoke_narrowed, narrowing
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.outgoing import mail as kinds_of_mail
from tocsin.daemon.outgoing.alarm import raise_alarm, whom_to_tell
from tocsin.daemon.outgoing.mailcheck import check_templates, diagnose, example, sample
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.runtime import clock
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

STATES = ("waiting", "held", "sent", "failed", "dropped", "digested")


@click.group()
def mail() -> None:
    """Mails: test the server, preview one, see to those that wait."""


@mail.command()
@click.argument("address")
@click.option("--no-send", is_flag=True, help="Stop before a mail goes out.")
@as_json
@pass_context
def test(context: Context, address: str, no_send: bool, as_json: bool) -> None:
    """Send a test mail to ADDRESS and say, step by step, what is wrong."""
    _say_steps(context, address, as_json, send=not no_send)


def _say_steps(
    context: Context, address: str, as_json: bool, example: Mail | None = None, *, send: bool = True
) -> None:
    steps, language = [], context.page_words.language
    for step in diagnose(context.config, address, clock.now(), send=send, example=example):
        steps.append(step)
        if not as_json:
            say(f"{'ok  ' if step.ok else 'FAIL'}  {step.name:<10}  {step.text.said(language)}")
            if step.remedy:
                say(f"      {'':<10}  {step.remedy.said(language)}")
    if as_json:
        say_json(steps)
    if not steps[-1].ok:
        sys.exit(1)


@mail.command()
@click.argument("name", metavar="NAME", type=click.Choice(sorted(kinds_of_mail.KINDS)))
@click.option("--ticket", "ticket_id", type=int, help="Of this ticket's mails; default: made-up facts.")
@click.option("--for", "audience", type=click.Choice(["client", "admin"]), help="Whom it speaks to.")
@click.option("--to", "address", help="Send it to this address.")
@click.option("--language", type=click.Choice(["en", "fr"]), help="Default: the mail's, else mail.language.")
@click.option("--html", "as_html", is_flag=True, help="Print the HTML part.")
@click.option("--open", "open_it", is_flag=True, help="Show the HTML part in the browser.")
@as_json
@pass_context
def preview(context: Context, name: str, ticket_id: int | None, audience: str | None, address: str | None,
            language: str | None, as_html: bool, open_it: bool, as_json: bool) -> None:  # fmt: skip
    """Show the mail NAME with made-up facts, or with those of a ticket; send it with --to."""
    facts = sample(name)
    if ticket_id is not None:
        found = _newest(context, name, ticket_id)
        facts, audience, language = found.facts, audience or found.audience, language or found.language
    audience = audience or ("client" if name in ("detection", "closing", "reopened") else "admin")
    language = language or context.config.mail.language
    if address is not None:
        _say_steps(context, address, as_json, example(name, facts, audience=audience, language=language))
        return
    templates = Templates(context.config.mail.templates, context.config.organisation)
    rendered = kinds_of_mail.write(name, facts, audience=audience, spoken=language, templates=templates)
    problems = check_templates(context.config.mail.templates)
    if as_json:
        say_json(
            {"subject": rendered.subject, "text": rendered.text, "html": rendered.html, "problems": problems}
        )
    else:
        say(rendered.html if as_html else f"{rendered.subject}\n\n{rendered.text}")
        for problem in problems:
            click.echo(problem, err=True)
    if open_it:
        page = Path(tempfile.mkdtemp(prefix="tocsin-")) / f"{name}.html"
        page.write_text(rendered.page, "utf-8")
        webbrowser.open(page.as_uri())


@mail.command()
@click.argument("unit", default="tocsin.service")
@pass_context
def failure(context: Context, unit: str) -> None:
    """Tell the admins at once that the daemon's UNIT has failed; systemd runs this (OnFailure=)."""
    for address in raise_alarm(whom_to_tell(context.config_file), unit, clock.now()):
        say(context.said("told %(address)s", address=address))


_states = click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; may be repeated."
)


@mail.group("outbox", invoke_without_command=True)
@_states
@narrowing("service", "client", "since", "limit", what="written")
@as_json
@click.pass_context
def outbox_group(
    click_context: click.Context, states: tuple[str, ...], selection: Selection, as_json: bool
) -> None:
    """List the mails; `release`, `drop` and `retry` them."""
    if click_context.invoked_subcommand is None:
        invoke_narrowed(click_context, list_mails, selection, states=states, as_json=as_json)


@outbox_group.command("list")
@_states
@narrowing("service", "client", "since", "limit", what="written")
@as_json
@pass_context
def list_mails(context: Context, states: tuple[str, ...], selection: Selection, as_json: bool) -> None:
    """List the mails, newest first."""
    found = queries.outbox(context.store, states, selection)
    if as_json:
        say_json(found)
    else:
        _show_list(context, found)
    if not found:
        refuse_unknown(context, selection)
    count = partial(queries.outbox_count, context.store, states, selection)
    say_cut(context, len(found), count, selection)


def _show_list(context: Context, found: list[queries.OutboxMail]) -> None:
    _ = context.words.gettext
    columns = [
        Column(_("id"), number=True),
        Column(_("state")),
        Column(_("mail")),
        Column(_("written")),
        Column(_("ticket"), number=True),
        Column(_("to")),
        Column(_("tries"), number=True),
        Column(_("why not"), text=True),
    ]
    rows = [
        [
            m.id,
            context.state("mail_", m.state),
            context.state("mail_kind_", m.kind),
            m.created_at,
            m.ticket_id,
            _("channel %(name)s") % {"name": m.channel} if m.channel else m.recipient,
            m.attempts,
            m.last_error.said(context.page_words.language),
        ]
        for m in found
    ]
    say_table(context, columns, rows, _("No mails."))


def _change(name: str, help_text: str, states: tuple[str, ...], change: Callable[[list[int]], int]) -> None:
    """Adds a command that changes the named mails, or all in those states."""

    @outbox_group.command(name, help=help_text)
    @click.argument("ids", nargs=-1, type=int)
    @click.option("--all", "everything", is_flag=True, help=f"All that are {' or '.join(states)}.")
    @as_json
    @pass_context_to_change
    def command(context: Context, ids: tuple[int, ...], everything: bool, as_json: bool) -> None:
        if bool(ids) == everything:
            raise click.UsageError(context.said("name the mails' numbers, or --all"))
        with context.store.transaction():
            chosen = outbox.ids(states) if everything else list(ids)
            changed = change(chosen)
        if as_json:
            say_json({"asked": len(chosen), "changed": changed})
        else:
            say_changed(
                context, context.said("%(changed)s of %(asked)s mails", changed=changed, asked=len(chosen))
            )
        if changed < len(chosen):
            raise click.ClickException(
                context.said(
                    "the others are not among those that are %(states)s; see `tocsin mail outbox`",
                    states=", ".join(context.state("", state) for state in states),
                )
            )


_change("release", "Let held mails go out.", ("held",), lambda ids: outbox.release(ids, clock.now()))
_change("drop", "Never send these mails.", ("held", "waiting", "failed"), lambda ids: outbox.drop(ids))
_change(
    "retry", "Try given-up or waiting mails now.", ("failed",), lambda ids: outbox.retry(ids, clock.now())
)


def _newest(context: Context, kind: str, ticket_id: int) -> Mail:
    with context.store.reading():
        found = outbox.newest(kind, ticket_id)
    if found is None:
        raise click.ClickException(
            context.said(
                "ticket %(ticket)s has no mail %(kind)r; see `tocsin mail outbox`",
                ticket=ticket_id,
                kind=kind,
            )
        )
    return found
