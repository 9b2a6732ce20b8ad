"""A small issuer of access tokens on this machine, as HelseID is one, and a client of any such issuer; for demo and tests."""
