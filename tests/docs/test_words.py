"""The names of packages, modules and classes: plain English and the field's terms, or words of the glossary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.markdown import ROOT

PLAIN = ROOT / "tests" / "docs" / "words.txt"
GLOSSARY = ROOT / "docs" / "glossary.md"
TOPS = ("handler", "daemon", "reports")
ENTRY = re.compile(r"(?m)^\| (?!word \||---)([^|]+) \|")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def public_names(top: Path) -> Iterator[tuple[str, str]]:
    """Each public package, module and class below a directory, and where it is."""
    for file in sorted(top.rglob("*.py")):
        where = str(file.relative_to(top.parent))
        module = file.parent.name if file.name == "__init__.py" else file.stem
        if not module.startswith("_"):
            yield module, where
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, f"{where}:{node.lineno}"


def parts(name: str) -> list[str]:
    """`HTTPHeaders` is http, headers; `rule2_keys` is rule, keys: numbers are no words."""
    return [part.lower() for part in PART.findall(name)]


def singulars(word: str) -> set[str]:
    """The word itself, and what it may be the plural of."""
    found = {word}
    if word.endswith("s"):
        found.add(word[:-1])
    if word.endswith("es"):
        found.add(word[:-2])
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    return found


def plain_words() -> list[str]:
    return PLAIN.read_text("utf-8").split()


def entries() -> list[list[str]]:
    """The glossary's entries in order, each with its forms."""
    found = ENTRY.findall(GLOSSARY.read_text("utf-8"))
    return [[form.strip().lower() for form in entry.split(",")] for entry in found]


def terms() -> set[tuple[str, ...]]:
    """The glossary's entries as sequences of words; one with a hyphen is also one word (`in-app`, `inapp`)."""
    forms = [form for entry in entries() for form in entry]
    return {tuple(re.findall("[a-z]+", text)) for form in forms for text in (form, form.replace("-", ""))}


def unexplained(name: str, plain: set[str], known: set[tuple[str, ...]]) -> set[str]:
    """The parts of a name that are not plain and in no entry of which the name has every word, in order."""
    words = parts(name)
    explained: set[int] = set()
    for term in known:
        for at in range(len(words) - len(term) + 1):
            if all(wanted in singulars(word) for wanted, word in zip(term, words[at:], strict=False)):
                explained |= set(range(at, at + len(term)))
    return {word for at, word in enumerate(words) if at not in explained and not singulars(word) & plain}


@pytest.mark.parametrize("top", TOPS)
def test_every_public_name_is_plain_english_or_in_the_glossary(top: str) -> None:
    plain, known = set(plain_words()), terms()
    found = [
        f"{where}: {name} ({', '.join(sorted(strange))})"
        for name, where in public_names(ROOT / top)
        if (strange := unexplained(name, plain, known))
    ]
    if found:
        pytest.fail("explain in docs/glossary.md (plain English: tests/docs/words.txt)\n" + "\n".join(found))


def test_the_plain_words_are_sorted_and_stand_there_once() -> None:
    assert plain_words() == sorted(set(plain_words()))


def test_the_glossary_is_sorted() -> None:
    heads = [re.sub("[^a-z]", "", entry[0]) for entry in entries()]
    assert heads == sorted(set(heads))


@pytest.mark.parametrize(
    ("name", "strange"),
    [
        ("Wombler", {"wombler"}),
        ("wombler_files", {"wombler"}),
        ("Queries2", set()),
        ("AliveIntervals", set()),
        ("AliveFiles", {"alive"}),
        ("inapp", set()),
    ],
)
def test_a_name_is_judged_by_each_of_its_words(name: str, strange: set[str]) -> None:
    known = {("alive", "interval"), ("in", "app"), ("inapp",)}
    assert unexplained(name, {"file", "interval", "query"}, known) == strange
