"""What two handlers that nobody here wrote have put on the wire is read as its README says, every byte of it."""

from __future__ import annotations

import re

import pytest

from hub.digest import sha256
from hub.formats import envelope as envelopes
from hub.trust.signature import SignatureFault, Verified
from tests.interop import replay
from tests.interop.replay import Http

#: Words of the READMEs → kinds of our kernel; a word in capitals is the action of a business message.
KINDS = {
    "Acknowledgment": "acknowledgment",
    "MessageError": "error",
    "Ping": "ping",
    "Pong": "pong",
    "StatusRequest": "status_request",
    "StatusResponse": "status_response",
    "SOAP Fault": "fault",
    "fault": "fault",
    "empty": "empty",
}
_CODES = r"Inconsistent|SecurityFailure|ValueNotRecognized|NotSupported|TimeToLiveExpired|OtherXml"
#: A business message that holds no document has nothing to be called: neither Manifest nor a signal's block.
WITHOUT_MANIFEST = {"jentrata/nopayload-in.request"}
#: Signed, and proven by nothing that this hub takes: why.
NOT_PROVEN = {
    "ebms-admin/q-in-1.request": (
        "digest-mismatch",
        "it signs before it encrypts (XML-Enc): ebMS 2.0 4.1.4 asks for the other order",
    )
}
#: Three certificates in KeyInfo (HITS 1172 65 has one); the first is the signer's.
CHAINED = {"jentrata/chain-in.request"}
#: Proven only where SHA-1 is allowed (HITS 1172 33, 84).
IN_SHA1 = {
    "ebms-admin/u-sha1-in-1.request",
    "jentrata/sha1-out-async-back.request",
    "jentrata/sha1-in-async.request",
    "jentrata/sha1-in-sync.request",
    "jentrata/sha1-refused-back.request",
    "jentrata/unsack-in.request",
    "jentrata/out-back-tz.request",
    "jentrata/with-fixes-out-sync.answer",
}


@pytest.fixture(scope="module")
def messages(standards):
    """Every HTTP message by its file's name, with what the README says of it."""
    found = {}
    for one in replay.exchanges(standards):
        found[f"{one.id}.request"] = (one.request, one.said_request)
        found[f"{one.id}.answer"] = (one.answer, one.said_answer)
    return found


def seen(message: Http) -> str:
    """What our kernel takes it for."""
    found = replay.envelope(message)
    if found is not None:
        return found.kind
    return "fault" if b"Fault>" in message.body else "empty" if not message.body.strip() else "other"


def told(words: str) -> tuple[str, str]:
    """Kind and action that the README tells of a message."""
    named = re.search("|".join(KINDS), words)
    if named is not None:
        return KINDS[named[0]], named[0]
    action = re.search(r"\b[A-Z][A-Z_]{4,}\b", words)
    assert action is not None, words
    return "business", action[0]


def test_every_file_is_of_an_exchange_that_the_readme_tells(standards):
    """182 exchanges, two files each, and no file besides."""
    found = replay.exchanges(standards)

    assert {peer: sum(e.peer == peer for e in found) for peer in replay.FOLDERS} == replay.FOLDERS
    assert len({e.id for e in found}) == len(found) == 182
    assert {f"{e.id}.{side}.http" for e in found for side in ("request", "answer")} == replay.files(standards)


def test_who_wrote_what_shows_in_the_bytes(standards):
    """The peers' own requests have Java's user agent; ours and those by hand have not, and go to the peers' address."""
    for one in replay.exchanges(standards):
        agent = one.request.headers.get("User-Agent", "")
        assert agent.startswith(replay.AGENTS[one.peer]) == (one.sender == replay.PEER), one.id
        assert one.request.first.startswith("POST /ebxml") == (one.receiver == replay.HUB), one.id


def test_java_offers_another_protocol_with_each_request(standards):
    """Where the body gets lost: `Upgrade` is in all requests of a Java HttpClient over http (RFC 9110 7.8)."""
    offering = [one for one in replay.exchanges(standards) if "Upgrade" in one.request.headers]

    assert {one.peer for one in offering} == {"ebms-admin"}
    assert len(offering) == sum(
        one.peer == "ebms-admin" and one.sender == replay.PEER for one in replay.exchanges(standards)
    )


