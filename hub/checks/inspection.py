"""What has been learnt about an arrival so far; it travels with it, so that nobody goes back to ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from hub.checks.content.rule import Finding, Subject
from hub.digest import sha256
from hub.formats.amqp import BusMessage
from hub.formats.document import Document
from hub.formats.envelope import Envelope, her_id
from hub.formats.mime import Package
from hub.kit import Kit
from hub.message import Agreement, Answer, Arrival
from hub.trust.pattern import Recognised
from hub.trust.signature import Verified
from hub.verdict import PASS, Pass, Refuse, Verdict
from xsd.catalogue import Standard


@dataclass(slots=True)
class Inspection:
    """An arrival under judgement. Each check fills what it learns; a later check may rely on every earlier one."""

    arrival: Arrival
    now: datetime
    late: bool = False  #: judged again: the exchange it came in is over
    answered: Answer | None = (
        None  #: the MessageError that it got before a person had it judged again: that stays its answer
    )
    package: Package | None = None
    root: etree._Element | None = None
    envelope: Envelope | None = None
    recognised: Recognised | None = None  #: it is like one that was proven, and was not parsed: `root` is None
    bus: BusMessage | None = None  #: what stands around a message of the national bus, instead of an envelope
    agreement: Agreement | None = None
    verified: Verified | None = None
    raw: bytes = b""  #: the document, as it came out of its wrapping
    document_root: etree._Element | None = None
    document: Document | None = None
    standard: Standard | None = None
    subject: Subject | None = None  #: the document as the content rules see it
    unchecked: tuple[str, ...] = ()  #: namespaces for which there is no schema here
    warnings: list[Refuse] = field(default_factory=list)
    remarks: tuple[Finding, ...] = ()  #: broken content rules that refuse nothing
    digest: str = ""  #: SHA-256 of `raw`, once asked for

    @property
    def large(self) -> bool:
        """Whether to look at it takes so long that nobody else should have to wait for it."""
        return max(len(self.arrival.body), len(self.raw)) > LARGE

    @property
    def sha256(self) -> str:
        """Of the document."""
        self.digest = self.digest or sha256(self.raw)
        return self.digest

    @property
    def sender(self) -> str:
        """HER-id of the sender: the envelope's or the bus's when there is one, else the document's."""
        if self.envelope is not None:
            return her_id(self.envelope.from_parties)
        if self.bus is not None:
            return self.bus.from_her
        return self.document.sender.her_id if self.document else ""

    @property
    def receiver(self) -> str:
        """HER-id of the receiver, likewise."""
        if self.envelope is not None:
            return her_id(self.envelope.to_parties)
        if self.bus is not None:
            return self.bus.to_her
        return self.document.receiver.her_id if self.document else ""

    @property
    def observed(self) -> tuple[str, ...]:
        """What people should know of a document that was accepted: what was not checked, and which rules it breaks."""
        unchecked = f"passed unchecked: no schema here for {', '.join(self.unchecked)}" if self.unchecked else ""
        told = ", ".join(f"{f.rule.id} line {f.line}" if f.line else f.rule.id for f in self.remarks[:5])
        more = f" and {len(self.remarks) - 5} more" if len(self.remarks) > 5 else ""
        return tuple(filter(None, (unchecked, f"remarks: {told}{more}" if told else "")))


Check = Callable[[Inspection, Kit], Verdict]

#: Bytes of an arrival from which on it is looked at beside the loop (`Kit.work`): a small one is done sooner than handed over.
LARGE = 256 * 1024


def run(chain: tuple[Check, ...], inspection: Inspection, kit: Kit) -> Verdict:
    """The first verdict that is not Pass, else Pass; warnings are gathered on the way."""
    for check in chain:
        verdict = check(inspection, kit)
        if verdict is PASS:  # nearly always
            continue
        if not isinstance(verdict, Pass):
            return verdict
        inspection.warnings.extend(verdict.warnings)
    return PASS


async def judged(chain: tuple[Check, ...], inspection: Inspection, kit: Kit, *, last: bool = False) -> Verdict:
    """As `run`, of a large one beside the loop. `last`: no further chain follows, and what only checks need is let go."""
    if not inspection.large:
        return run(chain, inspection, kit)

    def all_of_it() -> Verdict:
        verdict = run(chain, inspection, kit)
        if last:
            _let_go(inspection)
        return verdict

    return await kit.work(all_of_it)


def _let_go(inspection: Inspection) -> None:
    """The parsed document, which is larger than the document; what an AppRec says is still read."""
    inspection.subject = None
    if inspection.document is not None and inspection.document.kind != "apprec":
        inspection.document_root = None
    hash(inspection.raw)  # bytes remember it: the store looks bodies up by them
    inspection.digest = sha256(inspection.raw)
