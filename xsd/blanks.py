"""White space around dates, times and durations, which XML Schema takes off (XSD 2, 4.3.6) and libxml2 does not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from lxml import etree

_Element = etree._Element

#: White space of XML, which no other blank is (XML 1.0, 2.3).
BLANKS: Final = " \t\n\r"
_ZONE: Final = r"(?:Z|[+-]\d\d:\d\d)?"
_CLOCK: Final = r"\d\d:\d\d:\d\d(?:\.\d+)?"
#: Every lexical form of the primitive types that libxml2 reads without collapsing.
_DATED: Final = re.compile(
    rf"-?\d{{4,}}(?:-\d\d(?:-\d\d(?:T{_CLOCK})?)?)?{_ZONE}|{_CLOCK}{_ZONE}|--\d\d(?:-\d\d)?{_ZONE}|---\d\d{_ZONE}"
    r"|-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
    re.ASCII,
)
Places = Collection[tuple[int, str]]


@contextmanager
def collapsed(root: _Element, places: Places) -> Iterator[bool]:
    """Inside, values at these places (line, element) that are dated but for blanks around them stand without the blanks.

    Yields whether there are any. Afterwards the document is as it was. One walk through it, however many there are.
    """
    texts, attributes = _padded(root, places) if places else ([], [])
    for element, text in texts:
        element.text = text.strip(BLANKS)
    for element, name, text in attributes:
        element.set(name, text.strip(BLANKS))
    try:
        yield bool(texts or attributes)
    finally:
        for element, text in texts:
            element.text = text
        for element, name, text in attributes:
            element.set(name, text)


def _padded(root: _Element, places: Places) -> tuple[list[tuple[_Element, str]], list[tuple[_Element, str, str]]]:
    texts, attributes = [], []
    for element in root.iter(*{f"{{*}}{name}" for _, name in places}):
        if (element.sourceline, str(element.tag).rpartition("}")[2]) not in places:
            continue
        if element.text and not len(element) and is_padded(element.text):
            texts.append((element, element.text))
        attributes += [(element, str(name), str(text)) for name, text in element.attrib.items() if is_padded(str(text))]
    return texts, attributes


def is_padded(text: str) -> bool:
    """Whether it is a date, a time or a duration with white space around it."""
    bare = text.strip(BLANKS)
    return bare != text and _DATED.fullmatch(bare) is not None
