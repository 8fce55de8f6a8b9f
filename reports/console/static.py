"""Style, scripts and the icon: the files' own, read once."""

from __future__ import annotations

from starlette.responses import Response

from tocsin.reports.console import answers
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.report_files import STATIC

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in STATIC.iterdir() if path.suffix in _TYPES
}


def file(request: ConsoleRequest) -> Response:
    """One of them; a page names it with its content's stamp, so that a browser may keep it."""
    found = _FILES.get(request.path["name"])
    if found is None:
        return answers.refusal(request, 404)
    content, kind = found
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})