def test_each_message_is_what_its_readme_says(messages):
    """Kind, action, error code and severity, by what our kernel reads."""
    wrong = {}
    for name, (message, words) in messages.items():
        kind, action = told(words)
        kind = "empty" if name in WITHOUT_MANIFEST else kind
        found = replay.envelope(message)
        read = (seen(message), found.action if found else action, [e.code for e in found.errors][:1] if found else [])
        if read != (kind, action, re.findall(_CODES, words)):
            wrong[name] = (words, read)
        if found and "Warning" in words:
            assert found.highest_severity == "Warning", name
        status = re.match(r"(\d{3})\b", words)
        assert status is None or message.status == int(status[1]), name
    assert wrong == {}


def test_each_signature_is_proven_or_absent_as_its_readme_says(messages):
    """By the certificate in the message, over the envelope and every part; SHA-1 only where it is allowed."""
    wrong = {}
    for name, (message, words) in messages.items():
        if replay.envelope(message) is None:
            assert not re.search(r"(un)?signed", words), name
            continue
        strict, mild = replay.proven(message), replay.proven(message, allow_sha1=True)
        assert isinstance(strict, Verified) == (isinstance(mild, Verified) and name not in IN_SHA1), (name, strict)
        if "unsigned" in words:
            wrong |= {} if isinstance(mild, SignatureFault) and mild.reason == "missing" else {name: mild}
        elif name in NOT_PROVEN:
            assert isinstance(mild, SignatureFault) and mild.reason == NOT_PROVEN[name][0], mild
        elif name not in CHAINED:
            wrong |= {} if isinstance(mild, Verified) else {name: mild}
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(CHAINED))
def test_a_chain_in_keyinfo_begins_with_the_signer(name, messages):
    """Without the certificates of the authorities the same signature is proven: the first is who signed (XMLDSig 4.4.4)."""
    message, _ = messages[name]
    chain = replay.certificates(message)

    proven = replay.proven(replay.with_one_certificate(message))

    assert len(chain) == 3
    assert isinstance(proven, Verified) and proven.certificate_der == chain[0]


def test_an_acknowledgment_echoes_what_was_signed(standards):
    """Those in the same exchange: References of the request, digest for digest (HITS 1172 116, 117)."""
    count = 0
    for one in replay.exchanges(standards):
        found = replay.envelope(one.answer)
        if found is None or found.acknowledgment is None:
            continue
        signed = replay.proven(one.request, allow_sha1=True)
        assert isinstance(signed, Verified), one.id
        echoed = {(uri, digest) for uri, _, digest in found.acknowledgment.references}
        assert echoed == {(r.uri, r.digest_value) for r in signed.references}, one.id
        assert found.acknowledgment.ref_to_message_id == replay.sent_id(one), one.id
        count += 1
    assert count == 25


def test_both_peers_say_what_they_refer_to_in_messagedata(standards):
    """The form of receipt that they write, and look for: RefToMessageId in MessageData of the Acknowledgment as well."""
    own = [(one.id, message) for one in replay.exchanges(standards) for message in replay.of_the_peer(one)]
    acknowledgments = [(name, m) for name, m in own if seen(m) == "acknowledgment"]

    for name, message in acknowledgments:
        found = replay.envelope(message)
        assert found is not None and found.ref_to_message_id == found.acknowledgment.ref_to_message_id, name
    assert len(acknowledgments) == 18


def test_only_where_another_certificate_was_on_trial_did_a_party_sign_with_one(standards):
    """`h`: another certificate of the same authority; all else of ebms-admin is signed by its own one of that run."""
    by_certificate: dict[str, set[str]] = {}
    for one in replay.exchanges(standards):
        for message in (one.request, one.answer) if one.peer == "ebms-admin" else ():
            found = replay.envelope(message)
            if found is not None and replay.certificates(message):
                theirs = not found.from_parties[0].value.startswith("8000")
                by_certificate.setdefault(sha256(replay.certificates(message)[0]), set()).update(
                    {one.name} if theirs else ()
                )
    on_trial = [names for names in by_certificate.values() if "h-in-1" in names]

    assert on_trial == [{"h-in-1", "h-in-async-1", "h-in-sync-1"}]
    assert sum(bool(names) for names in by_certificate.values()) == 3


def test_no_xml_of_theirs_has_anything_that_a_bound_would_stop(messages):
    """Each envelope is read within the bounds that hold at the door, not within wider ones made for this test."""
    from hub.checks.package import parsed
    from hub.settings import Settings

    class Bounded:
        settings = Settings()

    for name, (message, _) in messages.items():
        if (package := replay.package(message)) is not None and replay.envelope(message) is not None:
            assert parsed(package.root.content, Bounded).tag == f"{{{envelopes.SOAP}}}Envelope", name  # type: ignore[arg-type]
