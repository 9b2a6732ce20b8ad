"""A partner whose every answer a test chooses: status, coding and content, to documents and to receipts of ours."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from hub.formats import fault
from ops.partner import door, wire
from ops.partner.partner import Partner
from ops.partner.wire import Received, Wire

Said = Callable[[Partner, Received], Wire]


@dataclass
class Answers:
    """What every simulated partner answers, once it is told so: to documents, and to receipts of ours."""

    document: Callable[[Partner, Received], web.StreamResponse] | None = None
    receipt: Callable[[Partner, Received], web.StreamResponse] | None = None
    receipts: list[Received] = field(default_factory=list)


@pytest.fixture
def answers(monkeypatch) -> Answers:
    """Looked at before the partner's own manners."""
    said, usual = Answers(), Partner._post

    async def post(self, request):
        received = wire.read(dict(request.headers), await door.body(request), self.keys.decryption)
        if received is not None and received.envelope.kind == "business" and said.document is not None:
            self.received.append(received)
            return said.document(self, received)
        if received is not None and received.envelope.kind in ("acknowledgment", "error"):
            said.receipts.append(received)
            if said.receipt is not None:
                return said.receipt(self, received)
        return await usual(self, request)

    monkeypatch.setattr(Partner, "_post", post)
    return said


def acknowledgment(partner, received):
    return partner.acknowledged(received)


def error(partner, received):
    return partner.error(received, "Error", "SecurityFailure", "Unauthorized Msg")


def warning(partner, received):
    return partner.error(received, "Warning", "OtherXml", "not nice")


def unsigned_error(partner, received):
    return wire.without_signature(error(partner, received))


def unsigned_acknowledgment(partner, received):
    return wire.without_signature(acknowledgment(partner, received))


def soap(code, text="no such thing"):
    return lambda *_: Wire({"Content-Type": "text/xml"}, fault.write(code, text))


def page(*_):
    return Wire({"Content-Type": "text/html"}, b"<html><h1>HTTP</h1> Testesen</html>")


def nothing(*_):
    return Wire({}, b"")


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


CODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": raw_deflate, "identity": lambda c: c}


def answering(status: int, said: Said, coding: str = "", chunked: bool = False, **headers: str):
    """An answer as a web server gives it."""

    def answer(partner, received):
        written = said(partner, received)
        body = CODINGS[coding](written.body) if coding else written.body
        more = {"Content-Encoding": coding} if coding else {}
        response = web.Response(status=status, body=body, headers={**written.headers, **more, **headers})
        if chunked and body:
            response.enable_chunked_encoding()
        return response

    return answer


def next_try(hub, message_id, count):
    """Moves the clock to just after the next planned try, and waits until that has ended."""
    at = hub.delivery(message_id).next_at
    hub.clock.forward(seconds=max(0.0, (at - hub.clock.now()).total_seconds()) + 0.1)
    hub.until_tried(message_id, count)
