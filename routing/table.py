"""Reads a routing table from TOML: all mistakes at once, each with the rule it stands in."""

from __future__ import annotations

import tomllib

from pydantic import BaseModel, ConfigDict, ValidationError

from hub.errors import ConfigurationError
from routing.rule import Rule


class Table(BaseModel):
    """The whole file: [[rule]] after [[rule]]."""

    model_config = ConfigDict(extra="forbid")

    rule: list[Rule] = []


def read_rules(text: str, name: str = "routes.toml") -> tuple[Rule, ...]:
    """The rules in their order. Raises ConfigurationError with every mistake."""
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{name}: not TOML: {error}"]) from None
    try:
        rules = tuple(Table.model_validate(written).rule)
    except ValidationError as error:
        raise ConfigurationError([f"{name}: {_mistake(e, written)}" for e in error.errors()]) from None
    names = [rule.name for rule in rules]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ConfigurationError([f"{name}: two rules are called {n}; names stand in the journal" for n in twice])
    return rules


def _mistake(error: object, written: dict[str, object]) -> str:
    assert isinstance(error, dict)
    place = list(error["loc"])
    where = ".".join(str(part) for part in place)
    rules = written.get("rule")
    if len(place) > 1 and isinstance(rules, list) and isinstance(place[1], int) and isinstance(rules[place[1]], dict):
        where = (
            f"rule {place[1] + 1} ({rules[place[1]].get('name', 'without a name')}): {'.'.join(map(str, place[2:]))}"
        )
    return f"{where}: {error['msg']}"
