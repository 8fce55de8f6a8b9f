"""Why something failed is stored once and read in the language of whoever looks."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.queries.moment import to_json
from tocsin.daemon.reason import NONE, Reason, said

REFUSED = Reason("%(server)s refuses the connection", server="mail.example.org:25")
CHECK = Reason("Check SMTP_HOST and SMTP_PORT; is the server running?")


def test_as_a_string_it_is_english() -> None:
    assert REFUSED == "mail.example.org:25 refuses the connection"


def test_it_reads_in_french() -> None:
    assert REFUSED.said("fr") == "mail.example.org:25 refuse la connexion"


def test_joined_reasons_are_sentences_of_one() -> None:
    joined = Reason.joined(REFUSED, NONE, CHECK)
    assert joined == f"{REFUSED}. {CHECK}"
    assert joined.said("fr").startswith("mail.example.org:25 refuse la connexion. Vérifiez SMTP_HOST")


def test_a_reason_within_a_reason_is_translated_too() -> None:
    of = Reason("%(recipient)s: %(reason)s", recipient="it@acme.example", reason=REFUSED)
    assert of.said("fr") == "it@acme.example\N{NO-BREAK SPACE}: mail.example.org:25 refuse la connexion"


def test_what_was_stored_as_a_text_alone_is_read_as_that_text() -> None:
    assert Reason.read("550 100% full", None).said("fr") == "550 100% full"


def test_no_reason_stays_empty_in_every_language() -> None:
    assert NONE.said("fr") == ""


def test_json_has_the_english_text() -> None:
    assert to_json({"why": REFUSED}) == '{"why":"mail.example.org:25 refuses the connection"}'


def test_another_text_is_said_as_it_is() -> None:
    assert said("spool_full", "fr") == "spool_full"


facts = st.dictionaries(st.sampled_from(["a", "b"]), st.text() | st.integers(), max_size=2)


@given(st.lists(facts, max_size=3))
def test_what_is_stored_reads_back_in_both_languages(parts: list[dict[str, object]]) -> None:
    reason = Reason.joined(
        *(Reason("".join(f"%({name})s " for name in one) or "100%", **one) for one in parts)
    )
    stored = msgspec.json.decode(msgspec.json.encode(reason.stored))
    read = Reason.read(str(reason), stored)
    assert (read, read.said("fr")) == (reason, reason.said("fr"))
