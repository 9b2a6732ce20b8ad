"""What a folder's receipt says: a word for every state and status in both languages, and nothing that leaves its line."""

from __future__ import annotations

from itertools import product

import pytest

from adapters.folder import words
from hub import norwegian_reasons
from hub.message import Place
from hub.record_systems.values import AppRecInfo, AppRecStatus, Fault, Said, Standing, Status, TransportState
from hub.states import SETTLED, State

LANGUAGES = ("en", "nb")


def standing(state: str, apprec: AppRecInfo | None = None) -> Standing:
    return Standing("8009102", TransportState.ACKNOWLEDGED, True, apprec, state, "apprec-negative", "because")


@pytest.mark.parametrize(("language", "state"), list(product(LANGUAGES, State)), ids="-".join)
def test_every_state_has_its_words_and_says_whether_it_is_the_end(language, state):
    text = words.standing(Status("m", (standing(state), standing(State.DONE))), language)
    assert norwegian_reasons.state(state, language) in text
    final = words.word("final", language), words.word("open", language)
    assert [one in text for one in final] == [state in SETTLED, state not in SETTLED]


@pytest.mark.parametrize(("language", "status"), list(product(LANGUAGES, AppRecStatus)), ids="-".join)
def test_an_apprec_is_told_with_every_error(language, status):
    """Each on a line of its own, whatever its writer put into it."""
    faults = (Fault("E10", "oid", "Ugyldig\nmelding", "felt 1\r\nmessage x"), Fault("E20"))
    text = words.standing(Status("m", (standing("rejected", AppRecInfo(status, faults)),)), language)
    assert words.WORDS[status][language == "nb"] in text
    assert "  - E10 Ugyldig melding: felt 1 message x\n  - E20\n" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_tells_every_place(language):
    place = Place(7, 3, "MsgId", "HODE-01", "error", ("no UUID", "Give one"), ("ingen UUID", "Gi en"))
    said = Said("refused", "document-schema", "1 mistake", norwegian="1 feil", places=(place, place))
    lines = words.refused(said, language).splitlines()
    wrong = "line 7: HODE-01: no UUID. Give one" if language == "en" else "linje 7: HODE-01: ingen UUID. Gi en"
    assert lines[0] == "refused" and lines[1].startswith("document-schema: ")
    assert lines[-2:] == [f"- {wrong}"] * 2


@pytest.mark.parametrize(("language", "code"), list(product(LANGUAGES, ("disk-full", "file-unreadable"))), ids="-".join)
def test_what_waits_says_why_and_what_to_do_in_the_language_of_its_reader(language, code):
    said = Said("later", code, "7 bytes")
    text, hint = said.words(language)
    assert words.waits(said, language) == f"waits\n{code}: {text}\n{words.word('do', language)}: {hint}\n"


def test_no_word_is_missing_in_either_language():
    assert all(all(pair) and pair[0] != pair[1] for pair in words.WORDS.values())
    assert set(AppRecStatus) <= set(words.WORDS)
