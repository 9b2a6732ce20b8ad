"""Every reason and state has its Norwegian words: none too few, none too many, none left in English."""

from __future__ import annotations

import re

import pytest

from hub import norwegian_reasons
from hub.codes import REASONS
from hub.record_systems.values import Said
from hub.states import State

#: Words that no Norwegian sentence here has.
ENGLISH = re.compile(r"\b(the|is|are|was|by|with|and|not|no|its|it|of|or|from)\b(?![-.:_]| UUID)", re.I)
#: Names that stay as they are.
NAMES = re.compile(r"samhub [a-z -]+|--code [a-z-]+|[a-z]+\.[a-z]+|application/[a-z0-9-]+|DEFLATE", re.I)


def test_each_code_has_a_row_and_each_row_a_code() -> None:
    """Whoever adds a code finds it out here."""
    assert set(norwegian_reasons.REASONS) == set(REASONS)
    assert set(norwegian_reasons.STATES) == {str(state) for state in State}


@pytest.mark.parametrize("code", REASONS)
def test_a_row_says_as_much_as_the_english_one(code: str) -> None:
    """A hint where there is one, sentences that end alike, and no English left in them."""
    text, hint = norwegian_reasons.reason(code)
    row = REASONS[code]
    assert bool(hint) == bool(row.hint), "what to do stands in one language only"
    assert text and not text.endswith(".") and (not hint or hint.endswith("."))
    assert text != row.text
    assert ENGLISH.findall(NAMES.sub("", f"{text} {hint}")) == []


@pytest.mark.parametrize("state", [str(state) for state in State])
def test_a_state_has_words_in_both_languages(state: str) -> None:
    """As people say it, and no state is taken for another."""
    english, norsk = norwegian_reasons.STATES[state]
    assert (norwegian_reasons.state(state, "en"), norwegian_reasons.state(state, "nb")) == (english, norsk)
    assert english and norsk and english != norsk
    assert len({pair[language] for pair in norwegian_reasons.STATES.values() for language in (0, 1)}) == 2 * len(State)


def test_what_a_record_system_is_told_is_all_of_one_language() -> None:
    """The reason of the code, its words where there are Norwegian ones, and the hint."""
    said = Said("refused", "document-malformed", "line 3", norwegian="linje 3")
    assert said.words("nb") == ("dokumentet er ikke velformet XML: linje 3", "Linje og kolonne står i begrunnelsen.")
    assert said.words("en")[0] == "the document is not well-formed XML: line 3"
