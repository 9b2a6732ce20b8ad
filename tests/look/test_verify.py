"""`samhub verify` and `samhub party check`: who signed what, whether that may be trusted, and whether a partner answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from lxml import etree
from typer.testing import CliRunner

from ops.cli.app import app
from ops.partner.partner import Partner
from ops.partner.wire import Wire, broken_value, changed_after_signing


def _run(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    found = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in arguments else []
    return done.exit_code, found, done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `samhub init` writes."""
    folder = tmp_path_factory.mktemp("site")
    assert _run("init", folder)[0] == 0
    return folder


@pytest.fixture
def sealed(samhub_partner: Any, samhub_samples: Any, samhub_pki: Any, tmp_path: Path) -> Any:
    """Seals a referral as a partner does, spoils it, and writes it to a file."""
    handle = samhub_partner(encrypt_for=samhub_pki.certificate("legesenter"))
    partner: Partner = handle.partner

    def write(name: str, how: str = "good", spoil: Any = lambda wire: wire) -> Path:
        from ops.partner.behaviours import Sending

        document = samhub_samples("henvisning").document
        _, wire = partner.sealed(document, "8000202", Sending(how))
        spoilt: Wire = spoil(wire)
        target = tmp_path / name
        head = "".join(f"{k}: {v}\r\n" for k, v in spoilt.headers.items()).encode()
        target.write_bytes(head + b"\r\n" + spoilt.body)
        return target

    return write


def test_a_good_signature_holds_over_envelope_and_part(sealed: Any) -> None:
    code, (said,), _ = _run("verify", sealed("good.eml"), "--json")
    assert code == 0 and said["good"] and said["holds"]
    assert said["covers"][0] == "the envelope" and len(said["covers"]) == 2
    assert said["organisation_number"] == "999000053"
    assert said["trusted"] is None


@pytest.mark.parametrize("spoil", [broken_value, changed_after_signing])
def test_a_wrong_signature_is_not_proven_and_says_why(sealed: Any, spoil: Any) -> None:
    code, _, words = _run("verify", sealed("bad.eml", spoil=spoil))
    assert code == 1 and "NOT PROVEN" in words and "HITS 1172 50" in words


def test_an_unsigned_message_is_not_proven(sealed: Any) -> None:
    code, (said,), _ = _run("verify", sealed("unsigned.eml", "unsigned"), "--json")
    assert code == 1 and said["because"] == "there is no signature (HITS 1172 45)"


def test_a_configuration_says_who_is_trusted(sealed: Any, site: Path) -> None:
    """The partner's authority is another one than the site's, so that its certificate is not trusted there."""
    code, (said,), _ = _run("verify", sealed("good.eml"), "--json", "--config", site)
    assert code == 1 and said["holds"] and said["trusted"] is False
    assert said["trust_because"].startswith("unknown-issuer")


def _signed_document(pki: Any, document: bytes) -> bytes:
    """An enveloped signature by python-xmlsec, as a person's system makes one."""
    root = etree.fromstring(document)
    node = xmlsec.template.create(root, xmlsec.Transform.C14N, xmlsec.Transform.RSA_SHA256)
    root.append(node)
    reference = xmlsec.template.add_reference(node, xmlsec.Transform.SHA256, uri="")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(node))
    context = xmlsec.SignatureContext()
    own = pki.folder / "partner"
    context.key = xmlsec.Key.from_file(str(own / "sign.key.pem"), xmlsec.constants.KeyDataFormatPem)
    context.key.load_cert_from_file(str(own / "sign.cert.pem"), xmlsec.constants.KeyDataFormatPem)
    context.sign(node)
    return etree.tostring(root)


def test_a_signed_document_is_verified_as_a_whole(samhub_pki: Any, samhub_samples: Any, tmp_path: Path) -> None:
    signed = _signed_document(samhub_pki, samhub_samples("dialog-helsefaglig").document)
    (tmp_path / "d.xml").write_bytes(signed)
    code, (said,), _ = _run("verify", tmp_path / "d.xml", "--json")
    assert code == 0 and said["covers"] == ["the whole document"] and said["kind"] == "document"
    (tmp_path / "e.xml").write_bytes(signed.replace(b"Solvik", b"Soelvik", 1))
    assert _run("verify", tmp_path / "e.xml", "--json")[1][0]["holds"] is False


def test_a_signature_over_a_part_of_the_document_is_not_taken(
    samhub_pki: Any, samhub_samples: Any, tmp_path: Path
) -> None:
    signed = _signed_document(samhub_pki, samhub_samples("dialog-helsefaglig").document)
    (tmp_path / "p.xml").write_bytes(signed.replace(b'URI=""', b'URI="#part"'))
    said = _run("verify", tmp_path / "p.xml", "--json")[1][0]
    assert said["because"] == "it does not cover the whole document and nothing else"


def test_a_partner_that_is_not_there_is_told(site: Path) -> None:
    code, found, _ = _run("party", "check", "8000402", "--config", site, "--json")
    assert code == 1
    by_name = {f["what"]: f["good"] for f in found}
    assert by_name["ping"] is False
    assert by_name["signing certificate"] and by_name["agreement with 8000202"]


def test_a_partner_that_answers_is_good(site: Path) -> None:
    from ops import config
    from ops.assemble import hub
    from ops.look.party import checked
    from ops.partner.serve import simulating

    async def work() -> list[tuple[str, bool, str]]:
        found = config.load(site / config.FILE_NAME)
        async with simulating(found), hub(found) as built:
            return await checked("8000402", built.kit)

    looked = asyncio.run(work())
    assert all(good for _, good, _ in looked), looked
    assert looked[-1] == ("ping", True, "HTTP 200, answered by a proven Pong")


def test_an_unknown_party_is_told(site: Path) -> None:
    assert _run("party", "check", "1", "--config", site)[0] == 1
