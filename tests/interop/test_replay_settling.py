"""The recorded exchanges once more, with this hub in the place of the one that was there: what it answers, what it settles.

Every exchange is in one of the tables here; what is expected is what issue after issue has agreed on, not what was recorded.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from hub.states import State
from ops.partner.aside import Aside
from tests.interop import replay
from tests.interop.replay import HUB, PEER, Exchange
from tests.interop.stand import standings, terms
from tests.support.world import Keys


@pytest.fixture(scope="module")
def aside():
    """The event loop of the hubs, in a thread of its own."""
    own = Aside()
    yield own
    own.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The hub's own keys; those of the trial were never recorded."""
    return Keys.made(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def stand(standards, tmp_path, keys, aside, monkeypatch):
    """A hub for one test, by the rules of the national profile: no SHA-1."""
    with standings(standards, tmp_path, keys, aside, monkeypatch.setattr) as made:
        yield made


@pytest.fixture
def mild_stand(standards, tmp_path, keys, aside, monkeypatch):
    """The same, which allows SHA-1 to Jentrata, as the trial had it."""
    with standings(standards, tmp_path, keys, aside, monkeypatch.setattr, allow_sha1=True) as made:
        yield made


def listed(wrong: dict[str, object]) -> str:
    """A line for each, however many."""
    return "\n".join(f"{name}: {why}" for name, why in wrong.items())


# --- which table an exchange is in

#: Signed in SHA-1 by Jentrata as it was released, and allowed to it then.
IN_SHA1 = {"sha1-out-async-back", "out-back-tz", "sha1-in-async", "sha1-in-sync", "unsack-in"}


def table(one: Exchange) -> str:
    """By what was sent and by whom."""
    found = replay.envelope(one.request)
    assert found is not None, one.id
    kind = "document" if "signed" in one.said_request and found.kind in ("business", "empty") else found.kind
    side = "we sent" if one.receiver == PEER or one.sender == HUB else "they sent"
    return f"{side}: {kind}"


def among(standards, *tables: str) -> list[Exchange]:
    """The exchanges of these tables."""
    return [one for one in replay.exchanges(standards) if table(one) in tables]


def test_every_exchange_is_in_a_table(standards):
    """None is read and then forgotten."""
    assert Counter(map(table, replay.exchanges(standards))) == {
        "we sent: document": 56,
        "we sent: acknowledgment": 8,
        "we sent: error": 12,
        "we sent: ping": 7,
        "we sent: status_request": 4,
        "they sent: document": 60,
        "they sent: acknowledgment": 9,
        "they sent: error": 13,
        "they sent: ping": 6,
        "they sent: pong": 2,
        "they sent: status_request": 3,
        "they sent: status_response": 2,
    }


# --- documents of ours, and what they said to them

#: Where another state follows than the kind of the answer says.
OURS_OTHERWISE = {
    "u-besteffort-out-1": State.ACKNOWLEDGED,  # no receipt is agreed: taken is delivered
    "with-fixes-out-sync": State.SENT,  # a receipt in SHA-1, which is not allowed here
    "fault-200-out": State.SENT,  # a SOAP Fault of the server: sent again
}


def state_of_ours(one: Exchange) -> State:
    """Where a document of ours stands after this answer."""
    if one.name in OURS_OTHERWISE:
        return OURS_OTHERWISE[one.name]
    said = one.said_answer
    if "Acknowledgment" in said:
        return State.ACKNOWLEDGED
    if "Fault" in said:
        return State.DEAD
    return State.REJECTED if re.search(r"MessageError.*(?<!un)signed", said) else State.SENT


def test_each_answer_to_a_document_of_ours_settles_it_as_it_should(stand, standards):
    """Proven receipts and refusals count whatever the status and the coding; unsigned ones and Faults of the server move nothing."""
    wrong = {}
    for one in among(standards, "we sent: document"):
        found = stand.tried(one)
        if found.state != state_of_ours(one):
            wrong[one.id] = (one.said_answer, found.state, found.code, found.because)
        assert stand.of(one).player.asked[-1] == one.request.body
    assert not wrong, listed(wrong)


def test_the_words_of_a_refusal_that_is_not_proven_stand_with_the_delivery(stand, standards):
    """Code and words, as the peer wrote them, in the message's own journal."""
    missing = {}
    for one in among(standards, "we sent: document"):
        found = replay.envelope(one.answer)
        if found is None or found.kind != "error":
            continue
        delivery = stand.tried(one)
        told = stand.of(one).trace(delivery.message_id)
        words = [word for e in found.errors for word in (e.code, e.text, e.location)]
        if lost := [word for word in words if word not in told]:
            missing[one.id] = (lost, told)
    assert not missing, listed(missing)


def test_the_words_of_a_fault_stand_with_the_delivery(stand, standards):
    """`CPA nobody:1 not found!` says more than `SOAP Fault (Client)`; of a whole trace of Java's the beginning will do."""
    faults = [one for one in among(standards, "we sent: document") if "ault" in one.said_answer]
    for one in faults:
        words = re.search(rb"<faultstring>([^<]{1,30})", one.answer.body)[1].decode()
        delivery = stand.tried(one)
        assert words in stand.of(one).trace(delivery.message_id), one.id
    assert len(faults) == 4


# --- receipts of ours, and what they said to them


def test_a_receipt_of_ours_is_done_when_it_is_taken_and_only_then(stand, standards):
    """204 takes it; HTTP 500 is tried again; a refusal in the answer is never called delivered."""
    for one in among(standards, "we sent: acknowledgment", "we sent: error"):
        found = stand.tried(one)
        if one.answer.status == 204:
            assert found.state == State.DONE, one.id
        elif one.answer.status == 500:
            assert found.state == State.WAITING, one.id
        else:
            assert one.name == "receipt-refused" and found.state != State.DONE, (one.id, found)


def test_the_refusal_of_a_receipt_stands_at_the_message_that_the_receipt_is_about(stand, standards):
    """In the answer: `SecurityFailure: Unauthorized Msg`."""
    [one] = [one for one in among(standards, "we sent: acknowledgment") if one.name == "receipt-refused"]
    refused = replay.envelope(one.request)

    stand.tried(one)

    told = stand.of(one).trace(f"message {refused.acknowledgment.ref_to_message_id}")
    assert "SecurityFailure" in told and "Unauthorized Msg" in told


def test_the_refusal_of_a_receipt_that_comes_by_itself_is_found_by_our_own_id(stand, standards):
    """Signed, RefToMessageId is that of our receipt: never `which we did not send`; the message knows, and nobody is answered."""
    [one] = [one for one in among(standards, "they sent: error") if one.name == "receipt-refused-later"]
    receipt = next(o for o in among(standards, "we sent: acknowledgment") if o.name == "in-async-back")
    about = replay.envelope(receipt.request).acknowledgment.ref_to_message_id
    delivery = stand.promised(receipt, State.DONE)
    named = replay.envelope(one.request)
    stand.of(one).renamed(delivery, named.ref_to_message_id, named.from_parties[0].value)

    came = stand.comes(one)

    assert (came.reply.status, came.reply.body, came.later) == (200, b"", [])
    assert "did not send" not in came.because
    assert "ValueNotRecognized" in stand.of(one).trace(f"message {about}")


# --- receipts of theirs that come by themselves


def sent_before(one: Exchange, found: list[Exchange]) -> Exchange | None:
    """Our message that a signal is about."""
    read = replay.envelope(one.request)
    about = read.acknowledgment.ref_to_message_id if read.acknowledgment else read.ref_to_message_id
    return next((o for o in found if replay.sent_id(o) == about), None)


def settled_by(stand, standards, one: Exchange) -> str:
    """The state of our message after a signal of theirs, or that it was not recorded."""
    first = sent_before(one, among(standards, "we sent: document"))
    if first is None:
        came = stand.comes(one)
        assert (came.reply.status, came.reply.body, came.later) == (200, b"", []), one.id
        return "not recorded"
    delivery = stand.promised(first, State.SENT)
    came = stand.comes(one)
    assert (came.reply.status, came.reply.body, came.later) == (200, b"", []), one.id
    return stand.of(one).delivery(delivery.id).state


def test_an_acknowledgment_that_comes_by_itself_settles_its_message(stand, standards):
    """Proven: acknowledged; in SHA-1, not allowed: nothing moves."""
    found = {o.name: settled_by(stand, standards, o) for o in among(standards, "they sent: acknowledgment")}

    assert found == {
        "a-out-2": "acknowledged",
        "d-out-async-2": "acknowledged",
        "r-out-2": "acknowledged",
        "u-apart-out-2": "acknowledged",
        "u-permessage-out-2": "acknowledged",
        "u-plain-out-2": "acknowledged",
        "sha1-out-async-back": "sent",
        "sha1-refused-back": "not recorded",
        "out-back-tz": "not recorded",
    }


def test_sha1_in_a_receipt_is_taken_where_it_is_allowed(mild_stand, standards):
    """The permission is of use to the partner that has it."""
    one = next(o for o in among(standards, "they sent: acknowledgment") if o.name == "sha1-out-async-back")

    assert settled_by(mild_stand, standards, one) == "acknowledged"


def test_an_unsigned_refusal_that_comes_by_itself_moves_nothing_and_is_heard(stand, standards):
    """Its code, place and words stand with the message; it stays sent."""
    count = 0
    for one in among(standards, "they sent: error"):
        first = sent_before(one, among(standards, "we sent: document"))
        if settled_by(stand, standards, one) == "not recorded":
            continue
        delivery_id = f"delivery of {first.id}"
        assert stand.of(one).delivery(delivery_id).state == State.SENT, one.id
        told = stand.of(one).trace(f"message of {first.id}")
        for error in replay.envelope(one.request).errors:
            assert all(word in told for word in (error.code, error.text, error.location)), (one.id, told)
        count += 1
    assert count == 11


def test_an_answer_to_a_question_that_comes_by_itself_is_taken_without_a_word(stand, standards):
    """Pong and StatusResponse, unsigned: nothing moves, nothing is answered."""
    for one in among(standards, "they sent: pong", "they sent: status_response"):
        came = stand.comes(one)
        assert (came.reply.status, came.reply.body, came.later) == (200, b"", []), one.id


# --- documents and questions of theirs

#: What is not acknowledged, with the errorCode of the refusal; all else is.
REFUSED = {
    **dict.fromkeys(("g-in-async-1", "g-in-sync-1", "u-unsigned-in-1", "unsigned-in"), "SecurityFailure"),
    **dict.fromkeys(("h-in-1", "h-in-async-1", "h-in-sync-1", "q-in-1", "u-sha1-in-1", "chain-in"), "SecurityFailure"),
    **dict.fromkeys(("i-in-async-1", "i-in-sync-1"), "TimeToLiveExpired"),
    **dict.fromkeys(("k-in-async-1", "k-in-sync-1"), "ValueNotRecognized"),
    **dict.fromkeys((f"k-in-{mode}-{n}" for mode in ("async", "sync") for n in (2, 3, 4)), "Inconsistent"),
    **dict.fromkeys(("k-in-natural-async-1", "k-in-natural-async-2", "k-in-natural-sync-1"), "Inconsistent"),
    **dict.fromkeys(("m-in-1", "multi-in"), "NotSupported"),
    "nopayload-in": "Inconsistent",
}
#: Refused before any agreement is found: there is nothing that says how receipts travel but SyncReply.
NO_AGREEMENT = {"k-in-async-1", "k-in-sync-1"}
#: By the agreement no receipt is due.
NO_RECEIPT = {"u-besteffort-in-1"}


def due(one: Exchange) -> str:
    """What is owed to a document: `acknowledgment`, an errorCode, or nothing."""
    return "" if one.name in NO_RECEIPT else REFUSED.get(one.name, "acknowledgment")


def said(found) -> str:
    """The same of a receipt that was written."""
    return found.kind if not found.errors else found.errors[0].code


def test_each_document_gets_the_receipt_that_is_due_and_no_other(mild_stand, standards):
    """In the exchange or by itself, as is agreed; never a Warning where an Acknowledgment is due."""
    wrong = {}
    for one in among(standards, "they sent: document"):
        came = mild_stand.comes(one)
        found = replay.envelope(one.request)
        in_exchange = one.name in NO_AGREEMENT or found.sync_reply or terms(found.cpa_id).sync
        here, later = [said(e) for e in [came.envelope] if e], sorted({said(e) for e in came.later})
        owed = [due(one)] if due(one) else []
        if (here, later) != ((owed, []) if in_exchange else ([], owed)):
            wrong[one.id] = ("in the exchange" if in_exchange else "by itself", owed, here, later, came.because)
    assert not wrong, listed(wrong)


def test_a_refused_chain_says_what_to_put_into_the_key_store(mild_stand, standards):
    """The hint is for the one who wrote it."""
    [one] = [o for o in among(standards, "they sent: document") if o.name == "chain-in"]

    [refusal] = mild_stand.comes(one).later

    assert "key store" in refusal.errors[0].text


def test_each_question_is_answered_in_the_signals_own_channel(stand, standards):
    """Signed or not, of a known party under a known agreement: in the exchange or by itself."""
    wrong = {}
    answers = {"ping": "pong", "status_request": "status_response"}
    for one in among(standards, "they sent: ping", "they sent: status_request"):
        found = replay.envelope(one.request)
        came = stand.comes(one)
        in_exchange = found.sync_reply or terms(found.cpa_id).signals_in_exchange
        here, later = [said(e) for e in [came.envelope] if e], [said(e) for e in came.later]
        owed = [answers[found.kind]]
        if (here, later) != ((owed, []) if in_exchange else ([], owed)):
            wrong[one.id] = ("in the exchange" if in_exchange else "by itself", owed, here, later, came.because)
    assert not wrong, listed(wrong)


def test_a_receipt_names_its_message_where_the_peer_looks(mild_stand, standards):
    """always: MessageData/RefToMessageId, in the exchange and by itself; everything else of the receipt as before."""
    for one in among(standards, "they sent: document"):
        for receipt in mild_stand.comes(one).later:
            if receipt.kind == "acknowledgment":
                assert receipt.ref_to_message_id == replay.sent_id(one), one.id
                assert receipt.acknowledgment.ref_to_message_id == replay.sent_id(one), one.id
