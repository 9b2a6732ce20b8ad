"""Whose certificate is expected on the bus: by the CPA that is named, one that holds, the CPP, or what is registered (§3.4)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.register import cpas
from adapters.register.directory import Defaults, FileDirectory
from hub.errors import ConfigurationError, HubError
from hub.formats.queues import QueueKind
from hub.message import Agreement
from hub.trust import certificates
from tests.unit.keys import certificate, private_key
from tests.unit.test_certificates import ISSUER, NOW, OWN, YEAR, issue

OURS, DOCTOR, ID = "93238", "93253", "9333f3de-e85c-4c26-9066-6800055b1b8e"
#: Serial numbers in CPA_93253.
DOCTOR_SIGNS, DOCTOR_ENCRYPTS, WE_SIGN = "1d5be79f34c56e4e944e", "1d5a932bb4694cdc8ec4", "10a3f7e99720077e30aa"
THEN = datetime(2016, 12, 1, tzinfo=UTC)
EKONTAKT, TEST = "DIALOG_INNBYGGER_EKONTAKT", "DIALOG_INNBYGGER_TEST"
PARTIES = """
[[system]]
id = "epj"
her_ids = [{local}]
{rows}
"""
LOCAL = """
[[party]]
her_id = "{her}"
system = "epj"
amqp_async = "tb.test.nhn.no/NHNTESTServiceBus/{her}_async"
amqp_syncreply = "tb.test.nhn.no/NHNTESTServiceBus/{her}_syncreply"
"""
REMOTE = """
[[party]]
her_id = "{her}"
amqp_async = "tb.test.nhn.no/NHNTESTServiceBus/organisation_async"
amqp_sync = "tb.test.nhn.no/NHNTESTServiceBus/organisation_sync"
amqp_error = "tb.test.nhn.no/NHNTESTServiceBus/organisation_error"
signing_certificates = ["sign.pem"]
encryption_certificate = "encrypt.pem"
"""

Made = Callable[..., FileDirectory]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A directory of local and remote parties, with files beside it."""
    for name, number in (("sign", 0), ("encrypt", 1)):
        loaded = x509.load_der_x509_certificate(certificate(number))
        (tmp_path / f"{name}.pem").write_bytes(loaded.public_bytes(Encoding.PEM))
    (tmp_path / "agreements").mkdir()

    def directory(
        *files: Path | tuple[str, str],
        local: tuple[str, ...] = (OURS,),
        remote: tuple[str, ...] = (DOCTOR,),
        **more: str,
    ) -> FileDirectory:
        for file in files:
            name, text = (file.name, file.read_text("utf-8-sig")) if isinstance(file, Path) else file
            (tmp_path / "agreements" / name).write_text(text, "utf-8")
        rows = "".join(LOCAL.format(her=h) for h in local) + "".join(REMOTE.format(her=h) for h in remote)
        named = ", ".join(f'"{her}"' for her in local)
        (tmp_path / "parties.toml").write_text(PARTIES.format(local=named, rows=rows), "utf-8")
        unagreed = frozenset(more.values())
        return FileDirectory(tmp_path / "parties.toml", tmp_path / "agreements", Defaults(unagreed=unagreed))

    return directory


def asked(
    directory: FileDirectory,
    from_her: str = DOCTOR,
    to_her: str = OURS,
    *,
    cpa_id: str = "",
    function: str = EKONTAKT,
    at: datetime = THEN,
) -> Agreement:
    return directory.bus_profile(cpa_id=cpa_id, from_her=from_her, to_her=to_her, function=function, at=at)


def serials(found: Agreement) -> list[str]:
    return [certificates.facts(der).serial for der in found.signing_certificates]


@pytest.fixture
def cpa(standards: Path) -> Path:
    """A real CPA of the bus, which ended in 2017."""
    return standards / "cpa/helsenorge/CPA_93253.xml"


def test_what_comes_is_expected_by_the_senders_side_of_the_cpa(made: Made, cpa: Path) -> None:
    for named in (ID, ""):
        found = asked(made(cpa), cpa_id=named)
        assert (found.source, found.cpa_id, found.fault, serials(found)) == ("cpa", ID, "", [DOCTOR_SIGNS])


