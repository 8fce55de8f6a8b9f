"""The API's operations as routes of the console: HTTP in, a checked call, its answer or what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from starlette.responses import Response

from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.queries.moment import to_json
from tocsin.reports.api import checking, openapi
from tocsin.reports.api.checking import NotJson
from tocsin.reports.api.operation import Call, InvalidValue, Operation, Page
from tocsin.reports.console.answers import problem
from tocsin.reports.console.request import ConsoleRequest


def answering(operation: Operation) -> Callable[[ConsoleRequest], Response]:
    """What answers a request for this operation."""

    def answer(request: ConsoleRequest) -> Response:
        waits = request.site.calls.wait(request.who.name, request.now)
        if waits:
            response = problem(429, openapi.PROBLEMS[429])
            response.headers["Retry-After"] = str(int(waits) + 1)
            return response
        request.site.calls.count(request.who.name, request.now)
        try:
            return _answered(request, operation)
        except NotJson as error:
            return _problem(400, error)
        except InvalidValue as error:
            return _problem(422, error, key=error.key)
        except NotThere as error:
            return _problem(404, error)
        except Meanwhile as error:
            return _problem(409, error)
        except Failed as error:
            return _problem(422, error, key=checking.key_in(str(error), operation))

    return answer


def document(request: ConsoleRequest) -> Response:
    """The OpenAPI document: it holds nothing that the source does not."""
    return _unless_known(request, openapi.text(), openapi.JSON)


def _answered(request: ConsoleRequest, operation: Operation) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if operation.body is not None and request.body and kind != openapi.JSON:
        return problem(415, openapi.PROBLEMS[415])
    who = request.who
    call = Call(
        request.site.store, request.site.config, request.now, who.name, who.client_id, who.scopes, request.path,
        checking.query(operation, request.query), checking.body(operation, request.body),
    )  # fmt: skip
    given = operation.call(call)
    if operation.returns is None:
        return Response(status_code=operation.status)
    found = given.items if isinstance(given, Page) else given
    text = found if isinstance(found, str) else to_json(found)
    media = openapi.MARKDOWN if operation.returns is str else openapi.JSON
    if operation.method != "GET":
        return Response(text, operation.status, media_type=media)
    response = _unless_known(request, text.encode(), media)
    if isinstance(given, Page) and given.cursor:
        following = request.raw.url.include_query_params(cursor=given.cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def _unless_known(request: ConsoleRequest, body: bytes, media: str) -> Response:
    """The content under its name, or that it is what the sender has already."""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _names(request.headers, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)


def _names(headers: Mapping[str, str], etag: str) -> bool:
    known = [one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")]
    return etag in known or known == ["*"]


def _problem(status: int, error: Failed, *, key: str = "") -> Response:
    return problem(status, openapi.PROBLEMS[status], str(error), **({"key": key} if key else {}))
