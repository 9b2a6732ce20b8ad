"""A record system (EPJ) as the REST door meets it: hands over, fetches, marks as fetched, answers, asks for status."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hub.errors import HubError
from hub.formats import document as documents
from hub.formats import xml
from hub.insights import OUTCOMES as _GRAVEST
from hub.states import State

OUTCOMES = dict(_GRAVEST)
#: What this client says of itself (EDI 2.0 A2).
SOURCE = "samhub, 1"


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of one hand-over."""

    file: str
    message_id: str
    outcome: str
    because: str = ""


class RecordSystemClient:
    """One record system with its API key. Open it with `async with`."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/") + "/api/v3", key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> RecordSystemClient:
        said = {"X-API-Key": self._key, "api-version": "3", "nhn-source-system": SOURCE}
        self._session = aiohttp.ClientSession(headers=said)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """HTTP status and JSON of any call below /api/v3. Raises HubError when nobody answers there."""
        assert self._session is not None, "open the client with `async with`"
        try:
            async with self._session.request(method, self._url + path, **more) as r:
                return r.status, await r.json(content_type=None) if r.status != 204 else {}
        except aiohttp.ClientError as error:
            raise HubError(f"{self._url}: {error}; is the hub running? start it with: samhub serve") from None

    async def send(self, document: bytes, sender: str, receivers: Sequence[str] = ()) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer; `id` of a message taken, or problem details."""
        body = {
            "senderHerId": int(sender),
            "receiverHerIds": [int(her) for her in receivers],
            "businessDocument": base64.b64encode(document).decode(),
            "contentType": "application/xml",
            "contentTransferEncoding": "base64",
        }
        return await self.call("POST", "/messages", json=body)

    async def status(self, message_id: str) -> list[dict[str, Any]]:
        """Where each receiver's copy stands."""
        _, answer = await self.call("GET", f"/messages/{message_id}/status")
        return list(answer.get("statusList", []))

    async def notifications(self, her_ids: Sequence[str], offset: int) -> list[dict[str, Any]]:
        """What has happened since `offset`."""
        query = [("HerIds", her) for her in her_ids] + [("Offset", str(offset)), ("NotificationsToFetch", "1000")]
        _, answer = await self.call("GET", "/notifications", params=query)
        return list(answer.get("notifications", []))

    async def message(self, message_id: str) -> dict[str, Any]:
        """What is known about a message."""
        return dict((await self.call("GET", f"/messages/{message_id}"))[1])

    async def fetch(self, message_id: str) -> bytes:
        """The document."""
        _, answer = await self.call("GET", f"/messages/{message_id}/business-document")
        return base64.b64decode(answer.get("businessDocument", ""))

    async def fetched(self, message_id: str, receiver: str) -> int:
        """Says that the document is safe with us."""
        return (await self.call("PUT", f"/messages/{message_id}/downloaded", json={"receiverHerId": int(receiver)}))[0]

    async def answer(self, message_id: str, receiver: str, errors: Sequence[tuple[str, str]] = ()) -> int:
        """An AppRec: positive without errors, else rejected; `errors` are (code, details)."""
        body: dict[str, Any] = {"appRecSenderHerId": int(receiver), "appRecStatus": "1"}
        if errors:
            listed = [{"errorCode": code, "details": details} for code, details in errors]
            body |= {"appRecStatus": "2", "appRecErrorList": listed}
        return (await self.call("POST", f"/messages/{message_id}/apprec", json=body))[0]


def outcome_of(entry: dict[str, Any]) -> str:
    """`delivered, rejected, overdue, dead, held, discarded` or `under way`, from one entry of a status list."""
    return OUTCOMES.get(State(entry["state"]), "delivered")


def _because(entries: Sequence[dict[str, Any]]) -> str:
    return "; ".join(f"{e['receiverHerId']}: {e['code']}: {e['because']}" for e in entries)


async def submit_files(
    files: Sequence[Path], url: str, key: str, keys: Path, wait: bool, seconds: float
) -> list[Handed]:
    """Hands files over; with `wait` until each AppRec is home, or `seconds` have passed."""
    handed = [await _submitted(file, url, key, keys) for file in files]
    if not wait:
        return handed
    return list(
        await asyncio.gather(
            *(_awaited(h, file, url, key, keys, seconds) for h, file in zip(handed, files, strict=True))
        )
    )


def _addresses(document: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """HER-ids of the sender, and of every receiver, as the document names them."""
    root = xml.parse(document, xml.Bounds.for_document(64_000_000))
    if isinstance(root, xml.XmlFault):
        raise HubError(f"not a document: {root.text}")
    found = documents.read(root)
    receivers = (found.receiver.her_id, *(copy.her_id for copy in found.copies))
    return found.sender.her_ids, tuple(her for her in receivers if her)


def _key_of(senders: Sequence[str], key: str, keys: Path) -> str:
    """The key given, else that of the sender's record system: `keys/<HER-id>.key`, as `samhub init` writes it."""
    if key:
        return key
    for her in reversed(senders):
        file = keys / f"{her}.key"
        if file.is_file():
            return file.read_text().strip()
    named = ", ".join(senders) or "none"
    raise HubError(f"no API key for the document's sender (HER-id {named}) in {keys}; give one with --key")


async def _submitted(file: Path, url: str, key: str, keys: Path) -> Handed:
    document = file.read_bytes()
    try:
        senders, receivers = _addresses(document)
        own = _key_of(senders, key, keys)
    except HubError as error:  # about this file; the others are handed over all the same
        return Handed(str(file), "", "refused", str(error))
    async with RecordSystemClient(url, own) as client:
        status, answer = await client.send(document, senders[-1] if senders else "0", receivers)
    if status == 202:
        return Handed(str(file), answer["id"], "accepted")
    return Handed(str(file), "", "refused", f"{answer.get('code', status)}: {answer.get('detail', '')}")


async def _awaited(handed: Handed, file: Path, url: str, key: str, keys: Path, seconds: float) -> Handed:
    if handed.outcome != "accepted":
        return handed
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    async with RecordSystemClient(url, _key_of(_addresses(file.read_bytes())[0], key, keys)) as client:
        while True:
            found = await client.status(handed.message_id)
            words = [outcome_of(entry) for entry in found]
            settled = next((w for w in words if w not in ("delivered", "under way")), "")
            if settled or (words and all(w == "delivered" for w in words)):
                return Handed(handed.file, handed.message_id, settled or "delivered", _because(found))
            if loop.time() > end:
                standing = "; ".join(f"{e['receiverHerId']}: {e['state']}: {e['because']}" for e in found)
                return Handed(
                    handed.file, handed.message_id, "under way", f"no AppRec within {seconds:g} s; {standing}"
                )
            await asyncio.sleep(0.2)
