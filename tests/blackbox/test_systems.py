"""Record systems come and go by command while real hubs run: two workers and another node see it, and none is told to."""

from __future__ import annotations

import asyncio

from ops.sector import SECTOR
from tests.blackbox.conftest import NewSite
from tests.support.site import HubProcess

DOCTOR = SECTOR[1]
ASKED = "/api/v3/messages/00000000-0000-0000-0000-000000000000/status"
#: Connections are spread over the workers of a port: of so many each gets some.
MANY = 12


async def test_a_key_opens_and_is_refused_at_every_worker_and_node_without_a_reload(
    new_site: NewSite, store_url: str
) -> None:
    """Printed once by one process, known to all the others; taken away by a third, refused by all."""
    async with new_site(store=store_url) as here:
        hubs = [await here.hub(workers=2), await here.hub()]
        said = await here.done("system", "add", "nytt", "--her-ids", DOCTOR.her_id, "--json")
        key = said.rows[0]["api_key"]
        for hub in hubs:
            await hub.until(lambda hub=hub: _known(hub, key, 404), "the key to be known everywhere")
        await here.done("system", "revoke", "nytt", "--reason", "tapt")
        for hub in hubs:
            await hub.until(lambda hub=hub: _known(hub, key, 401), "the key to be refused everywhere")
        listed = await here.done("system", "list", "--json")
        [row] = [row for row in listed.rows if row["id"] == "nytt"]
        assert [k["state"] for k in row["keys"]] == ["revoked"] and row["keys"][0]["used_at"]
        assert not [hub for hub in hubs if key in hub.tail(10**7)]


async def _known(hub: HubProcess, key: str, status: int) -> bool:
    """Whether every one of many connections is answered so."""
    return set(await asyncio.gather(*(_status(hub, key) for _ in range(MANY)))) == {status}


async def _status(hub: HubProcess, key: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    try:
        writer.write(f"GET {ASKED} HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n".encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
