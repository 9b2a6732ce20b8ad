"""The order of the questions: what is cheap and certain comes before what is dear, nothing is used before it is proven."""

from __future__ import annotations

from hub.checks import agreement, bus, document, header, package, payload, proof
from hub.checks.inspection import Check

#: Until the envelope can be read; a refusal here is a SOAP Fault.
READING: tuple[Check, ...] = (package.size, package.whole, package.meant, package.split, package.read)
#: A business message, until it can be acknowledged; a refusal here is a MessageError.
TRANSPORT: tuple[Check, ...] = (
    header.receiver,
    header.rules,
    header.sender,
    agreement.agreed,
    agreement.free,
    header.lifetime,
    header.clock,
    proof.signed,
    proof.trusted,
    proof.registered,
    payload.manifest,
    payload.opened,
    document.parsed,
)
#: The document itself; a refusal here is a negative AppRec, after the Acknowledgment.
DOCUMENT: tuple[Check, ...] = (
    document.identified,
    document.addressed,
    document.valid,
    document.content,
)
#: A transport receipt: proven like any message, but never answered by an error.
SIGNAL: tuple[Check, ...] = (
    header.noted,
    header.receiver,
    header.sender,
    agreement.agreed,
    proof.signed,
    proof.trusted,
    proof.registered,
)
#: A Ping, a StatusRequest, or what answers one: of a known party under a known agreement, signed or not.
QUESTION: tuple[Check, ...] = (
    header.noted,
    header.receiver,
    header.sender,
    agreement.agreed,
    proof.where_signed,
)
#: A message of the national bus, until it may be taken; a refusal here is an error report (nhn-amqp.md §7).
BUS: tuple[Check, ...] = (
    package.size,
    bus.fields,
    bus.receiver,
    bus.answerable,
    bus.protected,
    bus.profile,
    bus.signer,
    bus.opened,
    document.parsed,
    bus.function,
    bus.same_parties,
)
#: Its document; a refusal here is a negative AppRec where one is due, else an error report.
BUS_DOCUMENT: tuple[Check, ...] = (document.identified, document.valid, document.content)
#: What a record system hands over: refused to its face.
SUBMISSION: tuple[Check, ...] = (
    package.size,
    document.parsed,
    document.identified,
    document.valid,
    document.content,
)
