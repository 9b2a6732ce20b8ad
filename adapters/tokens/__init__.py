"""Access tokens of an issuer, each bound to a key by proofs of possession (RFC 9449, HelseID's rules)."""
