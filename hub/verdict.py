"""What a check may answer: a small closed set, in which temporary and permanent are never the same word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing against it. `warnings` go back as an ErrorList of severity Warning, which still means accepted."""

    warnings: tuple[Refuse, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """No, for good. `code` is a row of hub.codes; `because` is for people and never holds content."""

    code: str
    because: str
    location: str = ""  #: XPath of the element at fault, for eb:Error/@location
    rule: str = ""  #: the standard's rule, e.g. "HITS 1172 45"
    norwegian: str = ""  #: the same for Norwegian readers, where they get to see it (OT of an AppRec)
    data: tuple[
        str, ...
    ] = ()  #: errorConditionData of an error report on the bus: names, or what was expected and came


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: something of ours could not be asked. The bytes are kept and judged again."""

    code: str
    because: str
    after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Hold:
    """Put aside until a person releases it."""

    code: str
    because: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Seen before: the same answer again, and nothing delivered."""

    code: str
    because: str
    arrival_id: str


Verdict = Pass | Refuse | Retry | Hold | Duplicate

PASS = Pass()
