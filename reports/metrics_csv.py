"""The metrics as CSV: for spreadsheets, which must not take a text for a formula."""

from __future__ import annotations

import csv
import io

from tocsin.daemon import queries
from tocsin.daemon.queries.metrics import MetricsFacts


def metrics_csv(numbers: MetricsFacts) -> str:
    """The numbers as `group,name,number,value` lines; the same values as in the JSON."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("group", "name", "number", "value"))
    for key, value in queries.to_builtins(numbers).items():
        if not isinstance(value, list):
            lines.writerow(("all", "", key, "" if value is None else value))
            continue
        for entry in value:
            label, *rest = entry.items()
            name = label[1]
            if key == "top_corrected":
                name = f"{entry['source']} {entry['message']}"
                rest = [("corrections_count", entry["corrections_count"])]
            for number, one in rest:
                lines.writerow((key, _cell(name), number, "" if one is None else one))
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
