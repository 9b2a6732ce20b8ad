"""What a content rule is: an id, its clause, how grave a breach is, and a function that finds breaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from hub.checks.content.subject import Subject as Subject

#: An error refuses the document by a negative AppRec; a warning is told to people and refuses nothing (HIS 80415 3.3.2).
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Found:
    """A breach: the element that it is in, and a harmless word (a code, a count, a name of an element), never content."""

    element: etree._Element | None
    about: str = ""


Check = Callable[[Subject], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One question. `code` is the row of hub.codes that says how a breach is answered in every language we speak."""

    id: str
    clause: str
    severity: Severity
    code: str
    text: str  #: what is wrong; `{about}` is what was found
    hint: str  #: what to do
    check: Check


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule at its place."""

    rule: Rule
    line: int  #: 1-based; 0 where no element can be named
    element: str
    about: str

    @property
    def text(self) -> str:
        """What is wrong, in English."""
        return self.rule.text.format(about=self.about)


def examine(subject: Subject, rules: tuple[Rule, ...]) -> tuple[Finding, ...]:
    """Every breach, in the order of the rules."""
    return tuple(_finding(rule, found) for rule in rules for found in rule.check(subject))


def _finding(rule: Rule, found: Found) -> Finding:
    if found.element is None:
        return Finding(rule, 0, "", found.about)
    line = found.element.sourceline
    return Finding(rule, line if isinstance(line, int) else 0, str(etree.QName(found.element).localname), found.about)