def test_what_goes_is_encrypted_by_the_receivers_side_and_sent_to_its_registered_queue(made: Made, cpa: Path) -> None:
    """nhn-amqp.md §0 item 14: the CPA says DigitalDialog/93253_async."""
    found = asked(made(cpa), OURS, DOCTOR)
    assert certificates.facts(found.encryption_certificate).serial == DOCTOR_ENCRYPTS
    assert found.endpoint == "amqp:tb.test.nhn.no/NHNTESTServiceBus/organisation_async" and found.reply == "async"
    found = asked(made(cpa), OURS, DOCTOR, function=TEST)
    assert found.endpoint == "amqp+sync:tb.test.nhn.no/NHNTESTServiceBus/organisation_sync" and found.reply == "sync"


def test_each_side_is_the_right_one_where_both_are_ours(made: Made, cpa: Path) -> None:
    """The library remembers an agreement by its id alone, and then gives the wrong side (§3.4)."""
    directory = made(cpa, local=(OURS, DOCTOR), remote=())
    for own, other, encrypts in ((OURS, DOCTOR, DOCTOR_ENCRYPTS), (DOCTOR, OURS, "10a2dc098eeb4fc80678")):
        found = asked(directory, own, other, cpa_id=ID)
        assert certificates.facts(found.encryption_certificate).serial == encrypts


def test_a_cpa_that_is_over_counts_only_for_a_message_that_names_it(made: Made, cpa: Path) -> None:
    """It may have waited in the queue since (§3.6); whether its certificate still holds is asked elsewhere."""
    directory = made(cpa)
    assert asked(directory, cpa_id=ID, at=NOW).source == "cpa"
    plain = asked(directory, at=NOW)
    assert (plain.source, plain.cpa_id, plain.signing_certificates) == ("parties", "", (certificate(0),))


def test_an_id_that_is_unknown_or_of_others_does_not_stand_in_the_way(made: Made, cpa: Path) -> None:
    """nhn-amqp.md §3.4 step 1, and §8 of 2023."""
    assert asked(made(cpa), cpa_id="unknown").cpa_id == ID
    directory = made(cpa, remote=(DOCTOR, "5"))
    assert asked(directory, "5", OURS, cpa_id=ID).source == "parties"


def test_without_a_cpa_the_profile_of_the_other_counts(made: Made, standards: Path) -> None:
    cpp = standards / "cpa/helsenorge/CPP_Rest_93238.xml"
    directory = made(cpp, local=("1",), remote=(OURS,))
    coming, going = asked(directory, OURS, "1"), asked(directory, "1", OURS)
    assert (coming.source, coming.cpa_id, serials(coming)) == ("cpp", "", [WE_SIGN])
    assert certificates.facts(going.encryption_certificate).serial == "10a2dc098eeb4fc80678"
    assert going.signing_certificates == ()  # our own: our keys say which
    assert going.allows(EKONTAKT) and not going.allows("DIALOG_HELSEFAGLIG")


def test_without_either_what_is_registered_counts_for_every_function(made: Made) -> None:
    """The dummy profile (§5.3): who only sends receipts may have no CPP."""
    found = asked(made(), function="APPREC")
    assert (found.source, found.signing_certificates, found.functions) == ("parties", (certificate(0),), None)
    assert found.allows("ANYTHING") and asked(made(), OURS, DOCTOR).encryption_certificate == certificate(1)


def test_some_functions_need_no_agreement_by_setting(made: Made, cpa: Path) -> None:
    directory = made(cpa, unagreed=EKONTAKT)
    assert asked(directory, cpa_id=ID, function=EKONTAKT.lower()).source == "parties"
    assert asked(directory, cpa_id=ID, function=TEST).source == "cpa"


def test_who_is_not_known_at_all_is_told(made: Made, cpa: Path) -> None:
    directory = made(cpa, remote=())
    assert (
        asked(directory, "7", OURS).fault == "sender-unknown"
        and asked(directory, OURS, "7").fault == "receiver-unknown"
    )
    known_by_cpa = asked(directory, DOCTOR, OURS)
    assert known_by_cpa.fault == "" and serials(known_by_cpa) == [DOCTOR_SIGNS] and known_by_cpa.endpoint


def test_functions_are_asked_for_ignoring_case_and_reservations_pass_unasked(made: Made, cpa: Path) -> None:
    """nhn-amqp.md §4.1 step 1; a function may become known only when the document is open."""
    found = asked(made(cpa), function="")
    assert found.allows("dialog_innbygger_ekontakt") and found.allows("Apprec")
    assert found.allows("X_DIALOG_INNBYGGER_TIMERESERVASJON_2") and not found.allows("DIALOG_HELSEFAGLIG")


