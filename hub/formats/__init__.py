"""How it is written: bytes to values and back, as plain functions."""
