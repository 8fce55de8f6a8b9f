"""A user's own templates: used where they work, reported where they do not, never a lost mail."""

from __future__ import annotations

import pytest

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.mailcheck import check_templates, sample
from tocsin.daemon.outgoing.templating import Templates


@pytest.fixture
def overrides(tmp_path):
    """Writes a template of the user's; the directory is `overrides.path`."""

    def put(name, text):
        (tmp_path / name).write_text(text, "utf-8")
        return Templates(tmp_path)

    put.path = str(tmp_path)
    return put


def write(templates, kind="detection", **changes):
    return mail.write(kind, {**sample(kind), **changes}, audience="client", spoken="en", templates=templates)


def test_one_file_replaces_one_template_and_leaves_the_others(overrides):
    letter = write(overrides("detection.txt", "Ours: {{ title }} in {{ service }}"))
    assert letter.text == "Ours: IntegrityError: UNIQUE constraint failed: orders.number in shop\n"
    assert letter.html == write(Templates()).html


def test_a_layout_of_the_users_is_used_by_the_built_in_mails(overrides):
    templates = overrides("_layout.txt", "Dear reader\n{% block body %}{% endblock %}")
    assert write(templates).text.startswith("Dear reader")


def test_a_users_html_template_escapes_like_the_built_in_ones(overrides):
    letter = write(overrides("detection.html", "<p>{{ title }}</p>"), title="<script>")
    assert letter.html == "<p>&lt;script&gt;</p>\n"


BROKEN = (
    "{% if %}", "{{ no_such_value }}", "{{ 1 / 0 }}", "{{ title.no.such.thing }}",
    "{% extends 'no_such_file' %}",
    "{% for n in range(10**9) %}x{% endfor %}", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% include '/etc/passwd' %}", "{% include '../../../etc/passwd' %}", "{{ mails.append(1) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
)  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_template_is_reported_and_the_built_in_one_used(overrides, text):
    templates = overrides("detection.txt", text)
    assert write(templates).text == write(Templates()).text
    assert "detection.txt" in templates.problems["detection.txt"]


def test_a_template_that_is_not_text_is_reported_and_the_built_in_one_used(overrides, tmp_path):
    templates = overrides("detection.txt", "")
    (tmp_path / "detection.txt").write_bytes(b"\xff\xfe\x00")
    assert write(templates).text == write(Templates()).text
    assert templates.problems


def test_a_corrected_template_is_used_again_and_no_problem_is_left(overrides):
    templates = overrides("detection.txt", "{% if %}")
    write(templates)
    overrides("detection.txt", "fine now, and longer")
    assert write(templates).text == "fine now, and longer\n"
    assert templates.problems == {}


def test_the_check_names_broken_templates_and_those_that_replace_nothing(overrides):
    overrides("closing.html", "{{ oops }}")
    overrides("detektion.txt", "hello")
    found = "\n".join(check_templates(overrides.path))
    assert "closing.html does not work" in found
    assert "detektion.txt replaces no template" in found
    assert len(check_templates(overrides.path)) == 2


def test_the_check_has_nothing_to_say_of_good_templates(overrides):
    overrides("closing.html", "<p>{{ title }} {{ created_at | moment }} {{ watch_seconds | duration }}</p>")
    assert check_templates(overrides.path) == []
    assert check_templates(None) == []


def test_a_directory_that_is_not_there_is_named(tmp_path):
    assert "no such directory" in check_templates(str(tmp_path / "nothing"))[0]