CPP = """<t:CollaborationProtocolProfile xmlns:t="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
 xmlns:d="http://www.w3.org/2000/09/xmldsig#" t:cppid="c"><t:PartyInfo t:partyName="n"><t:PartyId t:type="HER">{her}
</t:PartyId>{certificates}</t:PartyInfo></t:CollaborationProtocolProfile>"""


def cpp(*ders: bytes, her: str = DOCTOR) -> tuple[str, str]:
    written = "".join(
        f'<t:Certificate t:certId="c{n}"><d:KeyInfo><d:X509Data><d:X509Certificate>{base64.b64encode(der).decode()}'
        "</d:X509Certificate></d:X509Data></d:KeyInfo></t:Certificate>"
        for n, der in enumerate(ders)
    )
    return f"{her}.xml", CPP.format(her=her, certificates=written)


def made_for(*usages: str, years: int = 1) -> bytes:
    return issue(OWN, private_key(2), ISSUER, usages=usages, end=NOW + years * YEAR)


def test_certificates_are_told_apart_by_their_usage_and_the_last_to_end_comes_first(made: Made) -> None:
    """nhn-amqp.md §3.4: not by the id they have in the file."""
    signs, old = made_for("content_commitment", years=2), made_for("content_commitment")
    hides, longer = made_for("key_encipherment"), made_for("key_encipherment", years=2)
    directory = made(cpp(hides, old, longer, signs, b"NONREP"))
    assert asked(directory).signing_certificates == (signs, old)
    assert asked(directory, OURS, DOCTOR).encryption_certificate == longer


def test_one_certificate_for_both_counts_for_both(made: Made) -> None:
    """The library takes it for encryption alone, and then misses the other (§3.4)."""
    both = made_for("content_commitment", "key_encipherment")
    directory = made(cpp(both))
    assert asked(directory).signing_certificates == (both,)
    assert asked(directory, OURS, DOCTOR).encryption_certificate == both


def test_a_profile_without_certificates_leaves_the_registered_ones(made: Made) -> None:
    found = asked(made(cpp()))
    assert found.source == "cpp" and found.signing_certificates == (certificate(0),)
    assert asked(made(cpp()), OURS, DOCTOR).encryption_certificate == certificate(1)


# --- the files themselves


def test_queues_are_known_by_their_bare_names(made: Made) -> None:
    directory = made()
    assert directory.bus_queue(DOCTOR, QueueKind.ERROR) == directory.bus_queue(DOCTOR, "error") == "organisation_error"
    assert directory.bus_queue(OURS, QueueKind.SYNCREPLY) == "93238_syncreply"
    assert directory.bus_queue(OURS, QueueKind.SYNC) == directory.bus_queue("7", QueueKind.ASYNC) == ""


def test_a_queue_is_endpoint_enough_for_a_remote_party(made: Made) -> None:
    directory = made()
    remote, local = directory.party(DOCTOR), directory.party(OURS)
    assert remote is not None and remote.endpoint == "amqp:tb.test.nhn.no/NHNTESTServiceBus/organisation_async"
    assert local is not None and local.endpoint == ""


def test_an_address_that_names_no_queue_is_a_mistake_of_the_file(made: Made, tmp_path: Path) -> None:
    made()
    path = tmp_path / "parties.toml"
    path.write_text(re.sub("organisation_(error|sync)", "", path.read_text("utf-8")), "utf-8")
    with pytest.raises(ConfigurationError) as told:
        FileDirectory(path, tmp_path / "agreements")
    assert str(told.value).count("write it as registered") == 2


def test_profiles_are_brought_in_under_the_her_id_of_their_party(tmp_path: Path, standards: Path) -> None:
    """All of the registry's samples have the same cppid."""
    for name in ("CPP_93238.xml", "CPP_Rest_93239.xml"):
        found = cpas.bring_in(standards / "cpa/helsenorge" / name, tmp_path / "to")
        assert next(iter(cpas.in_words(found))).startswith("CPP db5342ce")
    assert set(cpas.read_folder(tmp_path / "to").profiles) == {"93238", "93239"}
    with pytest.raises(HubError):
        cpas.bring_in(standards / "cpa/helsenorge/CPP_94867.xml", tmp_path / "to")
