"""The terminal speaks its reader's language: the shell's, else that of the pages; help and refusals too."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.command_catalogue import catalogue
from support.daemon_process import TOCSIN

from tocsin.daemon.cli.wording import shell_language

FACT = re.compile(r"%\(\w+\)[a-z]|\{\w+(?:!r)?\}")


def tocsin(*arguments: str, config: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    named = ("--config", str(config)) if config else ()
    return subprocess.run(
        [*TOCSIN, *named, *arguments], env={**own, **environ}, capture_output=True, text=True
    )  # fmt: skip


@pytest.fixture
def french_pages(tmp_path: Path) -> Path:
    file = tmp_path / "tocsin.toml"
    file.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[report]\nlanguage = "fr"\n')
    return file


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "POSIX"}, None),
        ({"LANG": "de_DE.UTF-8"}, None),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:fr:en"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
        ({}, None),
    ],
)
def test_a_shell_asks_for_a_language_as_gettext_reads_it(environ: dict[str, str], asked: str | None) -> None:
    assert shell_language(environ) == asked


def test_help_is_in_the_language_of_the_shell() -> None:
    said = tocsin("mute", "--help", LANG="fr_FR.UTF-8").stdout
    assert "Usage\N{NO-BREAK SPACE}: tocsin mute" in said
    assert "Met une erreur en sourdine" in said
    assert "Combien de temps" in said
    assert "Affiche cette aide." in said


def test_the_groups_of_commands_are_named_in_the_language_of_the_shell() -> None:
    said = tocsin("--help", LANG="fr_FR.UTF-8").stdout
    assert "Erreurs et tickets" in said
    assert "Liste les tickets, les plus récents d’abord." in said


def test_a_wrong_option_is_refused_in_the_language_of_the_shell() -> None:
    refused = tocsin("errors", "--limit", "0", LANG="fr_FR.UTF-8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Valeur non valable pour '--limit'" in refused.stderr
    assert "Essayez «" in refused.stderr


def test_a_missing_argument_is_refused_in_the_language_of_the_shell() -> None:
    assert "Argument manquant 'ERROR_ID'" in tocsin("mute", LANG="fr_FR.UTF-8").stderr


def test_an_answer_is_in_the_language_of_the_shell_before_that_of_the_pages(french_pages: Path) -> None:
    assert tocsin("errors", config=french_pages, LANG="en_US.UTF-8").stdout == "No errors. All is quiet.\n"


def test_an_answer_is_in_the_language_of_the_pages_where_the_shell_names_none(french_pages: Path) -> None:
    assert tocsin("errors", config=french_pages, LANG="C.UTF-8").stdout == "Aucune erreur. Tout est calme.\n"


def test_what_is_not_there_is_told_in_the_reader_s_language(french_pages: Path) -> None:
    said = tocsin("ticket", "7", config=french_pages, LANG="C.UTF-8").stderr
    assert "il n’y a pas de ticket 7" in said


def test_the_doctor_speaks_the_language_of_the_shell(french_pages: Path) -> None:
    said = tocsin("doctor", config=french_pages, LANG="fr_FR.UTF-8").stdout
    assert "Lancez une fois `tocsin daemon`" in said
    assert "Start " not in said


def test_what_the_database_refuses_is_told_in_the_reader_s_language(french_pages: Path) -> None:
    refused = tocsin("resolve", "7", config=french_pages, LANG="C.UTF-8")
    assert refused.returncode == 1
    assert "tocsin: there is no" not in refused.stderr
    assert "n’existe pas" in refused.stderr or "il n’y a pas" in refused.stderr, refused.stderr


def test_a_french_text_is_filled_in_with_the_same_facts() -> None:
    for message in catalogue():
        several = isinstance(message.id, list | tuple)
        pairs = zip(message.id, message.string, strict=True) if several else [(message.id, message.string)]
        for english, french in pairs:
            assert message.id == "" or set(FACT.findall(english)) == set(FACT.findall(french)), english
