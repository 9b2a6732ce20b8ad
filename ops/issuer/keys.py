"""Private keys of issuers and clients: made, written as JWK (RFC 7517), and the public half that others are told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from adapters.tokens import wire
from hub.errors import ConfigurationError

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def made() -> Key:
    """A new RSA key, as HelseID has them."""
    return rsa.generate_private_key(65537, 2048)


def algorithm(key: Key) -> str:
    """By which a client signs with that key: PS512 for RSA, as HelseID's clients do."""
    return "PS512" if isinstance(key, rsa.RSAPrivateKey) else f"ES{min(512, -(-key.key_size // 128) * 128)}"


def public(key: Key) -> dict[str, str]:
    """The public JWK, with no more members than it needs (RFC 7638 3.2)."""
    return wire.public(_members(key.public_key()), algorithm(key))


def kept(file: Path) -> Key:
    """The key in that file; made, readable by its owner alone, where there is none. Raises ConfigurationError."""
    if file.exists():
        try:
            found = jwt.PyJWK.from_json(file.read_text("utf-8")).key
        except (jwt.PyJWTError, ValueError):
            found = None
        if not isinstance(found, Key):
            raise ConfigurationError([f"{file}: is no private key written as JWK"])
        return found
    key = made()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        written.write(json.dumps(_members(key) | {"alg": algorithm(key), "use": "sig"}) + "\n")
    return key


def _members(key: Any) -> dict[str, Any]:
    by = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) else ECAlgorithm
    return {name: one for name, one in by.to_jwk(key, as_dict=True).items() if name != "key_ops"}
