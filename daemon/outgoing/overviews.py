"""Mails that look back, to the admins: what waits, what became more frequent, what the week brought."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tocsin.daemon.outgoing import picture
from tocsin.daemon.outgoing.rendering import (
    Facts,
    RenderContext,
    RenderedMail,
    epoch,
    line,
    value,
    web_address,
)

CHART = "chart@tocsin"
"""Content-ID of the weekly report's chart."""


def reminder(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: what waits for somebody, since long."""
    parts = [
        _part(facts, "tickets", context._("Open tickets that nobody touched"),
              context._("Correct the error, or close the ticket by hand.")),
        _part(facts, "watches", context._("Watches that prove nothing"),
              context._("Start the application again, or close the ticket by hand.")),
        _part(facts, "held", context._("Mails to clients that wait for your release"),
              context._("tocsin mail outbox shows them, and releases or drops them.")),
    ]  # fmt: skip
    parts = [part for part in parts if part["entries"]]
    total = sum(len(part["entries"]) + part["more"] for part in parts)
    said = context.language.ngettext("%(num)s thing waits for you", "%(num)s things wait for you", total)
    summary = said % {"num": context.language.number(total)}
    return context.render("reminder", facts, f"[Tocsin] {summary}", "caution", parts=parts, summary=summary)


def more_frequent(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: an open error comes much more often than it did."""
    subject = context.ticket(facts, context._("Much more frequent: %(title)s", title=value(facts, "title")))
    rates = {name: _rate(facts.get(f"{name}_rate"), context) for name in ("usual", "recent")}
    return context.render("more_frequent", facts, subject, "alarm", **rates)


def weekly(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: what the week brought, with a chart of the last four."""
    days = [_charted(one) for one in facts.get("days", ())]
    most = max((max(one["opened"], one["closed"]) for one in days), default=0)
    opened, closed = (sum(one[key] for one in days) for key in ("opened", "closed"))
    summary = context._("Weekly report")
    rendered = context.render(
        "weekly", facts, f"[Tocsin] {summary}", "info", summary=summary, days=days, most=most,
        charted=most > 0, chart_id=CHART, colours=picture.COLOURS, numbers=numbers_of_week(facts, context),
        since=epoch(facts.get("since")) or 0.0, until=epoch(facts.get("until")) or 0.0,
        top=[_top(one, context) for one in facts.get("top", ())],
        metrics_url=web_address(facts.get("metrics_url")),
        preheader=_week_in_short(facts, context),
        chart_text=context._(
            "Bars: %(opened)s tickets opened and %(closed)s closed in four weeks",
            opened=context.language.number(opened), closed=context.language.number(closed),
        ),
    )  # fmt: skip
    chart = picture.bars([(one["opened"], one["closed"]) for one in days]) if most else b""
    return replace(rendered, pictures={CHART: chart} if chart else {})


def _part(facts: Facts, key: str, heading: str, remedy: str) -> dict[str, Any]:
    """One kind of what waits, each entry with since when."""
    entries = [
        {
            "text": " ".join(filter(None, [_number(one), value(one, "title") or value(one, "kind")])),
            "since": epoch(one.get("since")) or 0.0,
            "url": web_address(one.get("ticket_url")),
        }
        for one in facts.get(key, ())
    ]
    more = max(0, int(facts.get(f"{key}_total") or 0) - len(entries))
    return {"heading": heading, "remedy": remedy, "entries": entries, "more": more}


def _number(item: Facts) -> str:
    """Which ticket, and for whom."""
    ticket = f"#{line(item['ticket_id'], 20)}" if item.get("ticket_id") else ""
    return " ".join(filter(None, [ticket, value(item, "recipient"), value(item, "service")]))


def _rate(given: object, context: RenderContext) -> str:
    """Occurrences an hour: whole above ten, two digits below."""
    rate = epoch(given) or 0.0
    return context.language.number(round(rate) if rate >= 10 else float(f"{rate:.2g}"))


def numbers_of_week(facts: Facts, context: RenderContext) -> list[tuple[str, str]]:
    """The week's numbers, each with its name."""

    def count(key: str) -> str:
        return context.language.number(int(facts.get(key) or 0))

    held, back = (int(facts.get(f"corrections_{key}") or 0) for key in ("held", "came_back"))
    rate = context.language.percent(held / (held + back)) if held + back else context._("nothing to tell yet")
    return [
        (context._("Errors counted"), count("occurrences")),
        (context._("New errors"), count("new_errors")),
        (context._("Tickets opened"), count("opened")),
        (context._("Tickets closed"),
         context._("%(closed)s, %(automatic)s of them by themselves",
                 closed=count("closed"), automatic=count("closed_automatically"))),
        (context._("Tickets reopened"), count("reopened")),
        (context._("Tickets open now"), count("open")),
        (context._("Corrections that held"), rate),
    ]  # fmt: skip


def _week_in_short(facts: Facts, context: RenderContext) -> str:
    return "; ".join(
        f"{name}{context._(':')} {value}" for name, value in numbers_of_week(facts, context)[1:3]
    )


def _charted(one: Facts) -> dict[str, Any]:
    """A day of the chart."""
    return {
        "day": line(one.get("day", ""), 10),
        **{key: max(0, int(one.get(key) or 0)) for key in ("opened", "closed")},
    }


def _top(one: Facts, context: RenderContext) -> dict[str, Any]:
    count = int(one.get("count") or 0)
    said = context.language.ngettext("%(num)s time", "%(num)s times", count)
    text = " ".join(filter(None, [f"{value(one, 'service')}{context._(':')}", value(one, "title")]))
    return {
        "text": text,
        "times": said % {"num": context.language.number(count)},
        "url": web_address(one.get("url")),
    }
