"""The Norwegian catalogue is whole: whatever can be said in English can be said in Norwegian, with the same places filled."""

from __future__ import annotations

import re
import string

import pytest

from hub import norwegian
from hub.checks.content.chain import RULES
from hub.codes import REASONS
from hub.formats.schema_words import PHRASES, TYPES
from hub.formats.xml import SYNTAX
from ops.look.report import SAID


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_every_rule_is_said_in_both_languages_and_answers_with_a_known_code(rule: object) -> None:
    text, hint = norwegian.RULES[rule.id]  # type: ignore[attr-defined]
    assert _places(text) == _places(rule.text)  # type: ignore[attr-defined]
    assert hint and rule.hint and rule.clause  # type: ignore[attr-defined]
    assert rule.code in REASONS  # type: ignore[attr-defined]


def test_rules_have_their_own_ids_and_no_norwegian_sentence_is_left_over() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert set(norwegian.RULES) == set(ids)


def test_every_schema_mistake_is_said_in_both_languages() -> None:
    assert set(norwegian.MISTAKES) == set(PHRASES)
    for kind, (text, hint) in PHRASES.items():
        assert _places(text) == _places(norwegian.MISTAKES[kind][0])
        assert _places(hint) == _places(norwegian.MISTAKES[kind][1]) or kind == "misplaced"


def test_every_name_of_a_type_and_of_a_syntax_error_is_said_in_norwegian() -> None:
    words = {word for pair in TYPES.values() for word in pair}
    assert words | set(SYNTAX.values()) <= set(norwegian.WORDS)


def test_everything_else_the_validator_says_is_said_in_both_languages() -> None:
    assert set(norwegian.SAID) == set(SAID)
    assert all(_places(SAID[k][0]) == _places(norwegian.SAID[k][0]) for k in SAID)


def test_no_norwegian_sentence_has_english_words() -> None:
    english = re.compile(r"\b(the|is|not|and|must|does|here|there|with|without|of)\b")
    sentences = [*norwegian.RULES.values(), *norwegian.MISTAKES.values(), *norwegian.SAID.values()]
    assert not [s for pair in sentences for s in pair if english.search(s)]
