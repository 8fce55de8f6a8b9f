"""The drawings of docs/evidence.md: is the stated chance true, and what a larger `max_chance` costs. SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from msgspec import Struct

SIDE, LEFT, TOP, GAP = 300, 62, 46, 84
INK, PALE = "#1f2937", "#d1d5db"
COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777")


class Point(Struct, frozen=True):
    """A point with its 95 % interval upwards and downwards."""

    x: float
    y: float
    low: float
    high: float
    label: str = ""


class Series(Struct, frozen=True):
    """Points of one colour, joined."""

    name: str
    points: Sequence[Point]
    joined: bool = True


class Panel(Struct, frozen=True):
    """One diagram, from (left, bottom) to (right, top)."""

    title: str
    across: str
    up: str
    right: float
    top: float
    series: Sequence[Series]
    left: float = 0.0
    bottom: float = 0.0
    diagonal: bool = False


def drawing(panels: Sequence[Panel]) -> str:
    """All panels beside each other."""
    width, height = len(panels) * (LEFT + SIDE + 24) + 12, TOP + SIDE + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * (LEFT + SIDE + 24) + LEFT} {TOP})">')
        parts += _panel(panel)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterable[str]:
    yield _text(0, -26, panel.title, "start", 'font-weight="bold"')
    for step in range(6):
        at = SIDE * step / 5
        yield f'<path d="M{at:.0f} 0V{SIDE}M0 {at:.0f}H{SIDE}" stroke="{PALE}" stroke-width="0.7"/>'
        yield _text(at, SIDE + 16, _number(panel.left + (panel.right - panel.left) * step / 5), "middle")
        yield _text(-6, SIDE - at + 4, _number(panel.bottom + (panel.top - panel.bottom) * step / 5), "end")
    yield _text(SIDE / 2, SIDE + 34, panel.across, "middle")
    yield f'<text transform="translate(-44 {SIDE / 2}) rotate(-90)" text-anchor="middle">{escape(panel.up)}</text>'
    if panel.diagonal:
        yield f'<path d="M0 {SIDE}L{SIDE} 0" stroke="{INK}" stroke-dasharray="4 4" stroke-width="1"/>'
    for series, colour in zip(panel.series, COLOURS, strict=False):
        yield from _series(panel, series, colour)
    for number, (series, colour) in enumerate(zip(panel.series, COLOURS, strict=False)):
        at = SIDE + 50 + 15 * number
        yield f'<circle cx="6" cy="{at - 4}" r="4" fill="{colour}"/>'
        yield _text(16, at, series.name, "start")


def _series(panel: Panel, series: Series, colour: str) -> Iterable[str]:
    def across(x: float) -> float:
        return SIDE * (x - panel.left) / (panel.right - panel.left)

    def upwards(y: float) -> float:
        return SIDE * (1 - (min(y, panel.top) - panel.bottom) / (panel.top - panel.bottom))

    if series.joined:
        line = "L".join(f"{across(one.x):.1f} {upwards(one.y):.1f}" for one in series.points)
        yield f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for one in series.points:
        x, y = across(one.x), upwards(one.y)
        yield f'<path d="M{x:.1f} {upwards(one.low):.1f}V{upwards(one.high):.1f}" stroke="{colour}"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        if one.label:
            yield _text(x + 6, y - 5, one.label, "start", 'font-size="10"')


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}" {more}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"
