"""The examples of docs/api.md, run against a console on a socket."""

from __future__ import annotations

from support.markdown import ROOT, blocks

from tocsin.daemon import queries
from tocsin.daemon.accounts import tokens
from tocsin.reports.api.operations import OPERATIONS

PAGE = ROOT / "docs" / "api.md"


def test_the_examples_do_what_they_say(api, address, monkeypatch, capsys):
    store = api.world.store
    monkeypatch.setenv("TOCSIN_URL", address)
    monkeypatch.setenv("TOCSIN_TOKEN", tokens.add(store, "copilot", tokens.SCOPES, "ana", api.world.now))
    names: dict[str, object] = {}
    for block in blocks(PAGE):
        if block.mark == "api":
            exec(compile(block.text, f"{PAGE.name}:{block.line}", "exec"), names)
    (made,) = queries.corrections(store)
    assert (made.applied_by, made.test_status) == ("copilot", "passed")
    assert queries.claims(store) == []
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "422 priority"
    assert "KeyError" in printed[0]


def test_the_page_names_every_operation():
    text = PAGE.read_text("utf-8")
    for operation in OPERATIONS:
        last = operation.path.replace(":int", "").rstrip("}").split("/")
        word = next(part for part in reversed(last) if not part.startswith("{"))
        assert word in text, operation.path
