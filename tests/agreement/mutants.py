"""Spoils documents on purpose: one element or attribute at a time, the same way every time for the same seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import Literal

from lxml import etree

Kind = Literal["drop", "double", "move", "rename", "empty", "value", "drop-attribute", "attribute-value"]
KINDS: tuple[Kind, ...] = (
    "drop",
    "double",
    "move",
    "rename",
    "empty",
    "value",
    "drop-attribute",
    "attribute-value",
)
SETTING = frozenset({"value", "attribute-value"})
VALUES_EACH = 2
#: Each of these is wrong for most types and right for some: what both schemas must agree about.
WRONG = (
    *("", " ", "§", "é", "x y", "x\ty", " x ", "A" * 80, "<&>", "'", "true", "false", "TRUE", "yes"),
    *("0", "1", "-1", "+1", "007", "12", "1.5", ".5", "1,5", "1E3", "INF", "NaN", "9" * 30, "0x1F"),
    *("2011", "2011-02", "2011-02-28", "2011-02-30", "2011-13-01", "28.02.2011", "20110228", "2011-02-28Z", "--02-28"),
    *("2011-02-28T10:00:00", "2011-02-28T10:00:00Z", "2011-02-28T10:00", "2011-02-28T25:00:00", "2011-02-28 10:00:00"),
    *("10:00:00", "12:60", "24:00:00", "P4D", "PT1H", "P", "4D", "-P1Y"),
    *(
        "urn:a:b",
        "http://a/b?c=d",
        "http://[",
        "%zz",
        "a b:c",
        "AAAA",
        "AAA=",
        "AAA",
        "A=AA",
        "nb-NO",
        "a:b",
        "1a",
        "_a",
    ),
    *("1.2.3", "1..2", "1.2.", "2.16.578.1.12.4.1.1.8116", "e1a0d3f5-0c43-4b0e-9d2a-7d0f3c1b2a39"),
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done, and where: the element's place in document order, its own and its parent's name."""

    kind: Kind
    index: int
    where: str
    attribute: str = ""
    value: str = ""


#: A mutation, and the number of the document it is for.
Placed = tuple[int, Mutation]


def mutations(root: etree._Element, mine: Callable[[etree._Element, str], bool]) -> Iterator[Mutation]:
    """What can be spoilt in the elements and attributes that `mine` accepts; wrong values are chosen when one is drawn."""
    for index, element in enumerate(root.iter(etree.Element)):
        where = _where(element)
        if mine(element, ""):
            yield from _of_element(element, index, where)
        for name in map(str, element.attrib):
            if mine(element, name):
                yield Mutation("drop-attribute", index, where, name)
                yield Mutation("attribute-value", index, where, name)


def _of_element(element: etree._Element, index: int, where: str) -> Iterator[Mutation]:
    if (parent := element.getparent()) is not None:
        # one of several is another place than the only one: it is not missed
        several = "" if len(parent.findall(str(element.tag))) == 1 else "[]"
        yield Mutation("drop", index, f"{where}{several}")
        yield from (Mutation(kind, index, where) for kind in ("double", "move"))
    yield Mutation("rename", index, where)
    if len(element) or element.text:
        yield Mutation("empty", index, where)
    if not len(element):
        yield Mutation("value", index, where)


def _where(element: etree._Element) -> str:
    parent = element.getparent()
    return f"{'' if parent is None else etree.QName(parent).localname}/{etree.QName(element).localname}"


def mutant(root: etree._Element, mutation: Mutation) -> etree._Element:
    """A copy of the document with that one thing done to it."""
    spoilt = copy.deepcopy(root)
    element = next(e for i, e in enumerate(spoilt.iter(etree.Element)) if i == mutation.index)
    _DO[mutation.kind](element, mutation)
    return spoilt


def _drop(element: etree._Element, _: Mutation) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _double(element: etree._Element, _: Mutation) -> None:
    element.addnext(copy.deepcopy(element))


def _move(element: etree._Element, _: Mutation) -> None:
    """To the end among its siblings, or to the front if it stands there already."""
    parent = element.getparent()
    assert parent is not None
    parent.insert(0 if parent[-1] is element else len(parent), element)


def _rename(element: etree._Element, _: Mutation) -> None:
    element.tag = f"{element.tag}X"


def _empty(element: etree._Element, _: Mutation) -> None:
    del element[:]
    element.text = None


def _value(element: etree._Element, mutation: Mutation) -> None:
    element.text = mutation.value


def _drop_attribute(element: etree._Element, mutation: Mutation) -> None:
    del element.attrib[mutation.attribute]


def _attribute_value(element: etree._Element, mutation: Mutation) -> None:
    element.set(mutation.attribute, mutation.value)


_DO: dict[Kind, Callable[[etree._Element, Mutation], None]] = {
    "drop": _drop,
    "double": _double,
    "move": _move,
    "rename": _rename,
    "empty": _empty,
    "value": _value,
    "drop-attribute": _drop_attribute,
    "attribute-value": _attribute_value,
}


def thorough(pool: Iterable[Placed], seed: str) -> list[Placed]:
    """Every kind at every place of the pool once; wrong values several."""
    return [
        one for kind, variants in _places(pool, seed) for one in islice(variants, VALUES_EACH if kind in SETTING else 1)
    ]


def more(pool: Iterable[Placed], count: int, seed: str) -> list[Placed]:
    """Up to `count` of them, every kind and place in turn."""
    turns = zip_longest(*(variants for _, variants in _places(pool, seed)))
    return list(islice((one for turn in turns for one in turn if one is not None), count))


def _places(pool: Iterable[Placed], seed: str) -> list[tuple[Kind, Iterator[Placed]]]:
    dice = random.Random(seed)
    places: dict[tuple[Kind, str, str], list[Placed]] = {}
    for one in pool:
        places.setdefault((one[1].kind, one[1].where, one[1].attribute), []).append(one)
    shuffled = dice.sample(list(places.items()), len(places))
    return [(key[0], _variants(key[0], place, dice)) for key, place in shuffled]


def _variants(kind: Kind, place: list[Placed], dice: random.Random) -> Iterator[Placed]:
    """All at one place; where a wrong value is set, one with every wrong value, then the same with others."""
    order, wrong = dice.sample(place, len(place)), dice.sample(WRONG, len(WRONG))
    if kind not in SETTING:
        yield from order
        return
    for shift in range(len(order)):
        for number, value in enumerate(wrong):
            base, mutation = order[(number + shift) % len(order)]
            yield base, replace(mutation, value=value)
