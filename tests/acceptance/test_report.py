"""The conformance page says what happens."""

from __future__ import annotations

from hub.checks.content.chain import RULES
from tests.acceptance.hall import Happened
from tests.acceptance.report import PAGE, by_rule, page


def test_the_conformance_page_is_what_the_cases_came_to(happened: dict[str, Happened]) -> None:
    assert PAGE.read_text("utf-8") == page(happened), "run: python -m tests.acceptance.report"


def test_every_content_rule_has_its_tests() -> None:
    assert [rule for rule, tests in by_rule().items() if not tests] == []
    assert len(by_rule()) == len(RULES)
