"""The line of tokens: what a call with a token and a proof costs the process ÷ the same with an API key.

The hub's real application stands behind both, over a kept connection without a socket, with its store, in which each proof
is claimed; the issuer is on a socket of this machine, and has been asked before.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from ops.bench.doors import EXCHANGES, ROUNDS, Kept, edge, request
from ops.bench.harness import Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.material import LOCAL, Bed, bed, idle_hub
from ops.doors import REST
from ops.issuer.client import Client
from ops.issuer.issuer import Issuer, Registered
from ops.serve.connection import Connection

GATE, GOAL = 1.5, 1.2
CLIENT, URL = "bench", "https://hub.example"
PATH = f"{REST}/notifications"
QUERY = f"HerIds={LOCAL.her_id}&Offset=0"


async def beside_keys(*, rounds: int = ROUNDS) -> Line:
    """Processor time of a call with DPoP ÷ with an API key: the smallest there is, so that all of the difference shows."""
    client, issuer = Client(CLIENT), Issuer()
    issuer.register(Registered(CLIENT, client.jwk))
    with Neighbours() as neighbours:
        async with issuer.served() as address:
            token = await client.token(address)
            with _site(address) as found:
                async with idle_hub(found) as hub:
                    above, below = await _turn_about(hub.app, client, token, found.site.keys[LOCAL.system], rounds)
    ratio = statistics.median(one / other for one, other in zip(above, below, strict=True))
    figures = [Figure("a poll of notifications", ratio, GATE, GOAL)]
    parts = [Part("a poll: with DPoP, and with an API key", 1e6 * edge(above), 1e6 * edge(below))]
    what = "a call of a record system: processor time with a token and a proof (PS512) ÷ with an API key"
    return Line(what, figures, parts, neighbours.used)


@contextmanager
def _site(issuer: str) -> Iterator[Bed]:
    tokens = {"issuer": issuer, "allow_api_keys": True}
    with bed(tokens=tokens, http={"url": URL}, rest={"manner": "easy"}) as found:
        parties = found.site.folder / "parties.toml"
        own = f'id = "{LOCAL.system}"\n'
        parties.write_text(parties.read_text("utf-8").replace(own, f'{own}clients = ["{CLIENT}"]\n', 1), "utf-8")
        yield found


async def _turn_about(
    app: Starlette, client: Client, token: str, key: str, rounds: int
) -> tuple[list[float], list[float]]:
    ready: list[bytes] = []
    pair = [
        Kept(Connection, app, ready.pop, b" 200 "),
        Kept(Connection, app, request(f"{PATH}?{QUERY}", {"X-API-Key": key}, b"", "GET"), b" 200 "),
    ]
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for place in ((0, 1), (1, 0))[number % 2]:
            if place == 0:  # a proof lives some seconds: made just before, and not counted
                ready += [_call(client, token) for _ in range(EXCHANGES)]
            seconds[place].append(await pair[place].seconds(EXCHANGES, time.process_time))
    for kept in pair:
        kept.close()
    return seconds[0][1:], seconds[1][1:]


def _call(client: Client, token: str) -> bytes:
    proof = client.proof("GET", f"{URL}{PATH}", token)
    return request(f"{PATH}?{QUERY}", {"Authorization": f"DPoP {token}", "DPoP": proof}, b"", "GET")
