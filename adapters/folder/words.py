"""What a receipt says to the people of an office: where each receiver's copy stands, what its AppRec says, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from hub.message import Language
from hub.norwegian_reasons import state
from hub.record_systems.values import AppRecInfo, AppRecStatus, Said, Standing, Status
from hub.states import SETTLED, State

#: Words of ours, in English and in Norwegian. The first word of a receipt is the same in both: programs read it.
WORDS: dict[str, tuple[str, str]] = {
    "taken": ("it is taken", "den er tatt imot"),
    "final": ("final: nothing more happens by itself", "endelig: mer skjer ikke av seg selv"),
    "open": ("not final: this file is written anew when more is known", "ikke endelig: filen skrives på nytt når mer er kjent"),
    "to": ("to HER-id", "til HER-id"),
    "do": ("what to do", "hva du gjør"),
    "line": ("line", "linje"),
    "same": ("this document was handed over before; follow", "dette dokumentet er levert før; følg"),
    "elsewhere": ("this document was handed over before, by another door", "dette dokumentet er levert før, en annen vei"),
    "only-xml": ("only .xml is looked at; this file stays where it is", "bare .xml blir sett på; filen blir liggende"),
    "rights": ("check who may read it", "kontroller hvem som kan lese den"),
    AppRecStatus.OK: ("accepted", "godtatt"),
    AppRecStatus.REJECTED: ("rejected", "avvist"),
    AppRecStatus.PARTLY: ("accepted with an error in a part", "godtatt med feil i en del"),
}  # fmt: skip


def word(key: str, language: Language) -> str:
    """One of WORDS."""
    return WORDS[key][language == "nb"]


def standing(status: Status, language: Language) -> str:
    """Of a document that was taken: how it stands at each receiver, and whether that is the end."""
    settled = all(State(one.state) in SETTLED for one in status.receivers)
    lines = [f"message {status.message_id}", f"accepted: {word('taken', language)}"]
    lines.append(word("final" if settled else "open", language))
    for one in status.receivers:
        lines += ["", *_at(one, language)]
    return "\n".join(lines) + "\n"


def _at(one: Standing, language: Language) -> Iterator[str]:
    at = f" ({one.changed_at:%Y-%m-%d %H:%M} UTC)" if one.changed_at else ""
    yield f"{word('to', language)} {one.receiver}: {state(one.state, language)}{at}"
    text, hint = one.words(language)
    if one.code:
        yield f"  {one.code}: {text}"
    if hint:
        yield f"  {word('do', language)}: {hint}"
    if one.apprec is not None:
        yield from _apprec(one.apprec, language)


def _apprec(apprec: AppRecInfo, language: Language) -> Iterator[str]:
    yield f"  AppRec: {word(apprec.status, language)}"
    for fault in apprec.faults:
        description = f" {one_line(fault.description)}" if fault.description else ""
        details = f": {one_line(fault.details)}" if fault.details else ""
        yield f"  - {one_line(fault.code)}{description}{details}"


def refused(said: Said, language: Language) -> str:
    """Of a document that was not taken: why, and every place at fault."""
    text, hint = said.words(language)
    lines = ["refused", f"{said.code}: {text}", *([f"{word('do', language)}: {hint}"] if hint else [])]
    for one in said.places:
        wrong, mend = one.words(language)
        lines.append(f"- {word('line', language)} {one.line}: {one.rule}: {wrong}. {mend}".rstrip())
    return "\n".join(lines) + "\n"


def again(said: Said, file: str, language: Language) -> str:
    """Of a document that was handed over before: which receipt follows it; empty: it came by another door."""
    words = f"{word('same', language)} receipts/{file}.txt" if file else word("elsewhere", language)
    return f"message {said.message_id}\n{said.code}: {words}\n{word('final', language)}\n"


def waits(said: Said, language: Language) -> str:
    """Of a file that cannot be taken now; it is tried again."""
    text, hint = said.words(language)
    return "\n".join(["waits", f"{said.code}: {text}", *([f"{word('do', language)}: {hint}"] if hint else [])]) + "\n"


def one_line(text: str) -> str:
    """What somebody else wrote, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
