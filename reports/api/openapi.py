"""The OpenAPI document, drawn from the declarations that calls are checked against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.reason import Reason
from tocsin.reports.api.operation import LARGEST_NUMBER, Operation
from tocsin.reports.api.operations import OPERATIONS

PREFIX = "/api/v1"
JSON = "application/json"
PROBLEM = "application/problem+json"
MARKDOWN = "text/markdown"


class Problem(Struct, frozen=True):
    """What is wrong (RFC 9457). `key` names the key of a body or a query that cannot be as it is."""

    type: str
    title: str
    status: int
    detail: str | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType = msgspec.UNSET


PROBLEMS = {
    400: "The body is no JSON",
    401: "No valid token",
    403: "The token lacks the scope",
    404: "It is not there, or not the token's to see",
    408: "The body came too slowly",
    409: "It is so already, or another has changed it meanwhile",
    413: "The body is larger than 1 MB",
    415: "The body is not application/json",
    421: "The Host header names another address than the console's",
    422: "A key's value cannot be; `key` names it",
    429: "Too many calls; Retry-After says when to go on",
    500: "An error of Tocsin's own",
    503: "The database cannot be reached",
}
"""What any operation may answer beside its own."""
LINK = {
    "description": 'The next page: `<...>; rel="next"`; absent on the last.',
    "schema": {"type": "string"},
}
ETAG = {"description": "Names this content, for If-None-Match.", "schema": {"type": "string"}}


def document() -> dict[str, Any]:
    """The whole document."""
    types = [Problem, *{id(one): one for one in _types(OPERATIONS)}.values()]
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_schema, ref_template="#/components/schemas/{name}"
    )
    drawn = {id(one): schema for one, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = PREFIX + re.sub(r":int}", "}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, drawn, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": version("tocsin"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


@cache
def text() -> bytes:
    """The document as JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1)


def _types(operations: Sequence[Operation]) -> list[Any]:
    return [one for op in operations for one in (op.returns, op.body) if one not in (None, str)]


def _schema(kind: type) -> dict[str, Any]:
    if kind is Moment:
        return {"type": "string", "format": "date-time", "description": "UTC"}
    if kind is Reason:
        return {"type": "string", "description": "In English"}
    raise NotImplementedError(kind)


def _operation(operation: Operation, drawn: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "description": f"Scope `{operation.scope}`.",
        "parameters": [*_in_path(operation), *_in_query(operation)],
        "responses": {str(operation.status): _answer(operation, drawn), **_problems(operation, drawn)},
    }
    if operation.body is not None:
        made["requestBody"] = {
            "required": _is_required(operation.body, components),
            "content": {JSON: {"schema": drawn[id(operation.body)]}},
        }
    return made


def _name(operation: Operation) -> str:
    words = re.findall(r"[a-z_]+", re.sub(r":int", "", operation.path))
    return "_".join(
        [operation.method.lower(), *(word for word in words if not word.endswith("_id"))]
        + (["one"] if operation.path.endswith("}") else [])
    )


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}
            if kind
            else {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
        }
        for name, kind in re.findall(r"{(\w+)(:int)?}", operation.path)
    ]


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    _, components = msgspec.json.schema_components([operation.query], schema_hook=_schema)
    properties = components[operation.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out: it is never null when it is given."""
    schema = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    others = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(others) == 1:
        return {**{name: value for name, value in schema.items() if name != "anyOf"}, **others[0]}
    if "enum" in schema:
        return {**schema, "enum": [one for one in schema["enum"] if one is not None]}
    return schema


def _answer(operation: Operation, drawn: dict[int, Any]) -> dict[str, Any]:
    if operation.returns is None:
        return {"description": "Done"}
    content = {MARKDOWN: {"schema": {"type": "string"}}}
    if operation.returns is not str:
        content = {JSON: {"schema": drawn[id(operation.returns)]}}
    headers = {"ETag": ETAG} if operation.method == "GET" else {}
    if operation.query is not None and "cursor" in operation.query.__struct_fields__:
        headers = {**headers, "Link": LINK}
    return {"description": operation.summary, "content": content, **({"headers": headers} if headers else {})}


def _problems(operation: Operation, drawn: dict[int, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(status): {"description": text, "content": {PROBLEM: {"schema": drawn[id(Problem)]}}}
        for status, text in PROBLEMS.items()
    }
    found["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    if operation.method == "GET":
        found["304"] = {"description": "Unchanged since the ETag that If-None-Match names"}
    return found


def _is_required(body: Any, components: dict[str, Any]) -> bool:
    return not isinstance(body, type) or bool(components[body.__name__].get("required"))
