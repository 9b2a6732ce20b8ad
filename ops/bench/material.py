"""What every line works on: a site with its keys in a folder of its own, documents of a size, messages as partners send them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from adapters.register.file import der
from adapters.register.keys import private_key
from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.formats import envelope_write, mime
from hub.formats.envelope_write import HeaderFields
from hub.kit import Kit
from hub.message import Arrival
from hub.trust import cms, signing
from hub.trust.cms import DecryptionKey
from hub.trust.signature import SigningKey
from hub.verdict import Verdict
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.certs.make_example import ExampleParty, make_example
from ops.samples.msghead import Attachment, Head, msghead
from ops.samples.persons import person
from ops.sector import SECTOR, Member, Site, write_site
from ops.system import SystemDice

LOCAL, REMOTE = SECTOR[0], SECTOR[4]
TYPE = "DIALOG_HELSEFAGLIG"
NAMESPACE = "http://www.kith.no/xmlstds/dialog/2013-01-23"
_NOTE = (
    '<Notat><TemaKodet V="6" DN="Forespørsel om pasient" S="2.16.578.1.12.4.1.1.7322"/>'
    "<TekstNotatInnhold>Oppdiktet tekst om en oppdiktet person, til måling.</TekstNotatInnhold></Notat>"
)


@dataclass(frozen=True, slots=True)
class Bed:
    """A hub's site with one local and one remote party, and the keys of both sides."""

    folder: Path
    certs: Path
    site: Site
    sender: SigningKey = field(repr=False)  #: signs as the remote party
    encrypt_for: bytes  #: certificate of the local party
    decryption: DecryptionKey = field(repr=False)  #: of the local party

    def message(self, document: bytes, transfer: Literal["binary", "base64"] = "base64") -> Wire:
        """A signed and encrypted business message from the remote party, with a MessageId of its own."""
        dice = SystemDice()
        payload_id, root_id, boundary = dice.uuid(), dice.uuid(), dice.uuid()
        header = HeaderFields(
            from_her=REMOTE.her_id,
            to_her=LOCAL.her_id,
            cpa_id=f"{LOCAL.her_id}_{REMOTE.her_id}",
            conversation_id=dice.uuid(),
            service=f"S-{TYPE}",
            action=TYPE,
            message_id=dice.uuid(),
            timestamp=datetime.now(UTC),
            from_role=f"{TYPE}sender",
            to_role=f"{TYPE}receiver",
        )
        content = cms.encrypt(document, self.encrypt_for)
        envelope = envelope_write.business(header, payload_id, (NAMESPACE, "1.1"))
        signed = signing.sign(envelope, [(payload_id, content)], self.sender)
        kind = "application/pkcs7-mime; smime-type=enveloped-data"
        parts = [(payload_id, kind, content)]
        headers, body = mime.write(signed, parts, root_id=root_id, boundary=boundary, transfer=transfer)
        return Wire(headers, body)


@dataclass(frozen=True, slots=True)
class Wire:
    """A message as it is posted."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@contextmanager
def bed(
    bits: int = 2048,
    endpoint: str = "http://127.0.0.1:9/ebxml",
    *,
    folder_door: bool = False,
    local: Sequence[Member] = (LOCAL,),
    remote: Sequence[tuple[Member, str]] = (),
    folders: tuple[str, ...] = (),
    manners: dict[str, dict[str, Any]] | None = None,
    **settings: dict[str, Any],
) -> Iterator[Bed]:
    """A site in a folder of its own, removed afterwards; below $SAMHUB_BENCH_DIR, else the temporary folder.

    With `folder_door` the record system takes its documents from a folder, and the hub answers them by AppRec; so do those
    of `folders`. `local` and `remote` are parties of the two organisations; unless told otherwise one of each.
    `manners` are more fields of a party, by HER-id.
    """
    with tempfile.TemporaryDirectory(prefix="samhub-bench-", dir=os.environ.get("SAMHUB_BENCH_DIR")) as name:
        folder = Path(name)
        certs = folder / "certs"
        organisations = {m.organisation: m for m in (LOCAL, REMOTE)}
        parties = [ExampleParty(o, m.name, m.organisation_number) for o, m in organisations.items()]
        make_example(certs, parties, datetime.now(UTC), bits=bits)
        given: dict[str, dict[str, Any]] = {"store": {"min_free_bytes": 50_000_000}, **settings}
        by_folder = (*folders, LOCAL.system) if folder_door else folders
        site = write_site(
            folder / "site",
            certs,
            local,
            remote or [(REMOTE, endpoint)],
            settings=given,
            folder_systems=by_folder,
            manners=manners,
        )
        theirs, ours = certs / REMOTE.organisation, certs / LOCAL.organisation
        certificate = der((ours / "encrypt.cert.pem").read_bytes())
        yield Bed(
            folder,
            certs,
            site,
            SigningKey(private_key(theirs / "sign.key.pem"), der((theirs / "sign.cert.pem").read_bytes())),
            certificate,
            DecryptionKey(private_key(ours / "encrypt.key.pem"), certificate),
        )


@asynccontextmanager
async def idle_hub(found: Bed) -> AsyncIterator[Hub]:
    """The hub of a bed, put together but not serving: what the checks need, on real registers."""
    async with assembled(config.load(found.site.configuration)) as hub:
        yield hub


def document(size: int, *, dense: bool = False, msg_id: str = "", out: bool = False) -> bytes:
    """A valid dialogue message of about `size` bytes: padded by one attachment, or (dense) by many small elements.

    From the remote party to the local one; `out`: the other way.
    """
    made = partial(_dialogue, msg_id=msg_id or SystemDice().uuid(), out=out)
    empty = len(made(1, 0))
    if dense:
        return made(max(1, 1 + (size - empty) // len(_NOTE.encode())), 0)
    wrapping = len(made(1, 3)) - empty - 4
    return made(1, max(0, (size - empty - wrapping) * 3 // 4))


def _dialogue(notes: int, attached: int, *, msg_id: str, out: bool) -> bytes:
    sender, receiver = (LOCAL, REMOTE) if out else (REMOTE, LOCAL)
    head = Head(TYPE, "Helsefaglig dialog", "2026-01-02T10:11:12", msg_id, sender, receiver, (), person(1))
    content = f'<Dialogmelding xmlns="{NAMESPACE}">{_NOTE * notes}</Dialogmelding>'
    filling = hashlib.shake_128(b"filling").digest(attached)
    attachments = [Attachment("application/octet-stream", "Vedlegg", filling)] if attached else []
    return msghead(head, content, attachments).encode()


def inspected(wire: Wire, kit: Kit) -> tuple[Inspection, Verdict]:
    """Stages 1 to 8: read, proven, opened, parsed and validated; nothing is kept. With the last verdict."""
    now = kit.clock.now()
    inspection = Inspection(Arrival("bench", "ebxml_http", now, wire.headers, wire.body), now)
    return inspection, run(chain.READING + chain.TRANSPORT + chain.DOCUMENT, inspection, kit)
