"""The documentation is drawn from the code it documents."""

from pathlib import Path

from tocsin.daemon.tickets.lifecycle import diagram, steps_as_table

LIFECYCLE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_diagram_in_the_documentation_is_drawn_from_the_table():
    assert f"```mermaid\n{diagram()}\n```" in LIFECYCLE.read_text("utf-8")


def test_every_step_stands_in_the_documentation_with_what_is_done():
    assert steps_as_table() in LIFECYCLE.read_text("utf-8")
