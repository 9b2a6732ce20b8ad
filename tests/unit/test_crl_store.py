"""How long a revocation list is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.revocation.crl import CrlStore
from adapters.revocation.settings import RevocationSettings
from tests.unit.keys import certificate, private_key

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "at", "answer"),
    [
        (NOW, NOW, "good"),
        (NOW, NOW + DAY, "good"),
        (NOW, NOW + DAY + timedelta(seconds=1), "unknown"),
        (FOR_EVER, NOW + 3_000 * DAY, "good"),
    ],
)
def test_a_list_is_believed_until_its_next_and_the_grace_after(
    tmp_path: Path, until: datetime, at: datetime, answer: str
) -> None:
    """One for the year 9999 has no end, and no grace after it."""
    issuer = x509.load_der_x509_certificate(authority := certificate())
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    crl = builder.last_update(NOW - DAY).next_update(until).sign(private_key(0), hashes.SHA256())
    (tmp_path / "list.crl").write_bytes(crl.public_bytes(Encoding.DER))
    store = CrlStore(RevocationSettings(folder=tmp_path, grace_hours=24), lambda: at)
    assert store.status(authority, authority) == answer
