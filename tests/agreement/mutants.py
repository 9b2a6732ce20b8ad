"""Spoils documents on purpose: one element or attribute at a time, the same way every time for the same seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
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
#: Each of these is wrong for most types and right for some: what both schemas must agree about.
WRONG = (
    *("", " ", "§", "x y", "A" * 80, "true", "TRUE", "1", "-1", "+1", "1.5", "1E3", "INF", "9" * 30),
    *(
        "2011",
        "2011-02",
        "2011-02-28",
        "2011-02-30",
        "2011-02-28T10:00:00Z",
        "2011-02-28T25:00:00",
        "12:60",
        "P4D",
        "4D",
    ),
    *("urn:a:b", "http://[", "AAAA", "AAA=", "AAA", "A=AA", "nb-NO", "a:b", "1.2.3", "1..2"),
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done, and where: the element's place in document order, its own and its parent's name."""

    kind: Kind
    index: int
    where: str
    attribute: str = ""
    value: str = ""


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
    if element.getparent() is not None:
        yield from (Mutation(kind, index, where) for kind in ("drop", "double", "move"))
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


def sample(pool: Iterable[tuple[int, Mutation]], count: int, seed: str) -> list[tuple[int, Mutation]]:
    """Up to `count` of them, every kind and every place getting its turn before any gets a second one."""
    dice = random.Random(seed)
    by_kind: dict[Kind, list[tuple[int, Mutation]]] = {kind: [] for kind in KINDS}
    for one in pool:
        by_kind[one[1].kind].append(one)
    queues = {kind: _with_values(list(islice(_in_turn(by_kind[kind], dice), count)), kind, dice) for kind in KINDS}
    drawn: list[tuple[int, Mutation]] = []
    while queues and len(drawn) < count:
        for kind in list(queues):
            if (one := next(queues[kind], None)) is None:
                del queues[kind]
            else:
                drawn.append(one)
    return drawn[:count]


def _with_values(drawn: list[tuple[int, Mutation]], kind: Kind, dice: random.Random) -> Iterator[tuple[int, Mutation]]:
    """Those that set a value, once with each wrong value, but first each with one."""
    if not kind.endswith("value"):
        yield from drawn
        return
    wrong = dice.sample(WRONG, len(WRONG))
    for turn in range(len(wrong)):
        for number, (base, mutation) in enumerate(drawn):
            yield base, replace(mutation, value=wrong[(turn + number) % len(wrong)])


def _in_turn(pool: list[tuple[int, Mutation]], dice: random.Random) -> Iterator[tuple[int, Mutation]]:
    dice.shuffle(pool)
    places: dict[tuple[str, str], list[tuple[int, Mutation]]] = {}
    for one in pool:
        places.setdefault((one[1].where, one[1].attribute), []).append(one)
    while places:
        for place in list(places):
            yield places[place].pop()
            if not places[place]:
                del places[place]
