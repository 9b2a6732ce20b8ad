"""The error codes of EDI 2.0, in which record systems sort what went wrong (edi20-and-national-rules.md A12.2)."""

from __future__ import annotations

from hub.record_systems.values import Said

#: Anything else that is wrong with an order.
INVALID = 1001
#: Our code → errorCode.
ERROR_CODES = {
    "apprec-on-apprec": 1100,
    "not-a-receiver": 1102,
    "document-unaddressed": 1200,
    "not-concerned": 1201,
    "not-your-party": 1202,
    "not-found": 1010,
    "locked": 1210,
    "client-unknown": 1202,
}
#: What version 2 says instead: its own word for an order that cannot be read (A12.2), and none for 403 and 404 (A5).
_OF_VERSION_2 = {INVALID: 1000, 1010: 0, 1200: 0, 1201: 0, 1202: 0}
#: What no error of EDI 2.0 speaks of.
_NONE = frozenset(
    {
        *("no-such-path", "unauthorized", "too-large", "content-coding", "media-type"),
        *("not-configured", "too-many-streams", "token", "proof", "scope"),
    }
)


def error_code(said: Said) -> int:
    """The errorCode; 0 where EDI 2.0 has none, as for what is not the caller's mistake."""
    if said.decided != "refused" or said.code in _NONE:
        return 0
    return ERROR_CODES.get(said.code, INVALID)


def error_code_2(said: Said) -> int:
    """The errorCode of version 2."""
    code = error_code(said)
    return _OF_VERSION_2.get(code, code)
