"""Schemas are compiled whole or not at all: libxml2 passes over an import that it could not load, and says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from xsd import ground
from xsd.catalogue import Catalogue

MSGHEAD = "http://www.kith.no/xmlstds/msghead/2006-05-24"


def _ground() -> ground.Ground:
    return Catalogue.load()._grounds[0]


def _losing(monkeypatch: pytest.MonkeyPatch, word: str, times: int) -> list[str]:
    """The places that were asked for; the first so many with that word are not found."""
    resolve, asked = ground._Resolver.resolve, list[str]()

    def lost(self: Any, url: str | None, public_id: str | None, context: Any) -> Any:
        if word in (url or ""):
            asked.append(url or "")
            if len(asked) <= times:
                return None  # what a loader does that knows no such address
        return resolve(self, url, public_id, context)

    monkeypatch.setattr(ground._Resolver, "resolve", lost)
    return asked


@pytest.mark.parametrize("word", ["msghead", "felleskomponent", "kith"])
def test_a_schema_that_was_not_loaded_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Of its own, and one that another uses."""
    whole = _ground().compiled([MSGHEAD])
    asked = _losing(monkeypatch, word, 1)
    again = _ground().compiled([MSGHEAD])
    assert not asked or len(asked) > 1
    assert (whole is not again) and type(whole) is type(again)


def test_one_that_never_comes_is_our_fault_and_no_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    _losing(monkeypatch, "msghead", 99)
    with pytest.raises(RuntimeError, match="were not loaded, own/msghead"):
        _ground().compiled([MSGHEAD])


def test_every_schema_here_is_loaded_whole() -> None:
    """Each by itself, so that no other brings what it forgot; with enclosed documents that nobody knows, too."""
    own = _ground()
    for name in sorted(own.places):
        for lax in (False, True):
            own.compiled([name], lax=lax)
