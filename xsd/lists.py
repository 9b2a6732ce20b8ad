"""The code lists that rules ask, by number."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def code_list(number: str) -> frozenset[str]:
    """The codes of a list. Raises KeyError for a list that does not ship with the project."""
    return _all()[number]


@cache
def _all() -> dict[str, frozenset[str]]:
    found = tomllib.loads((files("xsd") / "lists.toml").read_text("utf-8"))
    return {number: frozenset(row["codes"].split()) for number, row in found.items()}
