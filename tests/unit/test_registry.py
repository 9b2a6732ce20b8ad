"""Answers of the address registry: queues with what is inherited, certificates, and the ways it says that it has nothing."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats import registry
from hub.formats.queues import QueueAddress, QueueKind
from hub.formats.registry import RegisteredCertificate, RegisteredParty, RegistryFault
from hub.trust import certificates
from tests.unit.keys import certificate

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def party(raw: bytes) -> RegisteredParty:
    found = registry.party(raw)
    assert isinstance(found, RegisteredParty), found
    return found


def addresses(found: RegisteredParty) -> dict[str, str]:
    return {kind.value: str(queue.address) for kind, queue in found.queues.items()}


@pytest.mark.parametrize("folder", ["helsenorge", "helsenorge-history"])
def test_a_party_by_soap(standards: Path, folder: str) -> None:
    found = party((standards / f"samples/register-nhn/{folder}/CommunicationDetails_93252.xml").read_bytes())
    assert (found.her_id, found.name, found.kind) == ("93252", "Alexander Dahl", "Person")
    assert (found.parent_her_id, found.organisation_number) == ("93237", "999944999")
    assert addresses(found) == {
        "async": "sb.test.nhn.no/DigitalDialog/93252_async",
        "sync": "sb.test.nhn.no/DigitalDialog/93252_sync",
        "error": "sb.test.nhn.no/DigitalDialog/93252_error",
    }
    assert not any(queue.inherited for queue in found.queues.values()) and found.active(NOW)


def test_a_party_by_json_shares_its_parents_queues(standards: Path) -> None:
    """nhn-amqp.md §1.3: never build a queue name from a HER-id."""
    for her_id in ("8141705", "8141791"):
        raw = (standards / f"samples/annet/helsenorge/CommunicationDetailsRest_{her_id}.json").read_bytes()
        found = party(raw)
        assert (found.her_id, found.parent_her_id) == (her_id, "8141703")
        assert found.queues[QueueKind.ASYNC].address == QueueAddress(
            "8141703_async", "NHNTESTServiceBus", "tb.test.nhn.no"
        )
        assert addresses(found)["syncreply"].endswith("/8141703_syncreply")
        assert all(queue.inherited for queue in found.queues.values()) and len(found.queues) == 4
        assert found.active(NOW) and found.organisation_number == "999988891"


def test_every_other_real_answer_is_read(standards: Path) -> None:
    folder = standards / "samples/register-nhn"
    for path in sorted(folder.glob("*/*ommunication*")):
        found = registry.party(path.read_bytes())
        if "not-found" in path.name:
            assert found == RegistryFault(
                "InvalidHerIdSupplied", "Kommunikasjonspart med oppgitt HER-id eksisterer ikke."
            )
        else:
            assert isinstance(found, RegisteredParty) and found.her_id.isdecimal() and found.name, path.name


def test_certificates_of_the_registry(standards: Path) -> None:
    folder = standards / "samples/register-nhn"
    for path in sorted(folder.glob("helsenorge/GetCertificateDetails*")):
        found = registry.certificate(path.read_bytes())
        assert isinstance(found, RegisteredCertificate) and found.ldap_url.startswith("ldap://")
        assert certificates.facts(found.der).subject
    for name in ("EncryptionCertificate", "SignCertificate"):
        found = registry.certificate((folder / f"nav-ebxml-processor/{name}.json").read_bytes())
        assert isinstance(found, RegisteredCertificate) and certificates.facts(found.der).usages


def soap(inside: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"<s:Body>{inside}</s:Body></s:Envelope>"
    ).encode()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "unreadable"),
        (b"<a/>", "unreadable"),
        (b"<a", "unreadable"),
        (b"{}", "unreadable"),
        (b"{", "unreadable"),
        (b"[]", "unreadable"),
        (b'{"communicationParty": null}', "nothing"),
        (b'{"a":' * 5_000, "unreadable"),
        (soap("<r/>"), "nothing"),
        (soap(""), "nothing"),
        (soap('<r><Result i:nil="true"/></r>'), "nothing"),
        (soap("<s:Fault><faultcode>s:Client</faultcode><faultstring>Nei</faultstring></s:Fault>"), "unreadable"),
    ],
)
def test_what_is_no_answer_says_so(raw: bytes, code: str) -> None:
    for read in (registry.party, registry.certificate):
        found = read(raw)
        assert isinstance(found, RegistryFault) and found.code == code and found.text


def test_an_empty_certificate_is_a_fault_and_none_is_nothing() -> None:
    """nhn-amqp.md §5.1."""
    for written in ("", "AAAA", "*"):
        found = registry.certificate(
            f"<CertificateDetails><Certificate>{written}</Certificate></CertificateDetails>".encode()
        )
        assert isinstance(found, RegistryFault) and found.code == "unreadable"
    nil = b'<CertificateDetails i:nil="true" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"/>'
    assert registry.certificate(nil) == RegistryFault("nothing", "the registry has nothing")


def test_a_certificate_in_lines_is_read() -> None:
    written = base64.encodebytes(certificate()).decode()
    raw = soap(f"<r><Result><Certificate>{written}</Certificate><LdapUrl>l</LdapUrl></Result></r>")
    assert registry.certificate(raw) == RegisteredCertificate(certificate(), "l")


def test_a_party_that_has_ended_is_not_written_to() -> None:
    raw = '{"HerId": 1, "Valid": {"To": "2026-03-01T00:00:00"}}'
    assert not party(raw.encode()).active(NOW) and party(b'{"HerId": 1}').active(NOW)
    assert not party(b'{"HerId": 1, "IsValidCommunicationParty": false}').active(NOW)


def test_addresses_that_name_no_queue_are_passed_over_and_the_first_counts() -> None:
    one = '{"TypeCodeValue": "E_SB_ASYNC", "Address": "%s"}'
    several = ", ".join(one % written for written in ("", "h/EX/", "h/EX/a", "h/EX/b"))
    assert addresses(party(f'{{"HerId": 1, "ElectronicAddresses": [{several}, 5]}}'.encode())) == {"async": "h/EX/a"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda i: (
            st.lists(i)
            | st.dictionaries(
                st.sampled_from(
                    ["HerId", "herId", "Valid", "To", "ElectronicAddresses", "Address", "TypeCodeValue", "Type"]
                ),
                i,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_makes_it_raise(value: object) -> None:
    for raw in (json.dumps(value), json.dumps({"HerId": 1, "Valid": value, "ElectronicAddresses": value})):
        registry.party(raw.encode())
        registry.certificate(raw.encode())
