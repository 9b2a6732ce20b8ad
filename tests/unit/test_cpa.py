"""Agreements: every real one loads, the schema-invalid ones included, and says what was written in it."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from lxml import etree

from hub.formats import cpa, cpa_route, xml
from hub.formats.cpa import TP, Cpa, CpaFault
from hub.formats.cpa_route import CpaMiss, CpaRoute
from hub.formats.duration import parse_duration
from tests.unit.keys import certificate

NAV, PARTNER = "79768", "8141253"


def read(raw: bytes) -> Cpa | CpaFault:
    root = xml.parse(raw, xml.Bounds.for_document(64_000_000))
    assert not isinstance(root, xml.XmlFault), root
    return cpa.read(root)


def agreement(raw: bytes) -> Cpa:
    found = read(raw)
    assert isinstance(found, Cpa), found
    return found


def files(standards: Path, kind: str) -> Iterator[tuple[str, bytes]]:
    with (standards / "index.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["kind"] == kind:
                yield row["file"], (standards / row["file"]).read_bytes()


def tree(raw: bytes) -> etree._Element:
    return etree.fromstring(raw, etree.XMLParser(resolve_entities=False, huge_tree=True))


def attributes(root: etree._Element, path: str, name: str) -> list[str]:
    """As written, trimmed; the second reader, in plain XPath."""
    found = root.xpath(f"{path}/@tp:{name}", namespaces={"tp": TP})
    assert isinstance(found, list)
    return [str(value).strip() for value in found]


def texts(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(f"{path}/text()", namespaces={"tp": TP})
    assert isinstance(found, list)
    return [str(value).strip() for value in found]


def test_every_real_agreement_loads_and_says_what_is_written(standards: Path) -> None:
    count = 0
    for name, raw in files(standards, "cpa"):
        found, root = read(raw), tree(raw)
        if name.endswith("CPA_94867.xml"):  # an empty answer of the register, not an agreement
            assert isinstance(found, CpaFault)
            continue
        assert isinstance(found, Cpa), f"{name}: {found}"
        count += 1
        assert found.cpa_id == attributes(root, ".", "cpaid")[0], name
        assert found.status == attributes(root, "tp:Status", "value")[0]
        assert found.start is not None and found.end is not None and found.start < found.end
        for party, info in zip(found.parties, root.iterfind(f"{{{TP}}}PartyInfo"), strict=True):
            assert list(party.ids) == list(
                zip(attributes(info, "tp:PartyId", "type"), texts(info, "tp:PartyId"), strict=True)
            )
            assert party.name == attributes(info, ".", "partyName")[0]
            assert [r.role for r in party.roles] == attributes(info, "tp:CollaborationRole/tp:Role", "name")
            assert [r.service for r in party.roles] == texts(info, "tp:CollaborationRole/tp:ServiceBinding/tp:Service")
            assert party.signal_channel is not None, name
            _bindings(party, info)
            _channels(party, info)
    assert count == 50


def _bindings(party: cpa.CpaParty, info: etree._Element) -> None:
    for side in ("Send", "Receive"):
        path = f"tp:CollaborationRole/tp:ServiceBinding/tp:Can{side}/tp:ThisPartyActionBinding"
        bindings = [b for r in party.roles for b in (r.can_send if side == "Send" else r.can_receive)]
        assert [b.action for b in bindings] == attributes(info, path, "action")
        assert [c.id for b in bindings for c in b.channels] == texts(info, f"{path}/tp:ChannelId")
        assert all(b.package is not None for b in bindings)


def _channels(party: cpa.CpaParty, info: etree._Element) -> None:
    used = {c.id: c for r in party.roles for b in (*r.can_send, *r.can_receive) for c in b.channels}
    for channel in used.values():
        element = f"tp:DeliveryChannel[@tp:channelId='{channel.id}']"
        assert channel.ack_requested == "".join(
            attributes(info, f"{element}/tp:MessagingCharacteristics", "ackRequested")
        )
        transport = attributes(info, element, "transportId")[0]
        uris = attributes(info, f"tp:Transport[@tp:transportId='{transport}']/tp:TransportReceiver/tp:Endpoint", "uri")
        assert list(channel.endpoints) == list(dict.fromkeys(uris))
        exchange = attributes(info, element, "docExchangeId")[0]
        sender = f"tp:DocExchange[@tp:docExchangeId='{exchange}']/tp:ebXMLSenderBinding"
        retries = texts(info, f"{sender}/tp:ReliableMessaging/tp:Retries")
        assert channel.retries == (int(retries[0]) if retries else None)
        interval = texts(info, f"{sender}/tp:ReliableMessaging/tp:RetryInterval")
        assert channel.retry_interval == (parse_duration(interval[0]) if interval else None)
        persist = texts(info, f"{sender}/tp:PersistDuration")
        assert channel.persist_duration == (parse_duration(persist[0]) if persist else None)


def test_a_profile_or_anything_else_is_no_agreement_and_says_what_it_is(standards: Path) -> None:
    for name, raw in files(standards, "cpp"):
        found = read(raw)
        assert isinstance(found, CpaFault) and "CollaborationProtocolProfile" in found.text, name
    assert isinstance(read(b"<x/>"), CpaFault)


def test_the_sectors_usual_reliability_is_read(standards: Path) -> None:
    """4 retries, 12 hours apart, for 4 days (ebxml.md §5.3)."""
    found = route(nav(standards))
    assert (found.sending.retries, found.sending.retry_interval) == (4, timedelta(hours=12))
    assert found.sending.persist_duration == timedelta(days=4)
    assert found.sending.ack_requested == "always"


@lru_cache(maxsize=2)
def nav(standards: Path) -> Cpa:
    return agreement((standards / "cpa/nav-ebxml-processor/nav-qass-35065.xml").read_bytes())


def route(found: Cpa, **more: str) -> CpaRoute:
    asked = {"from_her": PARTNER, "to_her": NAV, "service": "BehandlerKrav", "action": "OppgjorsMelding", "role": ""}
    result = cpa_route.find(found, **{**asked, **more})
    assert isinstance(result, CpaRoute), result
    return result


def miss(found: Cpa, **more: str) -> CpaMiss:
    asked = {"from_her": PARTNER, "to_her": NAV, "service": "BehandlerKrav", "action": "OppgjorsMelding", "role": ""}
    result = cpa_route.find(found, **{**asked, **more})
    assert isinstance(result, CpaMiss) and result.text, result
    return result


def test_a_direction_is_found_with_roles_certificates_and_packaging(standards: Path) -> None:
    found = route(nav(standards))
    assert (found.from_role, found.to_role) == ("Behandler", "KontrollUtbetaler")
    assert found.package == cpa.Package(encrypted=True, compressed=True)  # gzip inside pkcs7-mime (ebxml.md §5.5)
    assert len(found.signing_certificates) == 1 and found.encryption_certificate
    assert found.signing_certificates[0] != found.encryption_certificate
    back = route(nav(standards), from_her=NAV, to_her=PARTNER, action="Svarmelding")
    assert (back.from_role, back.to_role) == ("KontrollUtbetaler", "Behandler")
    assert back.package == cpa.Package(encrypted=True, compressed=False)


def test_what_is_not_agreed_says_what_is_missing(standards: Path) -> None:
    found = nav(standards)
    assert miss(found, from_her="1").what == "party"
    assert miss(found, to_her=PARTNER).what == "party"
    assert miss(found, service="S-HENVISNING").what == "service"
    assert miss(found, action="Svarmelding").what == "service"
    assert miss(found, role="Utleverer").what == "role"


def test_signals_need_no_process_of_their_own(standards: Path) -> None:
    found = route(nav(standards), service=cpa.SIGNAL_SERVICE, action="Acknowledgment")
    assert found.signing_certificates


def test_several_channels_and_endpoints_are_kept_without_doubles(standards: Path) -> None:
    """ebxml.md §10 item 27."""
    name = "nav-qass-31162_multipleChannels_and_multiple_endpoints.xml"
    found = agreement((standards / "cpa/nav-ebxml-processor" / name).read_bytes())
    channels = [b.channels for p in found.parties for r in p.roles for b in r.can_receive]
    assert any(len(several) > 1 for several in channels)
    endpoints = [c.endpoints for several in channels for c in several]
    assert any(len(several) > 1 for several in endpoints)
    assert all(len(set(several)) == len(several) for several in endpoints)


# --- by hand

PARTY = """<tp:PartyInfo tp:partyName="P{her}" tp:defaultMshChannelId="c{her}"><tp:PartyId tp:type=" HER ">
 {her} </tp:PartyId><tp:CollaborationRole><tp:ProcessSpecification tp:name="x" tp:version="1.1" tp:uuid=" u "/>
