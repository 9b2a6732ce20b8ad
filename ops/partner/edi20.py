"""A strict EDI 2.0 server for somebody else's client: a hub of national manner, an issuer, and a record system at the other end."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub.record_systems.values import AppRecStatus, Fault, Order
from ops.issuer.client import Client
from ops.issuer.issuer import Issuer, Registered
from ops.partner.aside import eventually

if TYPE_CHECKING:
    from hub.record_systems.facade import RecordSystems
    from hub.record_systems.values import Caller
    from ops.partner.aside import Aside
    from ops.partner.handles import HubHandle
    from ops.sector import Member


@dataclass(frozen=True, slots=True)
class Came:
    """A document of the client, as the other end got it."""

    message_id: str
    type_code: str  #: of list 8279
    business_document_id: str  #: MsgId
    document: bytes = field(repr=False)


#: The client that the server knows when it begins.
CLIENT_ID = "client-under-test"


class Edi20Server:
    """Versions 3 and 2 of EDI 2.0, with tokens and DPoP; what the client sends is read at the other end, and answered from there."""

    def __init__(self, hub: HubHandle, issuer: Issuer, address: str, client: Client, aside: Aside, ends: list[Member]):
        """`ends`: whom the client speaks for, and who is at the other end."""
        self.hub, self.issuer, self.client = hub, issuer, client
        self.url = hub.url  #: the root, where the header api-version chooses the version
        self.base, self.base_2 = f"{hub.url}/api/v3", f"{hub.url}/api/v2"
        self.issuer_address = address  #: for the client's discovery
        self.member, self.other = ends
        self._aside = aside

    def token(self) -> str:
        """A new access token of the client, from the issuer; held by `client` from now on."""
        return self._aside.run(self.client.token(self.issuer_address))

    def headers(self, method: str, url: str, version: int = 3) -> dict[str, str]:
        """All that one call of the client carries: version, source system, token and a proof of its own."""
        if not self.client.held:
            self.token()
        said = {"api-version": str(version), "nhn-source-system": "client under test, 1.0"}
        return {**said, **self.client.headers(method, url)}

    def register(self, client_id: str, jwk: Mapping[str, str], her_ids: str = "0") -> None:
        """Knows another client from now on, by its public key; `her_ids` as in the claim herid: 0, or 123-456."""
        self.issuer.register(Registered(client_id, dict(jwk), her_ids))
        path = self.hub.site.folder / "parties.toml"
        text = path.read_text("utf-8")
        system = self.hub.built.directory.party(self.member.her_id)
        assert system is not None
        said = f'id = "{system.system}"\n'
        known = next((line for line in text.splitlines() if line.startswith("clients = [")), "")
        more = f'clients = ["{client_id}"]' if not known else known[:-1] + f', "{client_id}"]'
        text = text.replace(known, more) if known else text.replace(said, f"{said}{more}\n", 1)
        path.write_text(text, "utf-8")
        self.hub.run(self.hub.built.reloading.reload())

    def received(self) -> list[Came]:
        """What has come in at the other end and was not fetched before: each is fetched and confirmed by that, once."""
        facade, place, her_id = self._there
        found = []
        for info in self.hub.run(facade.unread(place, [her_id], 100)).messages:
            document = self.hub.run(facade.document(place, info.record.id))
            self.hub.run(facade.fetched(place, her_id, info.record.id))
            found.append(Came(info.record.id, info.record.type_code, info.record.msg_id, document))
        return found

    def await_received(self, seconds: float = 10) -> Came:
        """The next document of the client that comes to the other end; AssertionError where none or several come."""
        [came] = eventually(self.received, seconds, "a document of the client")
        return came

    def answer(self, came: Came, *errors: tuple[str, str]) -> None:
        """The other end's AppRec about it: positive without errors, each (code of list 8221, details)."""
        facade, place, her_id = self._there
        faults = [Fault(code, details=details) for code, details in errors]
        status = AppRecStatus.REJECTED if faults else AppRecStatus.OK
        self.hub.run(facade.answer(place, her_id, came.message_id, status, faults))

    def send(self, document: bytes) -> str:
        """The other end sends the client a document; the id under which the client hears of it."""
        facade, place, _ = self._there
        said = self.hub.run(facade.submit(place, Order(document, "test")))
        assert said.decided == "taken", said.words("en")
        return said.message_id

    @property
    def _there(self) -> tuple[RecordSystems, Caller, str]:
        directory = self.hub.built.directory
        party = directory.party(self.other.her_id)
        system = directory.system(party.system or "") if party is not None else None
        assert system is not None
        return self.hub.built.systems, self.hub.built.systems.at_its_place(system), self.other.her_id


@contextmanager
def serving(make_hub: Any, aside: Aside) -> Iterator[Edi20Server]:
    """While inside it is there, on free ports of this machine."""
    from ops.sector import SECTOR

    ends = [SECTOR[1], SECTOR[2]]
    with ExitStack() as stack:
        issuer, client = Issuer(), Client(CLIENT_ID)
        address, leave = aside.enter(issuer.served())
        stack.callback(leave)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = {
            "http": {"port": port, "url": f"http://127.0.0.1:{port}"},
            "tokens": {"issuer": address},
            "rest": {"manner": "national"},
        }
        hub = make_hub(local=ends, settings=settings, apprec="system")
        server = Edi20Server(hub, issuer, address, client, aside, ends)
        server.register(CLIENT_ID, client.jwk)
        yield server
