"""What the validator says of one file: what it is, whether it is right, and every breach at its place, in two languages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hub import mistakes, norwegian
from hub.checks.content.rule import Finding
from hub.formats.xml import XmlFault
from hub.message import Language, Place
from hub.mistakes import BROKEN, Columns
from xsd.catalogue import SchemaFault

#: What else is said, in English; the Norwegian ones stand in hub.norwegian.SAID under the same keys.
SAID: dict[str, tuple[str, str]] = {
    **BROKEN,
    "unchecked": ("no schema here for {about}: not checked", "Import the schema: samhub schemas import."),
    "mime": ("the MIME package is not as it should be: {about}", "See the rule that is named."),
    "envelope": ("{about}", "See the rule of HITS 1172."),
    "agreed": ("not followed here: {about}", "See docs/agreements.md."),
    "cpa": ("the agreement cannot be used: {about}", "Ask for a new one."),
    "encrypted": ("the content is encrypted and was not checked", "Decrypt it, and check the document by itself."),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One breach. `line` and `column` count from 1; 0 where there is none to name."""

    line: int
    column: int
    rule: str
    severity: Literal["error", "warning"]
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one file is, and how it stands. `errors` holds warnings too; only errors make it invalid."""

    file: str
    kind: str  #: MsgHead, Message, AppRec, ebXML envelope, MIME message, CPA, CPP or unknown
    standard: str
    his: str
    version: str
    namespace: str
    errors: tuple[Remark, ...]

    @property
    def valid(self) -> bool:
        """No breach of severity error."""
        return not any(remark.severity == "error" for remark in self.errors)

    def as_json(self) -> dict[str, object]:
        """The object that `samhub validate --json` prints."""
        errors = [
            {
                "line": r.line,
                "column": r.column,
                "rule": r.rule,
                "severity": r.severity,
                "message": r.message,
                "hint": r.hint,
            }
            for r in self.errors
        ]
        return {
            "file": self.file,
            "kind": self.kind,
            "standard": self.standard,
            "his": self.his,
            "version": self.version,
            "namespace": self.namespace,
            "valid": self.valid,
            "errors": errors,
        }

    def lines(self) -> list[str]:
        """For people: one line that says what it is and how it stands, then each breach with what to do."""
        what = f"{self.standard} {self.version}".strip() or self.namespace or "not known here"
        his = f", {self.his}" if self.his else ""
        count = sum(r.severity == "error" for r in self.errors)
        standing = "valid" if self.valid else f"{count} error{'s' if count > 1 else ''}"
        found = [f"{self.file}: {self.kind}, {what}{his}: {standing}"]
        for r in self.errors:
            place = f"{r.line}:{r.column}: " if r.line else ""
            found += [f"  {place}{r.severity}: {r.message} [{r.rule}]", f"      {r.hint}"]
        return found


class Speaker:
    """Makes remarks in one language; `raw` is what line numbers refer to."""

    def __init__(self, language: Language, raw: bytes) -> None:
        self._language: Language = language
        self._columns = Columns(raw)

    def by_schema(self, faults: Iterable[SchemaFault]) -> list[Remark]:
        """Schema faults in plain words."""
        return [self._remark(place) for place in mistakes.by_schema(faults, self._columns)]

    def by_rules(self, findings: Iterable[Finding]) -> list[Remark]:
        """Broken content rules, each with its clause."""
        return [self._remark(place) for place in mistakes.by_rules(findings, self._columns)]

    def broken(self, fault: XmlFault) -> Remark:
        """Why it cannot be read as XML."""
        return self._remark(mistakes.unreadable(fault))

    def _remark(self, place: Place) -> Remark:
        return Remark(place.line, place.column, place.rule, place.severity, *place.words(self._language))

    def say(
        self,
        kind: str,
        about: str = "",
        *,
        line: int = 0,
        column: int = 0,
        rule: str = "",
        severity: Literal["error", "warning"] = "error",
    ) -> Remark:
        """One of the other things that are said, by its kind."""
        text, hint = SAID[kind]
        text = text.format(about=about)
        if self._language == "nb":
            text, hint = norwegian.said(kind, about)
        return Remark(line, column, rule or kind, severity, text, hint)
