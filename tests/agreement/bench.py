"""Every shared document with both verdicts, and the spoilt ones made from those that are valid; each judged once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from lxml import etree

from tests.agreement.collection import Shared, collection
from tests.agreement.compare import Difference, Judges, Verdicts, differences
from tests.agreement.invented import invented
from tests.agreement.mutants import Mutation, Placed, more, mutant, mutations, thorough
from tests.official import Official, occurring
from tests.support.sample import EVERYTHING, Sampling
from xsd.catalogue import Catalogue, Standard

LEAST = 240  #: mutants of a standard, if it has not more places than that
CHOICE = 40  #: of one mutation, from the smallest documents
BASES = 15  #: real documents, and as many invented ones, that the mutants of one standard are made from
BASE_BYTES = 40_000  #: larger ones are used only where there are no smaller ones
INVENTED = "invented"
SHARE = 0.2  #: of the mutants, where a run takes a sample
#: The data types occur only as the types of others' elements: these attributes are theirs.
KITH, KITH_ATTRIBUTES = "http://www.kith.no/xmlstds", frozenset({"V", "S", "DN", "OT", "U"})


class Bench:
    """Judges when first asked, and remembers."""

    def __init__(
        self, standards: Path, ours: Catalogue | None = None, only: str = "", sampling: Sampling = EVERYTHING
    ) -> None:
        """`only` one standard's documents, by its key, instead of all; `sampling` says which mutants of all."""
        self._sampling = sampling
        self.judges = Judges(ours or Catalogue.load(), Official(standards))
        self.rows = differences()
        self.used: set[Difference] = set()
        documents = (d for d in collection(standards) if not only or d.kind == only)
        inventions = _inventions(s for s in self.judges.ours.standards() if not only or s.key == only)
        self.shared = tuple((d, names) for d in (*documents, *inventions) if (names := _namespaces(d)))
        self.verdicts = lru_cache(maxsize=None)(self._verdicts)
        self.mutants = lru_cache(maxsize=None)(self._mutants)

    def of(self, standard: Standard) -> list[Shared]:
        """The documents in which the standard's namespace is used."""
        return [document for document, names in self.shared if standard.namespace in names]

    def _verdicts(self, document: Shared) -> tuple[Verdicts, ...]:
        root = document.root()
        assert root is not None
        return tuple(self.judges.both(part) for part in self.judges.documents(root))

    def _mutants(self, standard: Standard) -> list[tuple[str, Mutation, Verdicts]]:
        bases = self._bases(standard)
        namespaces = [occurring(root) for _, root in bases]
        return [
            (bases[n][0], mutation, self.judges.spoilt(mutant(bases[n][1], mutation), namespaces[n]))
            for n, mutation in self._sampling.some(
                _chosen(standard, [root for _, root in bases]), SHARE, standard.key, least=LEAST
            )
        ]

    def _bases(self, standard: Standard) -> list[tuple[str, etree._Element]]:
        """Documents both sides find valid and know all of: real and invented ones, small ones where there are some."""
        good = [d for d in self.of(standard) if all(v.equal and not v.ours for v in self.verdicts(d))]
        small = [d for d in good if len(d.raw) <= BASE_BYTES] or good
        kinds = ([d for d in small if d.kind != INVENTED], [d for d in small if d.kind == INVENTED])
        parts = [
            [(d.name, part) for d in sorted(kind, key=_size) for part in self.judges.documents(_root(d))]
            for kind in kinds
        ]
        whole = [[one for one in kind if not self.judges.ours.covers(one[1])] for kind in parts]
        return sorted((one for kind in whole for one in _spread(kind, BASES)), key=_length)

    def unexplained(self, verdicts: Verdicts, name: str = "") -> bool:
        """Whether the sides differ and no row says why."""
        if verdicts.equal:
            return False
        rows = [row for row in self.rows if row.explains(verdicts, name)]
        self.used.update(rows)
        return not rows


def _inventions(standards: Iterable[Standard]) -> Iterator[Shared]:
    for standard in standards:
        if standard.has_schema and standard.root:
            for number, raw in enumerate(invented(standard, 8)):
                yield Shared(f"{standard.key}, invented {number}", INVENTED, "", raw)


def _namespaces(document: Shared) -> frozenset[str]:
    root = document.root()
    if root is None:
        return frozenset()
    names = {str(name) for element in root.iter(etree.Element) for name in (element.tag, *element.attrib)}
    found = {etree.QName(name).namespace or "" for name in names}
    return frozenset(found | {KITH} if any(name.startswith(KITH) for name in found) else found)


def _chosen(standard: Standard, bases: list[etree._Element]) -> list[Placed]:
    """All places of the standard's own namespace; where these are few, others inside its documents, and then own ones again."""
    own = _pool(bases, _mine(standard))
    chosen = thorough(own, standard.key)
    if len(chosen) < LEAST and standard.kind == "document":
        chosen += more(_pool(bases, _inside(standard)), LEAST - len(chosen), standard.key)
    return chosen if len(chosen) >= LEAST else more(own, 3 * LEAST, standard.key)


def _pool(bases: list[etree._Element], mine: Callable[[etree._Element, str], bool]) -> list[Placed]:
    """From few and small documents, so that a place is not tried where much else stands around it."""
    pool: list[Placed] = []
    met: Counter[tuple[str, str, str]] = Counter()
    for number, root in enumerate(bases):
        for one in mutations(root, mine):
            place = (one.kind, one.where, one.attribute)
            met[place] += 1
            if met[place] <= CHOICE:
                pool.append((number, one))
    return pool


def _mine(standard: Standard) -> Callable[[etree._Element, str], bool]:
    """Elements and attributes of the standard's namespace."""
    if standard.namespace == KITH:
        return lambda _, attribute: attribute in KITH_ATTRIBUTES

    def mine(element: etree._Element, attribute: str) -> bool:
        name = attribute if attribute.startswith("{") else str(element.tag)
        return name.startswith(f"{{{standard.namespace}}}")

    return mine


def _inside(standard: Standard) -> Callable[[etree._Element, str], bool]:
    """What a document of the standard holds of other namespaces."""
    start = f"{{{standard.namespace}}}"

    def inside(element: etree._Element, attribute: str) -> bool:
        return any(str(above.tag).startswith(start) for above in element.iterancestors())

    return inside


def _size(document: Shared) -> int:
    return len(document.raw)


def _length(base: tuple[str, etree._Element]) -> int:
    return sum(1 for _ in base[1].iter(etree.Element))


def _root(document: Shared) -> etree._Element:
    root = document.root()
    assert root is not None
    return root


def _spread(documents: list[tuple[str, etree._Element]], count: int) -> Iterator[tuple[str, etree._Element]]:
    """Up to `count`, evenly from the whole list."""
    step = max(1, len(documents) / count)
    for number in range(min(count, len(documents))):
        yield documents[int(number * step)]
