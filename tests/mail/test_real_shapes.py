"""Mail as it really is: what is read all the same, what is kept for a person, and who is answered."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.ebxml_smtp.receive import arrival_of
from hub import mailings
from hub.formats import mail
from hub.ports import ArrivalFilter
from ops.sector import SECTOR
from tests.mail import shapes
from tests.mail.shapes import added, all_of, as_base64, as_quoted, field, root, said, swap, wrapped

DOCTOR = SECTOR[1]
STRANGER = "ola@elsewhere.example"


def _lf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def _lf_above(content: bytes) -> bytes:
    head, _, body = content.partition(b"\r\n\r\n")
    return _lf(head) + b"\n\n" + body


#: Read all the same: how it differs from what we would write.
READ = {
    "as it is": lambda content: content,
    "line ends are LF": _lf,
    "line ends are mixed": _lf_above,
    "folded header": all_of(swap("; boundary=", ";\r\n\tboundary="), swap("; start=", ";\r\n        start=")),
    "encoded subject and name": all_of(
        field("Subject", "=?iso-8859-1?Q?Henvisning_=F8ye?="), swap("From: <", "From: =?utf-8?B?U8O4cg==?= <")
    ),
    "To with mailto:": field("To", f"mailto:{shapes.HUB}"),
    "Message-ID without brackets": field("Message-ID", "b7d0a6a2.1@partner.example"),
    "odd Date": field("Date", "2026-03-03T10:00:00+2"),
    "no Date, no Message-ID, no MIME-Version": all_of(
        field("Date", None), field("Message-ID", None), field("MIME-Version", None)
    ),
    "no SOAPAction": field("SOAPAction", None),
    "names in capitals": all_of(swap("Content-Type:", "CONTENT-TYPE:"), swap("8bit", "8BIT")),
    "no start, no type": all_of(swap('type="text/xml"; ', ""), swap("; start=", "; x-start=")),
    "envelope in base64": root("base64", as_base64),
    "envelope in quoted-printable": root("quoted-printable", as_quoted),
    "envelope as 7bit": root("7bit"),
    "envelope without a transfer encoding": root(""),
    "envelope as binary": root("binary"),
    "scanner's words before": wrapped(),
    "list's words behind": wrapped(notice_first=False, boundary="liste"),
    "wrapped twice": all_of(wrapped(), wrapped(notice_first=False, boundary="liste")),
    "wrapped, and LF": all_of(wrapped(), _lf),
    "container renamed by a scanner": shapes.flattened,
    "words before the first part": swap("\r\n\r\n--", "\r\n\r\nThis is a multi-part message in MIME format.\r\n--"),
    "words behind the last part": lambda content: content + b"\r\n-- \r\nSendt fra et sted\r\n",
    "servers' fields above": added("Return-Path: <edi@partner.example>", "X-Spam-Status: No", "DKIM-Signature: v=1; a=b"),
    "said to be sent by a machine": added("Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All", "Precedence: bulk"),
    "empty return path": added("Return-Path: <>"),
    "a field that looks like another": field("Subject", "x\x0cContent-Type: text/plain"),
}  # fmt: skip
#: Kept for a person: the mail, its code, words of the reason, and whether a known partner is told so by a SOAP Fault.
KEPT = {
    "empty": (lambda who: said(who, "", ""), "mime", "no bytes came", True),
    "no Content-Type": (lambda who: said(who, "", "hei"), "mime", "Content-Type is missing", True),
    "text from a person": (lambda who: said(who, "text/plain", "Ring meg"), "mime", "text/plain", True),
    "HTML from a person": (lambda who: said(who, "text/html", "<p>Hei</p>"), "mime", "text/html", True),
    "both, from a mail program": (
        lambda who: said(who, "multipart/alternative; boundary=x", "--x\r\n\r\nHei\r\n--x--"), "mime", "multipart", True),
    "an application's file": (lambda who: said(who, "application/octet-stream", "x"), "mime", "octet-stream", True),
    "half a package": (
        lambda who: said(who, 'multipart/related; boundary="x"', "--x\r\nContent-Type: text/xml\r\n\r\n<a/>"),
        "mime", "ends before its closing boundary", True),
    "XML that is no envelope": (lambda who: said(who, "text/xml", "<Hei/>"), "not-ebxml", "", True),
    "XML cut short": (lambda who: said(who, "text/xml", "<SOAP:Env"), "not-well-formed", "", True),
    "winmail.dat": (lambda who: said(who, "application/ms-tnef; name=winmail.dat", "x"), "mail-aside", "winmail.dat", False),
    "winmail.dat beside words": (
        lambda who: said(
            who, "multipart/mixed; boundary=x",
            "--x\r\nContent-Type: text/plain\r\n\r\n \r\n--x\r\nContent-Type: application/ms-tnef\r\n\r\nx\r\n--x--\r\n"),
        "mail-aside", "winmail.dat", False),
    "automatic reply": (
        lambda who: said(who, "text/plain", "Jeg er ute.", Auto_Submitted="auto-replied (vacation)"),
        "mail-aside", "automatic reply", False),
    "automatic reply of another make": (
        lambda who: said(who, "text/html", "Ute", X_Autoreply="yes", Subject="Automatisk svar"),
        "mail-aside", "automatic reply", False),
    "automatic reply with an empty return path": (
        lambda who: said(who, "text/plain", "Ute", Return_Path="<>"), "mail-aside", "automatic reply", False),
    "read receipt": (
        lambda who: said(who, "multipart/report; report-type=disposition-notification; boundary=x", "--x--"),
        "mail-aside", "read receipt", False),
    "bounce in a form of its own": (
        lambda who: said("MAILER-DAEMON@relay.example", "text/plain", "Hi. This is the qmail-send program."),
        "mail-aside", "notice", False),
    "bounce as old servers write it": (
        lambda who: said(who, "text/plain", "could not be delivered", X_Failed_Recipients="edi@partner.example"),
        "mail-aside", "notice", False),
    "scanner's word instead of the mail": (
        lambda who: said("postmaster@relay.example", "text/plain", "A file was taken away."), "mail-aside", "notice", False),
    "report that says nothing": (
        lambda who: said(who, "multipart/report; boundary=x", "cut"), "receipt-unknown", "did not send", False),
}  # fmt: skip


@pytest.fixture
def two(samhub_hub, samhub_partner):
    """A partner that is reached by mail, and a hub."""
    partner = samhub_partner(by="mail")
    return partner, samhub_hub([partner], settings={"hub": {"retry_interval_seconds": 5}})


def taken(hub, content: bytes):
    """What the hub makes of a mail, from whichever door."""
    return hub.run(mailings.receive(arrival_of(content, str(uuid4()), datetime.now(UTC)), hub.built.kit))


def arrivals(hub):
    """Everything that came in."""
    return hub.run(hub.built.store.arrivals(ArrivalFilter(limit=100)))


def quiet(hub) -> bool:
    """Whether nothing is on its way out."""
    return hub.count("waiting") == hub.count("sent") == 0


@pytest.mark.parametrize("shape", READ)
def test_what_can_be_proven_is_read_however_it_came(shape, two, samhub_samples, samhub_eventually):
    """Whatever happened to it on the way: proven, handed on once, byte for byte, and acknowledged by mail."""
    partner, hub = two
    sample = samhub_samples("epikrise", sender=partner)
    message_id, wire = partner.sealed(sample)

    answer = taken(hub, READ[shape](shapes.mail(wire, partner.partner.address)))

    assert answer.code == "acknowledged", answer.because
    assert hub.epj(DOCTOR.her_id).take_one().document == sample.document
    samhub_eventually(lambda: partner.signals)
    assert [s.envelope.acknowledgment.ref_to_message_id for s in partner.signals] == [message_id]


@pytest.mark.parametrize("shape", KEPT)
def test_what_is_no_message_is_kept_for_a_person(shape, two, samhub_eventually):
    """With its bytes and a reason to read. A known partner is told by one SOAP Fault; strangers and machines nothing."""
    partner, hub = two
    build, code, words, told = KEPT[shape]
    known, unknown = build(partner.partner.address), build(STRANGER)

    answers = [taken(hub, content) for content in dict.fromkeys((known, unknown))]

    assert {a.code for a in answers} == {code}
    found = arrivals(hub)
    assert len(found) == len(answers) and {a.state for a in found} == {"quarantined"}
    assert all(words in a.because and a.because for a in found if a.code == code)
    samhub_eventually(lambda: quiet(hub))
    faults = [mail.read(content) for content in partner.partner.mails]
    assert len(faults) == int(told)
    assert all(b"SOAP:Client" in b64decode(f.body) for f in faults)
    assert all(f.headers["in-reply-to"] == "<c41c.2@edi.example>" for f in faults)


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_what_a_server_changed_inside_is_not_believed(encoding, two, samhub_samples, samhub_eventually):
    """A word added to the envelope, or a letter of the payload lost: the signature says so, and the partner is told."""
    partner, hub = two
    _, wire = partner.sealed(samhub_samples("epikrise", sender=partner))
    change = root("base64", lambda c: as_base64(c.replace(b"EPIKRISE", b"epikrise")))
    if encoding == "8bit":
        change = root("8bit", lambda c: c.replace(b"EPIKRISE", b"epikrise"))

    answer = taken(hub, change(shapes.mail(wire, partner.partner.address)))

    assert answer.code == "signature-invalid"
    samhub_eventually(lambda: partner.signals)
    assert [s.envelope.kind for s in partner.signals] == ["error"]
    assert hub.epj(DOCTOR.her_id).take() == []


#: Header fields that break a rule of HITS 1172, and how that is said in the journal.
HEADER = {
    "From is missing or empty (HITS 1172 18, 80)": field("From", ""),
    "To is missing or empty (HITS 1172 19, 81)": field("To", None),
    "Date is missing or empty (HITS 1172 20, 83)": field("Date", None),
    "Date cannot be read (HITS 1172 83)": field("Date", "i morgen"),
    "Message-ID is missing or empty (HITS 1172 250, 251)": field("Message-ID", ""),
    "MIME-Version is not 1.0 (HITS 1172 21, 82)": field("MIME-Version", "1.1"),
    "From is no partner's address in the register (HITS 1172 261)": field("From", f"<{STRANGER}>"),
    "To is no address of ours in the register (HITS 1172 262)": field("To", "<edi@elsewhere.example>"),
}


@pytest.mark.parametrize("words", HEADER)
def test_what_the_mails_header_breaks_is_noted_and_never_answered(words, two, samhub_samples, samhub_eventually):
    """HITS 1172 5.3: in the log only; the message is taken, and its receipt goes to the address in the register."""
    partner, hub = two
    _, wire = partner.sealed(samhub_samples("epikrise", sender=partner))

    answer = taken(hub, HEADER[words](shapes.mail(wire, partner.partner.address)))

    assert answer.code == "acknowledged"
    journal = hub.run(hub.built.store.journal(arrival_id=arrivals(hub)[0].arrival.id))
    assert [e.because for e in journal if e.code == "envelope-warning"] == [words]
    samhub_eventually(lambda: partner.signals)
    assert [s.envelope.kind for s in partner.signals] == ["acknowledgment"]


def test_a_header_without_a_breach_is_not_remarked(two, samhub_samples):
    """Not a word."""
    partner, hub = two
    _, wire = partner.sealed(samhub_samples("epikrise", sender=partner))
    taken(hub, shapes.mail(wire, partner.partner.address))

    journal = hub.run(hub.built.store.journal(arrival_id=arrivals(hub)[0].arrival.id))
    assert "envelope-warning" not in {e.code for e in journal}


#: Every stored MIME dump of others: what becomes of it here, where none of its parties is known. The dumps of requests
#: without their header, and of headers without their body, are no mails at all.
DUMPS = {
    "hermes/test1.msg": "receiver-not-ours",
    "hermes/test2.msg": "receiver-not-ours",
    "hermes/test3.msg": "receiver-not-ours",
    "hermes/test4.msg": "receiver-not-ours",
    "nav-ebxml-processor/harBorgerEgenandelFritakRequest": "not-well-formed",
    "nav-ebxml-processor-history/EgenAndelForespoersel.eml": "receiver-not-ours",
    "nav-ebxml-processor-history/acknowledgment.eml": "receipt-unknown",
    "nav-ebxml-processor-history/hentpasientliste-full.xml": "mime",
    "nav-smtp-transport/EgenAndelForespoersel.eml": "receiver-not-ours",
    "nav-smtp-transport/acknowledgment.eml": "receipt-unknown",
    "nav-smtp-transport/acknowledgment~e39a58.eml": "receipt-unknown",
    "nav-smtp-transport/content_description.eml": "not-well-formed",
    "nav-smtp-transport/ebxml_no_service.eml": "receiver-not-ours",
    "nav-smtp-transport/egenandelforesporsel.eml": "receiver-not-ours",
    "nav-smtp-transport/not_ebxml.eml": "not-well-formed",
    "nhs-integration-adaptors/ebxml_request.xml": "not-well-formed",
    "nhs-integration-adaptors/ebxml_request_multiple_attachments.xml": "not-well-formed",
    "nhs-integration-adaptors/ebxml_request_one_attachment.xml": "not-well-formed",
    "sarepta/MIME-header-X-token.txt": "mime",
    "sarepta/MIME-header.txt": "mime",
}
REFUSED = {"receiver-not-ours", "receipt-unknown"}


def test_every_stored_dump_gets_its_verdict_and_none_is_lost(standards, two, samhub_eventually):
    """Read as far as it can be, refused because its parties are not known, or kept in quarantine; nobody is answered."""
    partner, hub = two
    folder = standards / "samples" / "ebxml-mime"
    dumps = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert set(dumps) == set(DUMPS)
    for name, content in dumps.items():
        known = {a.arrival.id for a in arrivals(hub)}
        answer = taken(hub, content)
        new = [a for a in arrivals(hub) if a.arrival.id not in known]
        if answer.code == "duplicate":  # the same mail is stored under several names
            assert new == []
            continue
        assert (name, answer.code) == (name, DUMPS[name])
        assert [a.state for a in new] == ["refused" if answer.code in REFUSED else "quarantined"]
        assert new[0].because
        assert new[0].arrival.body and content.endswith(new[0].arrival.body)
    samhub_eventually(lambda: quiet(hub))
    assert partner.partner.mails == []
    assert len(arrivals(hub)) >= 15
