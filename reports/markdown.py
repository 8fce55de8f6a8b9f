"""One error as Markdown, ready to paste into a coding agent or an issue. Pure."""

from __future__ import annotations

from tocsin.reports.facts.details import ErrorDetail
from tocsin.reports.facts.samples import EventFacts, RaisedFacts
from tocsin.reports.text import capped, fence, visible

LOCALS = 20
"""Local variables shown of the innermost frame of ours."""


def markdown(error: ErrorDetail) -> str:
    """What is known of the error: where, how often, the chain of exceptions with source and locals."""
    place = f"{error.source}:{error.line}" + (f" in `{_line(error.function)}`" if error.function else "")
    parts = [
        f"## Error {error.id}: {_line(error.title)}",
        "",
        f"- service: {_line(error.service)}"
        + (f" ({_line(error.environment)})" if error.environment else ""),
        f"- place: {_line(place)}",
        f"- occurrences: {error.occurrences}, first {error.first_seen.iso}, last {error.last_seen.iso}",
    ]
    if error.release:
        parts.append(f"- release: {_line(error.release)}")
    parts += ["", *_fenced(error.message, "text")]
    event = next((sample.event for sample in error.samples if sample.event), None)
    if event:
        for raised in event.exceptions:
            parts += ["", *_raised(raised)]
        parts += _variables(event)
    for change in error.corrections_recorded:
        parts += [
            "",
            f"Tried before, by {_line(change.applied_by)} ({change.test_status}): {_line(change.file_path)}",
        ]
        parts += [*_fenced(change.old_code, "python"), "became", *_fenced(change.new_code, "python")]
    parts += [
        "",
        "When it is corrected: "
        f"`tocsin correct {error.id} --file F --old O --new N --by WHO`, then `tocsin validate {error.id}`.",
        "",
    ]
    return "\n".join(parts)


def _raised(raised: RaisedFacts) -> list[str]:
    heading = {"cause": "Caused by", "context": "While handling", "group": "In the group"}.get(
        raised.relation
    )
    lines = [f"**{heading}**" if heading else "**Traceback** (innermost call last)", ""]
    text = []
    for frame in raised.frames:
        text.append(f"{frame.path}:{frame.line} in {frame.function}")
        if frame.in_app:
            for number, code in enumerate(frame.source, frame.first):
                text.append(f"  {'>' if number == frame.line else ' '} {number:4d} {code}")
        elif frame.statement:
            text.append(f"    {frame.statement}")
    text.append(f"{raised.type}: {raised.text}")
    return lines + _fenced("\n".join(text), "text")


def _variables(event: EventFacts) -> list[str]:
    frames = [
        frame for raised in event.exceptions[:1] for frame in raised.frames if frame.in_app and frame.locals
    ]
    if not frames:
        return []
    known = "\n".join(f"{name} = {value}" for name, value in list(frames[-1].locals.items())[:LOCALS])
    return ["", f"Variables in `{_line(frames[-1].function)}`:", *_fenced(known, "text")]


def _fenced(text: str, language: str) -> list[str]:
    clean = visible(capped(text))
    mark = fence(clean)
    return [f"{mark}{language}", clean, mark]


def _line(text: str) -> str:
    return visible(" ".join(capped(text, 500).split()))
