"""Every shared document with both verdicts, and the spoilt ones made from those that are valid; each judged once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from lxml import etree

from tests.agreement.collection import Shared, collection
from tests.agreement.compare import Difference, Judges, Verdicts, differences
from tests.agreement.invented import invented
from tests.agreement.mutants import Mutation, mutant, mutations, sample
from tests.official import Official
from xsd.catalogue import Catalogue, Standard

MUTANTS = 240
BASES = 15  #: real documents, and as many invented ones, that the mutants of one standard are made from
BASE_BYTES = 40_000  #: larger ones are used only where there are no smaller ones
INVENTED = "invented"
#: The data types occur only as the types of others' elements: these attributes are theirs.
KITH, KITH_ATTRIBUTES = "http://www.kith.no/xmlstds", frozenset({"V", "S", "DN", "OT", "U"})


class Bench:
    """Judges when first asked, and remembers."""

    def __init__(self, standards: Path) -> None:
        self.judges = Judges(Catalogue.load(), Official(standards))
        self.rows = differences()
        self.used: set[Difference] = set()
        documents = (*collection(standards), *_inventions(self.judges.ours))
        self.shared = tuple((d, names) for d in documents if (names := _namespaces(d)))
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
        pool = [(n, m) for n, (_, root) in enumerate(bases) for m in mutations(root, _mine(standard))]
        return [
            (bases[n][0], mutation, self.judges.both(mutant(bases[n][1], mutation)))
            for n, mutation in sample(pool, MUTANTS, standard.key)
        ]

    def _bases(self, standard: Standard) -> list[tuple[str, etree._Element]]:
        """Documents both sides find valid and know all of: real and invented ones, small ones where there are some."""
        good = [d for d in self.of(standard) if all(v.equal and not v.ours for v in self.verdicts(d))]
        small = [d for d in good if len(d.raw) <= BASE_BYTES] or good
        kinds = ([d for d in small if d.kind != INVENTED], [d for d in small if d.kind == INVENTED])
        parts = [[(d.name, part) for d in kind for part in self.judges.documents(_root(d))] for kind in kinds]
        whole = [[one for one in kind if not self.judges.ours.covers(one[1])] for kind in parts]
        return [one for kind in whole for one in _spread(kind, BASES)]

    def unexplained(self, verdicts: Verdicts, name: str = "") -> bool:
        """Whether the sides differ and no row says why."""
        if verdicts.equal:
            return False
        rows = [row for row in self.rows if row.explains(verdicts, name)]
        self.used.update(rows)
        return not rows


def _inventions(ours: Catalogue) -> Iterator[Shared]:
    for standard in ours.standards():
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


def _mine(standard: Standard) -> Callable[[etree._Element, str], bool]:
    """What belongs to the standard: elements and attributes of its namespace; of a document also all that it encloses."""
    if standard.namespace == KITH:
        return lambda _, attribute: attribute in KITH_ATTRIBUTES

    def mine(element: etree._Element, attribute: str) -> bool:
        if attribute.startswith("{"):
            return etree.QName(attribute).namespace == standard.namespace
        above = element.iterancestors() if standard.kind == "document" else ()
        return any(etree.QName(one).namespace == standard.namespace for one in (element, *above))

    return mine


def _root(document: Shared) -> etree._Element:
    root = document.root()
    assert root is not None
    return root


def _spread(documents: list[tuple[str, etree._Element]], count: int) -> Iterator[tuple[str, etree._Element]]:
    """Up to `count`, evenly from the whole list."""
    step = max(1, len(documents) / count)
    for number in range(min(count, len(documents))):
        yield documents[int(number * step)]
