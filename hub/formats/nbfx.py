"""Reads the one thing that .NET parties put into messages in binary XML: a serialised string (nhn-amqp.md §4.4; MC-NBFX)."""

from __future__ import annotations

#: Records of [MC-NBFX] 2.2: element without prefix, its default namespace, and text with or without its end.
_SHORT_ELEMENT, _SHORT_XMLNS, _END = 0x40, 0x08, 0x01
#: Text record → bytes of its length; the odd one of each pair ends the element.
_TEXTS = {0x98: 1, 0x99: 1, 0x9A: 2, 0x9B: 2, 0x9C: 4, 0x9D: 4}


def string(content: bytes) -> str | None:
    """The text of `<string>` as DataContractSerializer writes it, chunks joined; None when it is anything else."""
    if not content.startswith(b"\x40\x06string"):
        return None
    try:
        return _text(content, 8)
    except (IndexError, UnicodeDecodeError):
        return None


def _text(content: bytes, at: int) -> str | None:
    if content[at] == _SHORT_XMLNS:
        length, at = _size(content, at + 1)
        at += length
    found = bytearray()
    while content[at] in _TEXTS:
        record, width = content[at], _TEXTS[content[at]]
        begin = at + 1 + width
        at = begin + int.from_bytes(content[at + 1 : begin], "little")
        if at > len(content):
            return None
        found += content[begin:at]
        if record & 1:
            return found.decode()
    return found.decode() if content[at] == _END else None


def _size(content: bytes, at: int) -> tuple[int, int]:
    """A length of seven bits a byte, the lowest first, five bytes at most; and where it ends."""
    value = 0
    for place in range(5):
        byte = content[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise IndexError("a length of more than five bytes")
