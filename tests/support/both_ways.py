"""Goes the long way as well, wherever an envelope is known again: hub.trust.pattern may find nothing else than that one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lxml import etree

from hub.formats import envelope, xml
from hub.trust.pattern import Patterns, Recognised
from hub.trust.signature import SignaturePolicy, Verified, verify


@dataclass(frozen=True, slots=True)
class Watched(Recognised):
    """Proven both ways."""

    raw: bytes
    root: etree._Element

    def proven(self, parts: Mapping[str, bytes], policy: SignaturePolicy) -> Verified | None:
        """The same answer, and the same references for the Acknowledgment; what is not proven is refused by the long way."""
        short, long = Recognised.proven(self, parts, policy), verify(self.raw, self.root, parts, policy)
        if policy == self.pattern.policy:
            assert (short is not None) == isinstance(long, Verified), long
        if short is not None:
            assert isinstance(long, Verified) and short == long
            assert [r.xml for r in short.references] == [r.xml for r in long.references]
        return short


def both_ways(recognise: Callable[[bytes], Recognised | None]) -> Callable[[bytes], Recognised | None]:
    """What is recognised is well-formed, within its bounds, and reads the same."""

    def watched(raw: bytes) -> Watched | None:
        found = recognise(raw)
        if found is None:
            return None
        root = xml.parse(raw, xml.Bounds(len(raw)))
        assert isinstance(root, etree._Element), root
        assert envelope.read(root) == found.envelope
        return Watched(found.envelope, found.pattern, found.holes, raw, root)

    return watched


def watch(patterns: Patterns) -> Patterns:
    """From now on this memory is asked both ways."""
    setattr(patterns, "recognise", both_ways(patterns.recognise))  # noqa: B010  in this one only
    return patterns