<tp:Role tp:name="r{her}"/><tp:ApplicationCertificateRef tp:certId="k"/><tp:ServiceBinding><tp:Service> S </tp:Service>
<tp:Can{one}><tp:ThisPartyActionBinding tp:action="A" tp:packageId="p"><tp:ChannelId> c{her} </tp:ChannelId>
</tp:ThisPartyActionBinding></tp:Can{one}></tp:ServiceBinding></tp:CollaborationRole>
<tp:Certificate tp:certId="k"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>
{certificate}</X509Certificate></X509Data></KeyInfo></tp:Certificate>
<tp:DeliveryChannel tp:channelId="c{her}" tp:transportId="t" tp:docExchangeId="d"/>
<tp:Transport tp:transportId="t"><tp:TransportReceiver><tp:Endpoint tp:uri=" http://h/{her} "/></tp:TransportReceiver></tp:Transport>
<tp:DocExchange tp:docExchangeId="d"><tp:ebXMLSenderBinding><tp:ReliableMessaging><tp:Retries>{retries}</tp:Retries>
<tp:RetryInterval>{interval}</tp:RetryInterval></tp:ReliableMessaging><tp:SenderNonRepudiation>
<tp:SigningCertificateRef tp:certId="k"/></tp:SenderNonRepudiation></tp:ebXMLSenderBinding></tp:DocExchange></tp:PartyInfo>"""


def written(*, parties: int = 2, cpa_id: str = "id", **more: str) -> bytes:
    given = {"retries": "4", "interval": "PT12H", "certificate": base64.encodebytes(certificate()).decode(), **more}
    sides = [PARTY.format(her=n + 1, one=("Send", "Receive")[n % 2], **given) for n in range(parties)]
    return (
        f'<tp:CollaborationProtocolAgreement xmlns:tp="{TP}" tp:cpaid="{cpa_id}"><tp:Status tp:value="agreed"/>'
        f"<tp:Start>2026-01-01T00:00:00Z</tp:Start><tp:End>2027-01-01T00:00:00</tp:End>{''.join(sides)}"
        '<tp:Packaging tp:id="p"><tp:CompositeList><tp:Encapsulation tp:mimetype="Application/PKCS7-MIME"/>'
        "</tp:CompositeList></tp:Packaging></tp:CollaborationProtocolAgreement>"
    ).encode()


def test_surrounding_blanks_are_no_part_of_a_value() -> None:
    found = agreement(written())
    assert found.parties[0].ids == (("HER", "1"),) and found.parties[0].is_her("1")
    result = cpa_route.find(found, from_her="1", to_her="2", service="S", action="A", role="r1")
    assert isinstance(result, CpaRoute)
    assert result.receiving.endpoints == ("http://h/2",) and result.encryption_certificate == certificate()
    assert result.signing_certificates == (certificate(),) and result.package == cpa.Package(True, False)
    assert (found.start, found.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def test_retries_of_which_nothing_is_said_are_left_to_the_default() -> None:
    channel = agreement(written(retries="", interval=" ")).parties[0].signal_channel
    assert channel is not None and (channel.retries, channel.retry_interval) == (None, None)


@pytest.mark.parametrize("retries", ["many", "-1", "²", "٤", "9" * 5_000, "1.5"])
def test_retries_that_are_no_number_make_an_agreement_useless(retries: str) -> None:
    found = read(written(retries=retries))
    assert isinstance(found, CpaFault) and found.text.endswith("Retries is not a number")


def test_an_interval_that_is_no_duration_makes_an_agreement_useless() -> None:
    found = read(written(interval="soon"))
    assert isinstance(found, CpaFault) and found.text.endswith("RetryInterval is not a duration as PT30M")


def test_a_certificate_that_is_none_is_left_out() -> None:
    for broken in ("", "M", "*"):
        assert agreement(written(certificate=broken)).parties[0].signing_certificates == ()


@pytest.mark.parametrize(("parties", "cpa_id"), [(1, "id"), (3, "id"), (2, ""), (2, " ")])
def test_what_cannot_be_used_at_all_says_why(parties: int, cpa_id: str) -> None:
    found = read(written(parties=parties, cpa_id=cpa_id))
    assert isinstance(found, CpaFault) and found.text


def test_attributes_without_their_namespace_are_read_too() -> None:
    assert agreement(written().replace(b" tp:", b" ")) == agreement(written())


@pytest.mark.parametrize(
    ("kind", "her"),
    [("HER", True), ("her", True), ("urn:oid:2.16.578.1.12.4.1.2:HER", True), ("ENH", False), ("", False)],
)
def test_a_her_id_is_known_by_its_type(kind: str, her: bool) -> None:
    assert cpa.CpaParty("", ((kind, "1"),), (), None).is_her("1") == her
