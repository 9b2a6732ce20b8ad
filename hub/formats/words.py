"""Words of another system, made fit for a person's eyes: on one line, short, nothing that moves a cursor, nobody's number."""

from __future__ import annotations

import re
import unicodedata

#: Longest quotation of one text, in characters.
LONGEST = 200
#: Longest of several together.
LONGEST_TOGETHER = 500
#: What stands before the partner's words in a reason; what follows it is kept for people and never logged.
SAID = "; the partner said: "
#: Eleven digits in a row, as national identity numbers have them; in a word of its own, since a UUID may hold as many.
_NUMBER = re.compile(r"(?<![\w-])\d{6}[ \u00a0]?\d{5}(?![\w-])")
#: Control characters, those that change the direction of writing, halves of pairs, and what is assigned to nothing.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def quoted(text: str, longest: int = LONGEST) -> str:
    """`text` as it may stand in a reason: at most `longest` characters, and of a long one only its beginning is looked at."""
    seen = "".join(" " if _unseen(letter) else letter for letter in text[: 4 * longest])
    plain = _NUMBER.sub("(a number)", " ".join(seen.split()))
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def _unseen(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSEEN or letter in "\u2028\u2029"


def unsaid(because: str) -> str:
    """A reason without what the partner said."""
    return because.partition(SAID)[0]
