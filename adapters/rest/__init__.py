"""REST for record systems, compatible with EDI 2.0 version 3 (edi20-and-national-rules.md part A)."""
