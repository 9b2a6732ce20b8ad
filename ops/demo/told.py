"""What the demo tells: one line for each message with its whole way, then a summary; as words or as JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from ops.cli.common import print_json

#: What must not become of any message, whatever it is: nobody who waits for it has it, or a word about it.
#: A refusal with its reason is no such thing: the hub took the document's own word for what it is.
LOST = frozenset({"lost", "dead", "overdue", "held", "under way"})
COLOURS = {"delivered": "green", "rejected": "yellow", "unreadable": "yellow", "overdue": "red", "dead": "red"}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one message; `expected` is empty where nobody knows what the document deserves."""

    file: str
    type: str
    version: str
    message_id: str
    sender: str
    receiver: str
    outcome: str
    apprec: str
    code: str
    because: str
    way: Sequence[str] = field(default_factory=tuple)
    expected: str = ""
    seconds: float = 0.0
    transports: Sequence[str] = field(default_factory=tuple)  #: http, mail or house, of its deliveries

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the one that was to be shown; without one, whether it came to an end that is told."""
        return self.outcome == self.expected if self.expected else self.outcome not in LOST


def as_json(one: Told) -> dict[str, object]:
    """The object of one message (design: `samhub demo --messages`)."""
    return {
        "file": one.file,
        "type": one.type,
        "version": one.version,
        "message_id": one.message_id,
        "from": one.sender,
        "to": one.receiver,
        "outcome": one.outcome,
        "apprec": one.apprec,
        "code": one.code,
        "because": one.because,
        "way": list(one.way),
        "expected": one.expected or None,
        "transports": list(one.transports),
    }


class Teller:
    """Prints while the demo runs."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self._console = Console(highlight=False, soft_wrap=True)
        self._all: list[Told] = []

    def say(self, text: str) -> None:
        """A word for people in between; programs do not see it."""
        if not self._json:
            self._console.print(text)

    def tell(self, one: Told) -> None:
        """One message."""
        self._all.append(one)
        if self._json:
            print_json(as_json(one))
            sys.stdout.flush()
            return
        line = Text()
        line.append(
            f"{'' if one.as_expected else 'UNEXPECTED '}{one.outcome:<10} ", style=COLOURS.get(one.outcome, "red")
        )
        line.append(f"{one.file:<24.40} {one.type} {one.version}".rstrip().ljust(48))
        line.append(f" {one.sender or '?'} → {one.receiver or '?'}  ")
        line.append(" · ".join(one.way), style="dim")
        if one.outcome != "delivered":
            line.append(f"  [{one.code}] {one.because}")
        self._console.print(line)

    def summary(self, seconds: float, more: dict[str, object]) -> bool:
        """The last word; true when every outcome was the expected one."""
        counts = Counter(one.outcome for one in self._all)
        wrong = [one.file for one in self._all if not one.as_expected]
        good = bool(self._all) and not wrong and not more.get("broken")
        if self._json:
            summary = {"messages": len(self._all), "outcomes": dict(counts), "unexpected": wrong, "good": good}
            print_json({"summary": {**summary, "seconds": round(seconds, 2), **more}})
            return good
        self._console.print()
        words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        self._console.print(f"{len(self._all)} messages in {seconds:.1f} s: {words}")
        for name, value in more.items():
            self._console.print(f"{name.replace('_', ' ')}: {value}")
        self._console.print(
            self._verdict(counts, wrong, str(more.get("broken", ""))), style="green" if good else "bold red"
        )
        return good

    def _verdict(self, counts: Counter[str], wrong: Sequence[str], broken: str) -> str:
        """No more than can be known: of somebody's own messages only that none was lost, and which were refused."""
        if not self._all:
            return "NO MESSAGES: there was no *.xml to be read"
        if wrong or broken:
            return f"UNEXPECTED: {', '.join(wrong) or broken}"
        if all(one.expected for one in self._all):
            return "every outcome is the expected one"
        refused = counts["rejected"] + counts["unreadable"]
        told = f"; {refused} refused, each with its reason above" if refused else ""
        return f"{counts['delivered']} delivered and settled{told}; none lost, overdue or dead"
