"""The line of the SOAP door: what a submission and a status cost the process, its store included, ÷ the same by REST.

The hub's real application stands behind both, over a kept connection without a socket; the store knows the document.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from datetime import UTC, datetime

from starlette.applications import Starlette

from hub.errors import HubError
from ops.bench.doors import EXCHANGES, ROUNDS, Kept, edge, request
from ops.bench.harness import Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.material import LOCAL, REMOTE, Bed, idle_hub
from ops.doors import REST, SOAP
from ops.samples.make import make
from ops.serve.connection import Connection
from ops.system import SystemDice

GATE, GOAL = 1.3, 1.0
CONTRACT = "urn:samhandling-hub:epj:v1"


async def beside_rest(found: Bed, *, rounds: int = ROUNDS) -> Line:
    """Processor time of an exchange by SOAP ÷ by REST, of 20 kB documents and of their status."""
    figures, parts = [], []
    key, document = found.site.keys[LOCAL.system], _document()
    with Neighbours() as neighbours:
        async with idle_hub(found) as hub:
            own = await _submitted(hub.app, key, document)
            pairs = {
                "submit": (_handed_over(key, document), _order(key, document), b" 202 "),
                "status": (_asked(key, own), _status(key, own), b" 200 "),
            }
            for name, (ours, theirs, good) in pairs.items():
                above, below = await _turn_about(hub.app, ours, theirs, good, rounds)
                ratio = statistics.median(one / other for one, other in zip(above, below, strict=True))
                figures.append(Figure(f"{name}, {len(document) // 1000} kB", ratio, GATE, GOAL))
                parts.append(Part(f"{name}: SOAP, and REST", 1e6 * edge(above), 1e6 * edge(below)))
    what = "a request of a record system: processor time by SOAP ÷ by REST"
    return Line(what, figures, parts, neighbours.used)


async def _turn_about(
    app: Starlette, ours: bytes, theirs: bytes, good: bytes, rounds: int
) -> tuple[list[float], list[float]]:
    pair = [Kept(Connection, app, ours, b" 200 "), Kept(Connection, app, theirs, good)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for kept in pair:
        await kept.seconds(2 * EXCHANGES)
    for number in range(rounds):
        for place in ((0, 1), (1, 0))[number % 2]:
            seconds[place].append(await pair[place].seconds(EXCHANGES, time.process_time))
    for kept in pair:
        kept.close()
    return seconds


async def _submitted(app: Starlette, key: str, document: bytes) -> str:
    kept = Kept(Connection, app, _order(key, document), b" 202 ")
    await kept.exchange()
    said = kept.said
    kept.close()
    try:
        return str(json.loads(said.partition(b"\r\n\r\n")[2])["id"])
    except ValueError:
        raise HubError(f"the REST door said {said!r}") from None


def _document() -> bytes:
    now, msg_id = datetime.now(UTC), SystemDice().uuid()
    sample = make("dialog-helsefaglig", sender=LOCAL, receiver=REMOTE, gen_date=now, msg_id=msg_id, number=1)
    return sample.document + b"<!--" + b"x" * max(0, 20_000 - len(sample.document)) + b"-->"


def _order(key: str, document: bytes) -> bytes:
    order = {
        "senderHerId": int(LOCAL.her_id),
        "receiverHerIds": [int(REMOTE.her_id)],
        "businessDocument": base64.b64encode(document).decode(),
    }
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return request(f"{REST}/messages", headers, json.dumps(order).encode())


def _status(key: str, own: str) -> bytes:
    return request(f"{REST}/messages/{own}/status", {"X-API-Key": key}, b"", "GET")


def _handed_over(key: str, document: bytes) -> bytes:
    return request(SOAP, *submitted(key, base64.b64encode(document)))


def submitted(key: str, document: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and envelope of a submission, with what is to stand in its `document`."""
    head = (
        f'<SubmitMessage xmlns="{CONTRACT}"><senderHerId>{LOCAL.her_id}</senderHerId>'
        f"<receiverHerId>{REMOTE.her_id}</receiverHerId><document>"
    )
    return _enveloped(key, b"".join((head.encode(), document, b"</document></SubmitMessage>")))


def _asked(key: str, own: str) -> bytes:
    body = f'<GetMessageStatus xmlns="{CONTRACT}"><messageId>{own}</messageId></GetMessageStatus>'
    return request(SOAP, *_enveloped(key, body.encode()))


def _enveloped(key: str, body: bytes) -> tuple[dict[str, str], bytes]:
    begun = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    pair = base64.b64encode(f"{LOCAL.system}:{key}".encode()).decode()
    headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {pair}"}
    return headers, b"".join((begun, body, b"</s:Body></s:Envelope>"))
