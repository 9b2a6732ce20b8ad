"""How bytes are named: their SHA-256."""

from __future__ import annotations

from hashlib import sha256 as _sha256


def sha256(content: bytes) -> str:
    """Lower-case hex SHA-256."""
    return _sha256(content).hexdigest()
