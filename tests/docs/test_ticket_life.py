"""What a client reads on its ticket's page in each situation of its life, in English and in French."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "pages"
sys.path.insert(0, str(PAGES))
ticket_life = import_module("ticket_life")

LEADS = {
    "by-itself": ("We noticed an error and are looking into it.",
                  "Nous avons détecté une erreur et nous l’examinons."),
    "by-itself-batch": ("We noticed an error and are looking into it.",
                        "Nous avons détecté une erreur et nous l’examinons."),
    "by-hand": ("Our team is looking into it.", "Notre équipe s’en occupe."),
    "by-client": ("Our team is looking into it.", "Notre équipe s’en occupe."),
    "answered": ("Our team is looking into it.", "Notre équipe s’en occupe."),
    "corrected": ("We are correcting it and make sure that it does not come back.",
                  "Nous la corrigeons et vérifions qu’elle ne revient pas."),
    "not-exercised": ("We are correcting it and make sure that it does not come back.",
                      "Nous la corrigeons et vérifions qu’elle ne revient pas."),
    "unseen": ("We noticed an error and are looking into it.",
               "Nous avons détecté une erreur et nous l’examinons."),
    "ready": ("We are correcting it and make sure that it does not come back.",
              "Nous la corrigeons et vérifions qu’elle ne revient pas."),
    "closed-corrected": ("It was corrected, and it did not come back while we watched.",
                         "Elle a été corrigée et n’est pas revenue pendant notre surveillance."),
    "closed-quiet": ("It no longer occurs: it did not come back while we watched.",
                     "Elle ne se produit plus : elle n’est pas revenue pendant notre surveillance."),
    "closed-by-hand": ("Our team has closed it.", "Notre équipe l’a clos."),
    "reopened": ("It is open again. Our team is looking into it.",
                 "Le ticket est rouvert. Notre équipe s’en occupe."),
    "reopened-by-hand": ("It is open again. Our team is looking into it.",
                         "Le ticket est rouvert. Notre équipe s’en occupe."),
}  # fmt: skip
WATCHED = {"en": "Watched for", "fr": "Durée de surveillance"}


class Read:
    """The pages of a situation in one language."""

    def __init__(self, name: str, language: str, directory: Path) -> None:
        [one] = [one for one in ticket_life.SITUATIONS if one.name == name]
        life = ticket_life.Life(directory, language)
        one.live(life)
        report = life.written()
        self.client, self.admin = (
            next(report.glob(place)).read_text("utf-8") for place in ticket_life.READERS.values()
        )

    @property
    def lead(self) -> str:
        """The client's sentence on how its ticket stands."""
        found = re.search(r'<p class="lead">(.*?)</p>', self.client)
        assert found is not None
        return found[1]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", [one.name for one in ticket_life.SITUATIONS])
def test_each_situation_has_its_own_true_sentence_for_the_client(
    name: str, language: str, tmp_path: Path
) -> None:
    read = Read(name, language, tmp_path)
    assert read.lead.replace("\xa0", " ") == LEADS[name][language == "fr"]
    assert "KeyError" not in read.client


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_closing_by_hand_rests_on_no_watching(language: str, tmp_path: Path) -> None:
    read = Read("closed-by-hand", language, tmp_path)
    assert WATCHED[language] not in read.client
    assert WATCHED[language] not in read.admin


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_closing_by_itself_says_how_long_it_was_watched(language: str, tmp_path: Path) -> None:
    read = Read("closed-quiet", language, tmp_path)
    assert WATCHED[language] in read.client
    assert WATCHED[language] in read.admin


def test_every_situation_has_its_pictures() -> None:
    taken = {file.stem for file in ticket_life.HERE.glob("*.png")}
    wanted = {
        f"{one.name}-{reader}-{language}"
        for one in ticket_life.SITUATIONS
        for reader in ticket_life.READERS
        for language in ticket_life.LANGUAGES
    }
    assert taken == wanted
    assert (ticket_life.HERE / "README.md").read_text("utf-8") == ticket_life.table()
