"""One rule: what it looks at, and what it decides. Every kind of match is one line in `MATCHES`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.message import Channel
from hub.ports import RouteFacts

NORWAY = ZoneInfo("Europe/Oslo")
Words = str | list[str]


class Match(BaseModel):
    """What a rule asks for; everything that is set must fit. A list means any of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    direction: Words | None = Field(None, description="in, out or local.")
    sender: Words | None = Field(None, description="HER-id of the sender.")
    receiver: Words | None = Field(None, description="HER-id of the receiver.")
    receiver_local: bool | None = Field(None, description="Whether this hub serves the receiver.")
    system: Words | None = Field(None, description="Record system of a local receiver.")
    kind: Words | None = Field(None, description="business or apprec.")
    type: Words | None = Field(None, description="Type code, e.g. HENVISNING.")
    version: Words | None = Field(None, description="Version of the standard, e.g. 1.1.")
    namespace: Words | None = Field(None, description="Namespace of the document.")
    service: Words | None = Field(None, description="eb:Service, e.g. S-HENVISNING.")
    action: Words | None = Field(None, description="eb:Action.")
    urgent: bool | None = Field(None, description="Whether the document asks for priority H.")
    min_size: int | None = Field(None, description="Least size of the document in bytes.", ge=0)
    max_size: int | None = Field(None, description="Largest size of the document in bytes.", ge=0)
    from_time: time | None = Field(None, description="Norwegian time from which it holds, e.g. 16:00.")
    to_time: time | None = Field(None, description="Norwegian time before which it holds; may pass midnight.")
    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = Field(
        None, description="Days on which it holds."
    )


class Then(BaseModel):
    """What a rule decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["deliver", "hold", "refuse"] = Field("deliver", description="What happens to it.")
    channel: Channel | None = Field(None, description="By which way, if not the usual one.")
    address: str = Field("", description="To which address, if not the usual one.")
    priority: int | None = Field(None, description="0 goes first, 9 last.", ge=0, le=9)


class Rule(BaseModel):
    """One row of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="What people call it; stands in the journal.", min_length=1)
    because: str = Field("", description="The reason, for people.")
    match: Match = Match()
    then: Then = Then()

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.then.address and self.then.channel is None:
            raise ValueError("an address without a channel: say both, or neither")
        return self

    def misses(self, facts: RouteFacts) -> str:
        """Empty when it matches, else the first thing that does not fit, in words."""
        return next((text for fits, text in (m(self.match, facts) for m in MATCHES) if not fits), "")


Found = tuple[bool, str]


def _word(field: str, read: Callable[[RouteFacts], str]) -> Callable[[Match, RouteFacts], Found]:
    def match(asked: Match, facts: RouteFacts) -> Found:
        wanted, found = getattr(asked, field), read(facts)
        fits = wanted is None or found == wanted or (isinstance(wanted, list) and found in wanted)
        return fits, f"{field} is {found or '(none)'}"

    return match


def _flag(field: str, read: Callable[[RouteFacts], bool]) -> Callable[[Match, RouteFacts], Found]:
    def match(asked: Match, facts: RouteFacts) -> Found:
        wanted, found = getattr(asked, field), read(facts)
        return wanted is None or wanted == found, f"{field} is {str(found).lower()}"

    return match


def _size(asked: Match, facts: RouteFacts) -> Found:
    small = asked.min_size is not None and facts.size < asked.min_size
    large = asked.max_size is not None and facts.size > asked.max_size
    return not (small or large), f"size is {facts.size} bytes"


def _clock(asked: Match, facts: RouteFacts) -> Found:
    now = facts.at.astimezone(NORWAY).time()
    start, end = asked.from_time or time.min, asked.to_time
    if end is None:
        fits = now >= start
    elif start <= end:
        fits = start <= now < end
    else:  # over midnight
        fits = now >= start or now < end
    return fits, f"Norwegian time is {now:%H:%M}"


def _weekday(asked: Match, facts: RouteFacts) -> Found:
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[facts.at.astimezone(NORWAY).weekday()]
    return asked.weekdays is None or day in asked.weekdays, f"the day is {day}"


MATCHES: tuple[Callable[[Match, RouteFacts], Found], ...] = (
    _word("direction", lambda f: f.direction),
    _word("sender", lambda f: f.sender),
    _word("receiver", lambda f: f.receiver),
    _flag("receiver_local", lambda f: f.receiver_local),
    _word("system", lambda f: f.system),
    _word("kind", lambda f: f.kind),
    _word("type", lambda f: f.type_code),
    _word("version", lambda f: f.version),
    _word("namespace", lambda f: f.namespace),
    _word("service", lambda f: f.service),
    _word("action", lambda f: f.action),
    _flag("urgent", lambda f: f.urgent),
    _size,
    _clock,
    _weekday,
)
