"""Partners' servers that ask for a certificate of ours get the one that is set for them, and nobody else sees it."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import pytest

from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.ebxml_http.settings import EbxmlHttpSettings
from adapters.register import file
from hub.errors import ConfigurationError
from hub.message import Channel, Outcome, Reached
from tests.bad_input.test_partners_server import TAKEN, demanding, made, saying, served
from tests.conformance.letters import enveloped

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_PART = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n", re.DOTALL)


class Own:
    """An authority, a server's side that trusts nobody else, and a certificate of ours of it: two files, and one of both."""

    def __init__(self, folder: Path, version: ssl.TLSVersion) -> None:
        issuer = made(folder, "authority")
        self.ca_file, self.both = str(issuer[2]), made(folder, "client", issuer[:2])[2]
        self.demands = demanding((issuer[2], made(folder, "server", issuer[:2])[2]), version)
        self.client = str(folder / "client.cert.pem"), str(folder / "client.key.pem")
        self.lay(self.both)

    def lay(self, both: Path) -> None:
        """The certificate and the key of a file, each into its own."""
        for name, part in zip(self.client, reversed(list(_PART.finditer(both.read_bytes()))), strict=True):
            Path(name).write_bytes(part[0])


@pytest.fixture(params=VERSIONS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Own:
    return Own(tmp_path, VERSIONS[request.param])


async def one(sender: EbxmlHttpSender, port: int) -> Outcome:
    letter = enveloped(Channel.EBXML_HTTP, f"https://127.0.0.1:{port}/ebxml", b"x" * 20_000)
    return await sender.send(letter.claimed, letter.parcel)


@pytest.mark.parametrize("way", ["for all", "in one file", "for one", "for one before that for all"])
async def test_a_server_that_asks_gets_the_certificate_that_is_set(own: Own, way: str, tmp_path: Path) -> None:
    """By the hub's setting for all partners, or by the party's own, which goes before it."""
    stranger = str(made(tmp_path, "stranger")[2])
    all_of_them = {"for all": own.client, "in one file": (str(own.both), ""), "for one": ("", "")}.get(
        way, (stranger, "")
    )
    its_own = own.client if way.startswith("for one") else ("", "")
    settings = EbxmlHttpSettings(ca_file=own.ca_file, client_certificate=all_of_them[0], client_key=all_of_them[1])
    async with served(saying(TAKEN), own.demands) as port, EbxmlHttpSender(settings, lambda _: its_own) as sender:
        found = await one(sender, port)
    assert (found.reached, found.code) == (Reached.YES, "handed-over"), found


async def test_what_one_partner_asked_for_is_shown_to_no_other(own: Own) -> None:
    """Though they have one address: connections that were opened with it are not used for others."""
    asked, settings = list[str](), EbxmlHttpSettings(ca_file=own.ca_file, blip_seconds=0.01)

    def of(her_id: str) -> tuple[str, str]:
        asked.append(her_id)
        return own.client if len(asked) == 2 else ("", "")  # the first is the look at the start

    async with served(saying(TAKEN), own.demands) as port, EbxmlHttpSender(settings, of) as sender:
        found = [await one(sender, port) for _ in range(2)]
    assert [f.reached for f in found] == [Reached.YES, Reached.NO], found
    assert asked[1:] == [enveloped(Channel.EBXML_HTTP, "", b"").claimed.delivery.receiver] * 2


async def test_a_renewed_certificate_is_shown_without_a_restart_and_a_lost_one_is_our_fault(
    own: Own, tmp_path: Path
) -> None:
    settings = EbxmlHttpSettings(ca_file=own.ca_file, blip_seconds=0.01)
    own.lay(made(tmp_path, "stranger")[2])
    async with served(saying(TAKEN), own.demands) as port, EbxmlHttpSender(settings, lambda _: own.client) as sender:
        strange = await one(sender, port)
        own.lay(own.both)
        for name in own.client:
            os.utime(name, (2_000_000_000, 2_000_000_000))
        good = await one(sender, port)
        Path(own.client[1]).unlink()
        lost = await one(sender, port)
    assert (strange.reached, good.reached) == (Reached.NO, Reached.YES), (strange, good)
    assert (lost.reached, lost.ours, lost.permanent) == (Reached.NO, True, False), lost
    assert "client certificate" in lost.because


@pytest.mark.parametrize("name", ["ca_file", "client_certificate"])
async def test_a_file_of_no_use_is_told_at_the_start(tmp_path: Path, name: str) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    for given in (nothing, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match=re.escape(str(given))):
            async with EbxmlHttpSender(EbxmlHttpSettings(**{name: str(given)})):
                pass


#: What a party's row says → what is told of it; nothing: it is good.
ROWS = {
    "both": ('client_certificate = "client.cert.pem"\nclient_key = "client.key.pem"', ""),
    "one file": ('client_certificate = "client.pem"', ""),
    "no key in it": ('client_certificate = "client.cert.pem"', "client.cert.pem"),
    "a key of another": ('client_certificate = "client.cert.pem"\nclient_key = "server.pem"', "key values mismatch"),
    "missing": ('client_certificate = "borte.pem"', "No such file"),
    "a key alone": ('client_key = "client.key.pem"', "client_key without client_certificate"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_partys_own_is_read_beside_its_file_and_tried_at_once(tmp_path: Path, row: str) -> None:
    Own(tmp_path, ssl.TLSVersion.TLSv1_3)
    written, told = ROWS[row]
    parties = tmp_path / "parties.toml"
    parties.write_text(f'[[party]]\nher_id = "8009401"\nendpoint = "https://msh.example/ebxml"\n{written}\n')
    if told:
        with pytest.raises(ConfigurationError, match=told) as error:
            file.read(parties)
        assert "8009401" in str(error.value)
        return
    client = file.read(parties).parties["8009401"].client
    assert [Path(one).parent for one in client] == [tmp_path] * 2
