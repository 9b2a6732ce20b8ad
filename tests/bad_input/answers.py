"""What each kind of answer must look like to a partner, and what must stand behind it in the store."""

from __future__ import annotations

from lxml import etree

from tests.support.letters import SOAP, Letter
from tests.support.world import Said, World


def faulted(said: Said, letter: Letter, code: str, *, status: int = 500, who: str = "Client") -> str:
    """A SOAP Fault, the bytes in quarantine under `code`, nothing delivered; returns the Fault's text."""
    assert said.kind == "fault", f"{said.kind}: {said.reply.body!r}"
    assert said.reply.status == status
    assert said.reply.headers["content-type"].startswith("text/xml")
    root = etree.fromstring(said.reply.body)
    assert root.findtext(f"{{{SOAP}}}Body/{{{SOAP}}}Fault/faultcode") == f"SOAP:{who}"
    kept(said, letter, code)
    return root.findtext(f"{{{SOAP}}}Body/{{{SOAP}}}Fault/faultstring") or ""


def refused(said: Said, letter: Letter, code: str, error_code: str, location: str = "") -> str:
    """A signed MessageError about this message, its bytes kept under `code`, nothing delivered; returns its text."""
    assert said.kind == "error", f"{said.kind}: {said.reply.body!r} {said.codes}"
    assert said.reply.status == 200
    assert said.envelope is not None and said.verified is not None, "the MessageError is not signed"
    error = said.error
    assert (error.code, error.severity) == (error_code, "Error"), error
    assert location in error.location, error
    assert said.envelope.highest_severity == "Error"
    assert said.envelope.ref_to_message_id == letter.message_id
    assert said.envelope.action == "MessageError"
    assert error.text, "a MessageError says what is wrong"
    kept(said, letter, code)
    return error.text


def kept(said: Said, letter: Letter, code: str) -> None:
    """The bytes as they came, with the reason; and nothing of it went any further."""
    assert said.arrival is not None, "nothing was kept"
    assert said.arrival.state in ("quarantined", "refused")
    assert said.arrival.code == code, f"{said.arrival.code}: {said.arrival.because}"
    assert said.arrival.arrival.body == letter.body
    assert code in said.codes, said.codes
    assert not said.deliveries and not said.messages


def warned(said: Said, error_code: str, location: str) -> str:
    """Accepted and delivered, but told: an ErrorList of severity Warning."""
    assert said.kind == "error", f"{said.kind}: {said.reply.body!r}"
    assert said.envelope is not None and said.envelope.highest_severity == "Warning"
    found = [e for e in said.envelope.errors if e.code == error_code and location in e.location]
    assert found, said.envelope.errors
    assert all(e.severity == "Warning" for e in said.envelope.errors)
    delivered(said)
    return found[0].text


def remarked(said: Said, letter: Letter, world: World, rule: str) -> None:
    """Acknowledged as it asked to be, and what its form breaks stands in our journal (ebMS 2.0 6.5.3)."""
    acknowledged(said, letter, world)
    [told] = [e for e in said.journal if e.event == "received"]
    assert told.code == "accepted-with-warning" and rule in told.because, told


def delivered(said: Said) -> None:
    """The document lies ready for its receiver."""
    assert [d.state for d in said.deliveries] == ["available"], said.codes
    assert said.arrival is not None and said.arrival.state == "accepted"


def acknowledged(said: Said, letter: Letter, world: World) -> None:
    """A signed Acknowledgment of this message, and the document as it was sent lies ready."""
    assert said.kind == "acknowledgment", f"{said.kind}: {said.reply.body!r} {said.codes}"
    assert said.envelope is not None and said.envelope.acknowledgment is not None
    assert said.envelope.acknowledgment.ref_to_message_id == letter.message_id
    delivered(said)
    assert world.run(world.hub.store.document(said.messages[0].id)) == letter.document
