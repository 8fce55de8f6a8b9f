"""Whatever a program sends that is as the document says, or is not: no answer that the document does not name."""

from __future__ import annotations

import os
from functools import cache

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tocsin.reports.api.openapi import PREFIX, document
from tocsin.reports.api.operations import OPERATIONS
from tocsin.reports.console.throttle import Throttle

EXAMPLES = int(os.environ.get("TOCSIN_FUZZ", "12"))
"""Calls of each operation, of each kind."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LABELS = [f"{one.method} {PREFIX}{one.path.replace(':int', '')}" for one in OPERATIONS]


@cache
def schema():
    return schemathesis.openapi.from_dict(document())


def test_the_served_document_is_the_one_that_is_drawn_and_needs_no_token(api):
    served = api.console.browser().get(f"{PREFIX}/openapi.json")
    assert served.json() == document()
    assert {f"{m.upper()} {p}" for p, ms in served.json()["paths"].items() for m in ms} == set(LABELS)


class FuzzContract:
    @pytest.mark.parametrize(
        "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"]
    )
    @pytest.mark.parametrize("label", LABELS)
    def test_every_answer_is_one_that_the_document_names(self, api, label, mode):
        operation = schema().find_operation_by_label(label)
        api.console.site.calls = Throttle(10**9, 60.0)
        caller = api.caller()

        @settings(
            max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case):
            wanted = case.as_transport_kwargs(base_url=str(caller.base_url))
            headers = {
                name: value for name, value in dict(wanted["headers"]).items() if "auth" not in name.lower()
            }
            sent = {
                key: wanted[key]
                for key in ("json", "data", "files", "content")
                if wanted.get(key) is not None
            }
            answer = caller.request(
                wanted["method"], wanted["url"], params=wanted.get("params"), headers=headers, **sent
            )
            case.validate_response(answer, checks=CHECKS)

        call()


class TestOnSqlite(FuzzContract):
    database = "sqlite"


class TestOnPostgres(FuzzContract):
    database = "postgres"
