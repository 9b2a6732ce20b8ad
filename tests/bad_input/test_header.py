"""The envelope's header: each cell of HIS 1037 4.2, each value, each date, and who it is for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.formats import envelope_write
from tests.bad_input.answers import acknowledged, delivered, faulted, refused, remarked, warned
from tests.support.letters import Edit, Letter, business, inserted, signal, swap, without
from tests.support.world import DOCTOR, NURSING, World

ACK = '<eb:Acknowledgment eb:version="2.0"><eb:RefToMessageId>x</eb:RefToMessageId></eb:Acknowledgment>'
ERRORS = (
    '<eb:ErrorList eb:highestSeverity="Error" eb:version="2.0">'
    '<eb:Error eb:errorCode="Unknown" eb:severity="Error"></eb:Error></eb:ErrorList>'
)

# --- required in a business message (HIS 1037 4.2, column "Business doc")

REQUIRED = {
    "CPAId": ("envelope-missing", "OtherXml", "//eb:CPAId", "11"),
    "ConversationId": ("envelope-missing", "OtherXml", "//eb:ConversationId", "HIS 1037 4.2"),
    "Service": ("envelope-missing", "OtherXml", "//eb:Service", "47"),
    "Action": ("envelope-missing", "OtherXml", "//eb:Action", "48"),
    "Timestamp": ("envelope-missing", "OtherXml", "//eb:Timestamp", "77"),
}


@pytest.mark.parametrize("element", REQUIRED)
@pytest.mark.parametrize("how", ["missing", "empty", "blank"])
def test_a_required_element_must_be_there_and_say_something(world: World, element: str, how: str) -> None:
    code, error_code, location, rule = REQUIRED[element]
    edit = without(f"eb:{element}") if how == "missing" else _emptied(element, "" if how == "empty" else " \n ")
    letter = business(world.post_to, world.sample().document, edit=edit)
    assert rule in refused(world.post(letter), letter, code, error_code, location)


def _emptied(element: str, text: str) -> Edit:
    def edit(content: bytes) -> bytes:
        return re.sub(rf"(<eb:{element}[^>]*>)[^<]*".encode(), rb"\g<1>" + text.encode(), content, count=1)

    return edit


@pytest.mark.parametrize("element", ["MessageId", "MessageData"])
def test_without_a_message_id_the_error_refers_to_nothing(world: World, element: str) -> None:
    """HITS 1172 76."""
    letter = replace(business(world.post_to, world.sample().document, edit=without(f"eb:{element}")), message_id="")
    assert "76" in refused(world.post(letter), letter, "envelope-missing", "OtherXml", "//eb:MessageId")


UNADDRESSED = {
    "no From (10)": (without("eb:From"), "envelope-value"),
    "no PartyId in From (58)": (swap('<eb:PartyId eb:type="HER">8009102</eb:PartyId>', ""), "envelope-value"),
    "an empty HER-id in From (25)": (swap('"HER">8009102<', '"HER"><'), "envelope-value"),
    "no HER-id in From (60)": (swap('"HER">8009102', '"ENH">999000053'), "envelope-value"),
    "letters in the HER-id of From (31)": (swap('"HER">8009102', '"HER">80091o2'), "envelope-value"),
    "no To (9)": (without("eb:To"), "receiver-not-ours"),
    "no PartyId in To (59)": (swap('<eb:PartyId eb:type="HER">8000202</eb:PartyId>', ""), "receiver-not-ours"),
    "an empty HER-id in To (55)": (swap('"HER">8000202<', '"HER"><'), "receiver-not-ours"),
    "no HER-id in To (61)": (swap('"HER">8000202', '"ENH">999000029'), "receiver-not-ours"),
    "letters in the HER-id of To (56)": (swap('"HER">8000202', '"HER">80002o2'), "receiver-not-ours"),
    "a receiver that is not ours (54)": (swap('"HER">8000202', '"HER">8999999'), "receiver-not-ours"),
}


@pytest.mark.parametrize(("edit", "code"), UNADDRESSED.values(), ids=UNADDRESSED.keys())
def test_what_cannot_be_addressed_gets_a_fault(world: World, edit: Edit, code: str) -> None:
    """Nobody to answer, or nobody here who could sign the answer (HITS 1172 4.2.2)."""
    letter = business(world.post_to, world.sample().document, edit=edit)
    faulted(world.post(letter), letter, code)


def test_a_sender_that_nobody_knows_is_told_so(world: World) -> None:
    """HITS 1172 29; in an open HTTP exchange there is a way back, which a mail would not have."""
    letter = business(world.post_to, world.sample().document, from_her="8999998", cpa_id="8000202_8999998")
    assert "29" in refused(world.post(letter), letter, "sender-unknown", "ValueNotRecognized", "//eb:From")


@pytest.mark.parametrize(("side", "own", "rule"), [("From", "8009102", "14"), ("To", "8000202", "13")])
def test_two_her_ids_are_one_too_many(world: World, side: str, own: str, rule: str) -> None:
    twice = inserted(f"</eb:{side}>", '<eb:PartyId eb:type="HER">8000203</eb:PartyId>')
    letter = business(world.post_to, world.sample().document, edit=twice)
    told = refused(world.post(letter), letter, "envelope-inconsistent", "Inconsistent", f"//eb:{side}/eb:PartyId")
    assert rule in told


def test_other_identifiers_may_lie_beside_the_her_id(world: World) -> None:
    """One of each type, of the same party (HITS 1171 5.2.1.2)."""
    beside = inserted('<eb:PartyId eb:type="HER">8009102', '<eb:PartyId eb:type="ENH">999000053</eb:PartyId>')
    letter = business(world.post_to, world.sample().document, edit=beside)
    acknowledged(world.post(letter), letter, world)


# --- wrong values

VALUES: dict[str, tuple[Edit, str, str, str, str]] = {
    "no version (8)": (
        swap('SOAP:mustUnderstand="1" eb:version="2.0"><eb:From', 'SOAP:mustUnderstand="1"><eb:From'),
        "envelope-value",
        "ValueNotRecognized",
        "//eb:MessageHeader",
        "8",
    ),
    "version 3.0 (70)": (
        swap('eb:version="2.0"><eb:From', 'eb:version="3.0"><eb:From'),
        "envelope-value",
        "ValueNotRecognized",
        "version",
        "70",
    ),
    "a Timestamp that is none (17)": (
        _emptied("Timestamp", "i dag"),
        "envelope-missing",
        "OtherXml",
        "//eb:Timestamp",
        "17",
    ),
    "a thirteenth month (17)": (
        _emptied("Timestamp", "2026-13-01T00:00:00Z"),
        "envelope-missing",
        "OtherXml",
        "//eb:Timestamp",
        "17",
    ),
    "a TimeToLive that is none (17)": (
        inserted("</eb:MessageData>", "<eb:TimeToLive>snart</eb:TimeToLive>"),
        "envelope-missing",
        "OtherXml",
        "//eb:TimeToLive",
        "17",
    ),
    "a TimeToLive that has passed": (
        inserted("</eb:MessageData>", "<eb:TimeToLive>2020-01-01T00:00:00Z</eb:TimeToLive>"),
        "time-to-live-expired",
        "TimeToLiveExpired",
        "//eb:TimeToLive",
        "",
    ),
    "an unknown block that must be understood (100)": (
        inserted("</SOAP:Header>", '<x:Ny xmlns:x="urn:x" SOAP:mustUnderstand="1"></x:Ny>'),
        "envelope-not-supported",
        "NotSupported",
        "//SOAP:Header",
        "100",
    ),
    "an ebXML block that belongs elsewhere (100)": (
        inserted("</SOAP:Header>", '<eb:StatusRequest SOAP:mustUnderstand="1" eb:version="2.0"></eb:StatusRequest>'),
        "envelope-not-supported",
        "NotSupported",
        "//SOAP:Header",
        "100",
    ),
    "a second block in the Body": (
        inserted("</SOAP:Body>", "<eb:Manifest></eb:Manifest>"),
        "envelope-missing",
        "OtherXml",
        "//SOAP:Body",
        "5.14.3",
    ),
    "an unknown block in the Body (101)": (
        inserted("</SOAP:Body>", '<x:Ny xmlns:x="urn:x"></x:Ny>'),
        "envelope-missing",
        "OtherXml",
        "//SOAP:Body",
        "",
    ),
    "an agreement that nobody knows (12)": (
        _emptied("CPAId", "nav:ukjent:1"),
        "cpa-unknown",
        "ValueNotRecognized",
        "//eb:CPAId",
        "",
    ),
    "an agreement between others (111, 112)": (
        _emptied("CPAId", "8000001_8000002"),
        "cpa-party",
        "Inconsistent",
        "//eb:From",
        "",
    ),
}


@pytest.mark.parametrize(("edit", "code", "error_code", "location", "rule"), VALUES.values(), ids=VALUES.keys())
def test_a_wrong_value_is_refused_at_its_place(
    world: World, edit: Edit, code: str, error_code: str, location: str, rule: str
) -> None:
    letter = business(world.post_to, world.sample().document, edit=edit)
    assert rule in refused(world.post(letter), letter, code, error_code, location)


@pytest.mark.parametrize("message_id", ["har et mellomrom", "æøå", "x" * 300, "linje\nskift"])
def test_a_message_id_with_what_no_identifier_has_is_refused(world: World, message_id: str) -> None:
    """HITS 1172 102: a UUID, or left@right, or what real senders write; never blanks or controls inside."""
    letter = business(world.post_to, world.sample().document, message_id=message_id)
    refused(world.post(letter), letter, "envelope-value", "ValueNotRecognized", "//eb:MessageId")


@pytest.mark.parametrize(
    "form", ["20250124-114229-35564@test.invalid", "autotest_tc_2_2_15", " med-blanke-foran", "{guid}"]
)
def test_a_message_id_as_real_senders_write_it_is_taken(world: World, form: str) -> None:
    """Text, not a UUID (ebxml.md §10 item 7); compared after trimming, case and all."""
    from uuid import uuid4

    own = f"{form}{uuid4()}"
    letter = replace(business(world.post_to, world.sample().document, message_id=own), message_id=own.strip())
    acknowledged(world.post(letter), letter, world)
    said = world.post(letter)
    assert said.kind == "acknowledgment" and not said.deliveries, "trimmed it is the same id again"


def test_ids_that_differ_in_case_are_two(world: World) -> None:
    from uuid import uuid4

    own = str(uuid4())
    delivered(world.post(business(world.post_to, world.sample().document, message_id=own)))
    delivered(world.post(business(world.post_to, world.sample().document, message_id=own.upper())))


@pytest.mark.parametrize("conversation", ["20250124-114229-355", "ikke en uuid", "X"])
def test_a_conversation_id_of_any_shape_is_taken(world: World, conversation: str) -> None:
    """ "Shall be UUID", but real ones are not, and nothing depends on it (ebxml.md §1.6)."""
    letter = business(world.post_to, world.sample().document, conversation_id=conversation)
    said = world.post(letter)
    acknowledged(said, letter, world)
    assert said.envelope is not None and said.envelope.conversation_id == conversation


# --- accepted with a warning, or without a word

MESSAGE_ORDER = '<eb:MessageOrder SOAP:mustUnderstand="1" eb:version="2.0"><eb:SequenceNumber>1</eb:SequenceNumber></eb:MessageOrder>'
REMARKED: dict[str, tuple[Edit, str]] = {
    "a receipt that need not be signed (94)": (
        swap('eb:signed="true"', 'eb:signed="false"'),
        "signed is not true (HITS 1172 94)",
    ),
    "no DuplicateElimination (74)": (without("eb:DuplicateElimination"), "DuplicateElimination is missing"),
    "no Role (HITS 1171 5.2.1.3)": (without("eb:Role"), "From has no Role (HITS 1171 5.2.1.3)"),
    "no mustUnderstand (7)": (
        swap('<eb:MessageHeader SOAP:mustUnderstand="1"', "<eb:MessageHeader"),
        "mustUnderstand is not 1",
    ),
    "mustUnderstand 0 (69)": (
        swap('<eb:MessageHeader SOAP:mustUnderstand="1"', '<eb:MessageHeader SOAP:mustUnderstand="0"'),
        "mustUnderstand is not 1",
    ),
    "another version of the Manifest (5)": (
        swap('<eb:Manifest eb:version="2.0"', '<eb:Manifest eb:version="1.0"'),
        "the Manifest's eb:version is not 2.0",
    ),
    "a clock that is ahead": (_emptied("Timestamp", "{soon}"), "is ahead of our clock"),
    # mustUnderstand or not: order by agreement only, and no agreement of the sector has it (HIS 1037 3.2)
    "a MessageOrder": (
        inserted("</SOAP:Header>", MESSAGE_ORDER),
        "MessageOrder is not kept: each message is handed on when it comes (HIS 1037 3.2)",
    ),
}


@pytest.mark.parametrize(("edit", "words"), REMARKED.values(), ids=REMARKED.keys())
def test_a_lesser_breach_is_remarked_upon_and_the_message_acknowledged(world: World, edit: Edit, words: str) -> None:
    """An Acknowledgment that was asked for is sent (ebMS 2.0 6.5.3): others take every ErrorList for a failure."""
    soon = (world.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    letter = business(world.post_to, world.sample().document, edit=lambda e: edit(e).replace(b"{soon}", soon))
    remarked(world.post(letter), letter, world, words)


def test_without_ack_requested_a_warning_is_the_only_receipt(world: World) -> None:
    """HITS 1172 4.2.2.1; a Warning counts as accepted (HITS 1171 5.2.4). What else it breaks is told to nobody."""
    plain = lambda e: without("eb:AckRequested")(without("eb:DuplicateElimination")(e))  # noqa: E731
    said = world.post(business(world.post_to, world.sample().document, edit=plain))
    assert "HITS 1172 75" in warned(said, "OtherXml", "//eb:AckRequested")
    assert said.error.severity == "Warning"
    assert any("DuplicateElimination is missing" in e.because for e in said.journal)


@pytest.mark.parametrize(
    ("hub", "party", "kind"), [(True, False, "empty"), (False, None, "empty"), (False, True, "error")]
)
def test_a_partner_that_takes_warnings_for_failures_is_told_nothing(
    new_world: Callable[..., World], hub: bool, party: bool | None, kind: str
) -> None:
    """By setting, of the hub or of the party, which counts more: taken, and HTTP 204."""
    world = new_world(hub={"warnings": hub}, manners={} if party is None else {"warnings": party})
    said = world.post(business(world.post_to, world.sample().document, edit=without("eb:AckRequested")))
    assert (said.kind, said.reply.status) == (kind, 204 if kind == "empty" else 200)
    delivered(said)


SILENT: dict[str, Edit] = {
    "mustUnderstand true": swap(
        '<eb:MessageHeader SOAP:mustUnderstand="1"', '<eb:MessageHeader SOAP:mustUnderstand="true"'
    ),
    "RefToMessageId, which a table forbids and a big sender writes": inserted(
        "</eb:MessageData>", "<eb:RefToMessageId>x</eb:RefToMessageId>"
    ),
    "no Description": without("eb:Description"),
    "a Description that is no JSON": _emptied("Description", '{"MSH-system": "x",}'),
    "no Schema in the Manifest (265)": without("eb:Schema"),
    "a Schema that fits nothing (267, 268)": swap('eb:version="1.1"></eb:Schema>', 'eb:version="9.9"></eb:Schema>'),
    "no type of the Service": swap('<eb:Service eb:type="string">', "<eb:Service>"),
    "kithService as type of the Service": swap('<eb:Service eb:type="string">', '<eb:Service eb:type="kithService">'),
    "blanks around every value": lambda e: re.sub(
        rb"(<eb:(?:CPAId|Action|Service|PartyId)[^>]*>)([^<]+)", rb"\1\n  \2 \n", e
    ),
    "seven digits of a second": lambda e: re.sub(rb"(<eb:Timestamp>[^Z<]+)Z", rb"\1.1234567Z", e),
    "an unknown block that need not be understood": inserted("</SOAP:Header>", '<x:Ny xmlns:x="urn:x"></x:Ny>'),
    "a CPAId with a serial": lambda e: re.sub(rb"(<eb:CPAId>)([^<]+)", rb"\1\2_3", e),
    "AckRequested 1": swap('eb:signed="true"', 'eb:signed="1"'),
    "other identifiers first": inserted(
        '<eb:PartyId eb:type="HER">8000202', '<eb:PartyId eb:type="orgnummer">999000029</eb:PartyId>'
    ),
    "a Service and Action of another document": lambda e: e.replace(b"DIALOG_HELSEFAGLIG", b"HENVISNING"),
}


@pytest.mark.parametrize("edit", SILENT.values(), ids=SILENT.keys())
def test_what_real_senders_do_is_acknowledged(world: World, edit: Edit) -> None:
    letter = business(world.post_to, world.sample().document, edit=edit)
    acknowledged(world.post(letter), letter, world)


def test_local_time_with_an_offset_is_understood(world: World) -> None:
    """HIS 1037 6.2.1: UTC, or local with offset; without one it is UTC in ebXML, and is no reason to refuse."""
    later = (world.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00")
    letter = business(world.post_to, world.sample().document, edit=_emptied("Timestamp", later))
    acknowledged(world.post(letter), letter, world)
    bare = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    letter = business(world.post_to, world.sample().document, edit=_emptied("Timestamp", bare))
    acknowledged(world.post(letter), letter, world)


def test_a_time_to_live_to_come_is_no_hindrance(world: World) -> None:
    letter = business(world.post_to, world.sample().document, time_to_live=world.clock.now() + timedelta(hours=1))
    acknowledged(world.post(letter), letter, world)


# --- forbidden in a business message: what it is cannot be told

MIXED: dict[str, Edit] = {
    "an Acknowledgment": inserted("</SOAP:Header>", ACK),
    "an ErrorList": inserted("</SOAP:Header>", ERRORS),
    "a second MessageHeader": lambda e: e.replace(b"<SOAP:Header>", b"<SOAP:Header>" + _header_of(e), 1),
    "two AckRequested": lambda e: e.replace(
        b"<eb:AckRequested",
        e[e.index(b"<eb:AckRequested") : e.index(b"</eb:AckRequested>") + 18] + b"<eb:AckRequested",
        1,
    ),
    "no Manifest": lambda e: re.sub(rb"<eb:Manifest.*</eb:Manifest>", b"", e),
    "a Manifest in the Header only": lambda e: re.sub(
        rb"(</SOAP:Header><SOAP:Body>)(<eb:Manifest.*</eb:Manifest>)", rb"\2\1", e
    ),
}


def _header_of(envelope: bytes) -> bytes:
    return envelope[envelope.index(b"<eb:MessageHeader") : envelope.index(b"</eb:MessageHeader>") + 19]


@pytest.mark.parametrize("edit", MIXED.values(), ids=MIXED.keys())
def test_a_message_that_is_two_things_or_none_is_refused(world: World, edit: Edit) -> None:
    """HITS 1172 5.11: several or none of Manifest, Acknowledgment and ErrorList, with a Service that decides nothing."""
    letter = business(world.post_to, world.sample().document, edit=edit)
    said = world.post(letter)
    assert said.kind in ("error", "fault")
    assert said.arrival is not None and said.arrival.code in ("envelope-inconsistent", "not-ebxml", "envelope-missing")
    assert not said.deliveries


def test_service_and_action_decide_what_a_mixed_message_is(world: World) -> None:
    """A receipt with a Manifest beside: taken as the receipt that it says it is, hence never answered."""
    letter = signal(
        world.post_to,
        lambda h: envelope_write.acknowledgment(h, "x", []),
        "Acknowledgment",
        edit=swap("<SOAP:Body>", '<SOAP:Body><eb:Manifest eb:version="2.0"></eb:Manifest>'),
    )
    said = world.post(letter)
    assert said.kind == "empty" and not said.deliveries


def test_the_receiver_and_the_payloads_key_belong_together(world: World) -> None:
    """To another party of ours than it was encrypted for: it cannot be opened there."""
    post = replace(world.post_to, to_her=NURSING.her_id)
    letter = business(post, world.sample(receiver=NURSING).document)
    refused(world.post(letter), letter, "decryption", "SecurityFailure")


def test_from_and_to_the_same_party_of_ours_is_not_believed(world: World) -> None:
    """Nobody outside signs for a party of ours."""
    letter = business(world.post_to, world.sample(sender=DOCTOR).document, from_her=DOCTOR.her_id)
    said = world.post(letter)
    assert said.kind == "error" and not said.deliveries


def test_roles_may_be_what_they_like_where_no_cpa_says_otherwise(world: World) -> None:
    letter = business(world.post_to, world.sample().document, from_role="EPIKRISESender", to_role="noe annet")
    acknowledged(world.post(letter), letter, world)


def test_nothing_in_the_header_can_be_made_to_cost(world: World) -> None:
    """Ten thousand characters where a few belong are a value like any other, or refused; never an exception."""
    for element in ("CPAId", "ConversationId", "Service", "Action", "Role"):
        letter: Letter = business(world.post_to, world.sample().document, edit=_emptied(element, "x" * 10_000))
        said = world.post(letter)
        assert said.kind in ("error", "acknowledgment")


# --- blocks for somebody else (SOAP 1.1 4.2.2, 4.2.3), and AckRequested of both handlers (ebMS 2.0 6.3.1)

ACTOR = "urn:oasis:names:tc:ebxml-msg:actor:{}"


def _block(actor: str, must: str = "1") -> str:
    said = f' SOAP:actor="{actor}"' if actor else ""
    return f'<x:Sporing xmlns:x="urn:x"{said} SOAP:mustUnderstand="{must}">1</x:Sporing>'


def _asked(actor: str) -> str:
    return f'<eb:AckRequested SOAP:actor="{actor}" SOAP:mustUnderstand="1" eb:signed="false" eb:version="2.0"></eb:AckRequested>'


FOR_OTHERS = {
    "a region's hub": _block("urn:example:region"),
    "a proxy": _block("http://proxy.example/"),
    "two others": _block("urn:example:a") + _block("urn:example:b"),
    "us, but no must": _block("", "0"),
    "an AckRequested of the next": _asked(ACTOR.format("nextMSH")),
    "an AckRequested of somebody else": _asked("urn:example:region"),
}


@pytest.mark.parametrize("block", FOR_OTHERS.values(), ids=FOR_OTHERS.keys())
@pytest.mark.parametrize("first", [True, False])
def test_what_somebody_else_must_understand_is_no_business_of_ours(world: World, block: str, first: bool) -> None:
    """The AckRequested that is asked of us counts, wherever it stands."""
    place = "<SOAP:Header>" if first else "</SOAP:Header>"
    edit = swap(place, place + block if first else block + place)
    unsigned = {"after": edit} if "nextMSH" in block else {"edit": edit}  # what is for the next one only is not signed
    letter = business(world.post_to, world.sample().document, **unsigned)
    acknowledged(world.post(letter), letter, world)


@pytest.mark.parametrize(
    "actor", ["", ACTOR.format("toPartyMSH"), ACTOR.format("nextMSH"), "http://schemas.xmlsoap.org/soap/actor/next"]
)
def test_what_we_must_understand_and_do_not_is_refused(world: World, actor: str) -> None:
    edit = swap("</SOAP:Header>", _block(actor) + "</SOAP:Header>")
    letter = business(world.post_to, world.sample().document, edit=edit)
    assert "Sporing" in refused(world.post(letter), letter, "envelope-not-supported", "NotSupported", "//SOAP:Header")
