"""A client's mail as an admin has rewritten it before its release: subject and text, in the usual frame."""

from __future__ import annotations

from tocsin.daemon.outgoing.rendering import SUBJECT_LIMIT, Facts, RenderContext, RenderedMail, line, text

TEXT_LIMIT = 20_000


def edited(facts: Facts, context: RenderContext) -> RenderedMail | None:
    """The mail that stands in the other's place; None where nobody has rewritten it."""
    given = facts.get("edited")
    if not isinstance(given, dict):
        return None
    said = text(given.get("text") or "", TEXT_LIMIT)
    paragraphs = [part.strip("\n") for part in said.split("\n\n") if part.strip()]
    return context.render(
        "_edited", facts, line(given.get("subject") or "", SUBJECT_LIMIT), "info", paragraphs=paragraphs
    )
