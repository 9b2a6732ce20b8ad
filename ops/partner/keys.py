"""A partner's keys from the example PKI, with the wrong ones that lie beside them; loaded once, since each takes 50 ms."""

from __future__ import annotations

from pathlib import Path

from adapters.register.file import der
from adapters.register.keys import FolderKeys, private_key
from hub.trust.signature import SigningKey
from ops.certs.make_example import BAD
from ops.partner.partner import PartnerKeys


def keys_in(own: Path) -> PartnerKeys:
    """The keys of the folder `own`; the bad ones are in folders beside it, such as `<own>-revoked`, where there are any."""
    keys = FolderKeys([("own", own)])
    signing = keys.signing_key("own")
    assert signing is not None
    bad = {kind: own.with_name(f"{own.name}-{kind}") for kind in BAD}
    wrong = {kind: _signing_key(place) for kind, place in bad.items() if (place / "sign.cert.pem").is_file()}
    return PartnerKeys(signing, keys.decryption_keys("own"), wrong, _chain(own.parent / "ca"))


def _chain(authorities: Path) -> tuple[bytes, ...]:
    """The issuing authority and the root of the example PKI, where they lie there."""
    files = [authorities / name / "sign.cert.pem" for name in ("issuing", "root")]
    return tuple(der(file.read_bytes()) for file in files if file.is_file())


def _signing_key(folder: Path) -> SigningKey:
    return SigningKey(private_key(folder / "sign.key.pem"), der((folder / "sign.cert.pem").read_bytes()))
