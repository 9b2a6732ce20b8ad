"""A client's certificate that a proxy of the site has verified: believed from it, and from nobody else."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from hub.digest import sha256
from ops.config import HttpSettings
from ops.serve.proxies import LONGEST, certificates, fingerprint
from tests.support.certificates import self_signed

DER = self_signed()
PEM = "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(DER).decode() + "-----END CERTIFICATE-----\n"
WRITTEN = {
    "nginx": quote(PEM),
    "PEM in one line": PEM.replace("\n", " "),
    "DER": base64.b64encode(DER).decode(),
    "RFC 9440": f":{base64.b64encode(DER).decode()}:",
}


def scope(client: str, *values: str) -> dict[str, Any]:
    """A request from an address, with the header as often as there are values."""
    return {"headers": [(b"x-client-cert", value.encode()) for value in values], "client": (client, 1)}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_certificate_is_read_however_a_proxy_writes_it(how: str) -> None:
    """The same digest each time."""
    assert fingerprint(WRITTEN[how].encode()) == sha256(DER)


@pytest.mark.parametrize(
    "given", ["", "x", "AAAA", quote(PEM[:200]), "A" * (LONGEST + 1), "%ff%fe", "-----BEGIN CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_nobody(given: str) -> None:
    """Never an error."""
    assert fingerprint(given.encode()) == ""


def test_only_a_proxy_of_the_site_is_believed() -> None:
    """By its address; a header that stands there twice is nobody's."""
    proven = certificates(HttpSettings(proxies=["10.1.0.0/16", "::1"], certificate_header="X-Client-Cert"))
    good = WRITTEN["nginx"]
    assert proven(scope("10.1.2.3", good)) == proven(scope("::1", good)) == sha256(DER)
    assert [proven(scope(client, good)) for client in ("10.2.0.1", "127.0.0.1", "unix", "::2")] == [""] * 4
    assert proven(scope("10.1.2.3")) == proven(scope("10.1.2.3", good, good)) == ""
    assert proven({"headers": [(b"x-client-cert", good.encode())], "client": None}) == ""


def test_nobody_is_believed_unless_told_so() -> None:
    """The header alone, or the proxies alone, turn nothing on."""
    for settings in (
        HttpSettings(),
        HttpSettings(proxies=["0.0.0.0/0"]),
        HttpSettings(certificate_header="X-Client-Cert"),
    ):
        assert certificates(settings)(scope("127.0.0.1", WRITTEN["nginx"])) == ""


@pytest.mark.parametrize("wrong", [{"proxies": ["proxy.example"]}, {"certificate_header": "X Client"}])
def test_a_setting_that_is_none_is_told(wrong: dict[str, Any]) -> None:
    """At the start."""
    with pytest.raises(ValidationError):
        HttpSettings(**wrong)
