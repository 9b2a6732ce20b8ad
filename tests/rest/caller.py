"""A record system that asks the REST door in either version, and the documents that it hands over."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from hub.message import Configuration
from tests.support import asgi
from tests.support.asgi import Reply
from tests.support.letters import business
from tests.support.world import DOCTOR, NURSING, World, decent

SENDER, RECEIVER = int(DOCTOR.her_id), int(NURSING.her_id)


class Caller:
    """Asks `world`. Headers that are None are left out; a body of bytes goes as it is."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str | None = "3",
        system: str = "legesenter",
        query: str = "",
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """One call with all headers that a client sends."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        said: dict[str, str | None] = {
            "api-version": version,
            "nhn-source-system": "Prøvejournal, 4.2".encode().decode("latin-1"),
            "X-API-Key": self.world.site.keys[system],
            "Accept": "application/json",
        }
        if body is not None:
            said["Content-Type"] = "application/json"
        said |= headers or {}
        sent = {name: value for name, value in said.items() if value is not None}
        reply = self.world.run(asgi.call(self.world.hub.app, method, path, sent, content, query))
        decent(reply, b"")
        return reply

    def say_all(self) -> None:
        """Each record system says that it is there, with nothing locked and everything wanted (A11.1)."""
        facade = self.world.hub.systems
        for system in self.world.hub.kit.directory.systems():
            said = tuple(Configuration(her_id) for her_id in sorted(system.her_ids))
            self.world.run(facade.configure(facade.at_its_place(system), said))

    def order(self, document: bytes | None = None, **other: Any) -> dict[str, Any]:
        """A7.1, from the doctor to the nurses."""
        content = document if document is not None else self.document()
        whole = {
            "senderHerId": SENDER,
            "receiverHerIds": [RECEIVER],
            "businessDocument": base64.b64encode(content).decode(),
            "contentType": "application/xml",
            "contentTransferEncoding": "base64",
            "messageTypeIdentificator": "DIALOG_HELSEFAGLIG",
            "applicationName": "Prøvejournal",
            "applicationVersion": "4.2",
        } | other
        return {name: value for name, value in whole.items() if value is not ...}

    def document(self, **other: Any) -> bytes:
        """From the doctor to the nurses, unless told otherwise."""
        made: bytes = self.world.sample(**({"sender": DOCTOR, "receiver": NURSING} | other)).document
        return made

    def order_2(self, document: bytes | None = None, **other: Any) -> dict[str, Any]:
        """A5 row 2, as a client writes it that says null for what it leaves out."""
        content = document if document is not None else self.document()
        return {
            "businessDocument": base64.b64encode(content).decode(),
            "contentType": "application/xml",
            "contentTransferEncoding": "base64",
            "ebXmlOverrides": None,
            "receiverHerIdsSubset": None,
        } | other

    def arrived(self, document: bytes | None = None) -> str:
        """A message from the partner that waits for the doctor: our id of it."""
        content = document if document is not None else self.world.sample().document
        said = self.world.post(business(self.world.post_to, content))
        return said.messages[0].id
