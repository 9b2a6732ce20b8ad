"""Envelopes as a partner signs them, and a store that has taken many."""

from __future__ import annotations

import base64
import hashlib

from hub.ports import Change, Store
from tests.conformance import values as v


def content(size: int, seed: str = "") -> bytes:
    """So many bytes of every value, which do not repeat."""
    return hashlib.shake_256(f"{size}{seed}".encode()).digest(size)


def envelope(partner: str, number: int, *, mail: bool = False) -> bytes:
    """Signed by a partner: all that differs is its number and its signature."""
    certificate = base64.b64encode(content(1_000, partner)).decode()
    signature = base64.b64encode(content(256, f"{partner} {number}")).decode()
    xml = (
        f"<SOAP:Envelope><SOAP:Header><eb:MessageId>{number}</eb:MessageId><ds:SignatureValue>{signature}"
        f"</ds:SignatureValue><ds:X509Certificate>{certificate}</ds:X509Certificate></SOAP:Header>"
        "<SOAP:Body></SOAP:Body></SOAP:Envelope>"
    )
    sealed = base64.b64encode(content(500, f"payload {number}")).decode()
    return (f"--b{number}\r\n\r\n{xml}\r\n--b{number}\r\n\r\n{sealed}\r\n--b{number}--" if mail else xml).encode()


KEPT = [envelope("a partner", number) for number in range(40)]


async def filled(store: Store) -> None:
    """Each as a document, an answer and a receipt."""
    for number, one in enumerate(KEPT):
        change = v.accepted(one, record=v.message(id=f"message {number}"))
        await store.apply(change)
        receipt = v.receipt(f"message {number}", "", body=one)
        await store.apply(Change(arrival=v.arrival_record(answer=one), receipts=(receipt,)))
    await store.condense(v.later(10_000))  # type: ignore[attr-defined]


async def all_there(store: Store) -> None:
    """Byte for byte."""
    for number, one in enumerate(KEPT):
        assert await store.document(f"message {number}") == one
        assert [receipt.body for receipt in await store.receipts(f"message {number}")] == [one]
