"""How we come to a partner's server, and what its TLS has against us, in OpenSSL's words."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

from yarl import URL

#: Alerts by which the other side ends a handshake that is over for us already, as TLS 1.3 has it where it wants our
#: certificate (RFC 8446 4.4.2.4, 6.2): what we sent meanwhile has been read by nobody.
HANDSHAKE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "HANDSHAKE_FAILURE",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "DECRYPT_ERROR",
    "INSUFFICIENT_SECURITY",
)


#: Whom a server's certificate is held to, and what we show to a server that asks: files of the certificate and its key.
Client = tuple[str, str]


def context(ca_file: str, client: Client) -> ssl.SSLContext:
    """Raises OSError, with OpenSSL's words where it has any, when one of the files is of no use."""
    made = ssl.create_default_context(cafile=ca_file or None)
    if client[0]:
        made.load_cert_chain(client[0], client[1] or None)
    return made


class Contexts:
    """One context for each certificate that we show: connections of one are never used for another."""

    def __init__(self, ca_file: str, client: Client, of_partner: Callable[[str], Client]) -> None:
        """`ca_file`: authorities, empty: the system's; `client`: for partners without one by `of_partner` (HER-id)."""
        self._ca_file, self._client, self._of_partner = ca_file, client, of_partner
        self._made: dict[tuple[Client, float], ssl.SSLContext] = {}

    def of(self, her_id: str) -> ssl.SSLContext:
        """For connections to this partner; a file that was replaced is read again. Raises OSError where it is no good."""
        client = self._of_partner(her_id)
        client = client if client[0] else self._client
        named = client, _written(client)
        if (found := self._made.get(named)) is None:
            found = context(self._ca_file, client)
            for old in [one for one in self._made if one[0] == client]:
                del self._made[old]
            self._made[named] = found
        return found


def _written(client: Client) -> float:
    """When the newest of both files was written."""
    return max((Path(one).stat().st_mtime for one in client if one), default=0.0)


def words(error: BaseException) -> str:
    """What OpenSSL says, where it says something: `[SSL: REASON] in words`."""
    for one in (error, error.__cause__, getattr(error, "os_error", None)):
        said = str(getattr(one, "strerror", None) or "")
        if said.startswith("[SSL") or isinstance(one, ssl.SSLError):
            return said.partition(" (_ssl.c")[0]
    return ""


def ends_handshake(error: BaseException) -> bool:
    """Whether the other side's last word was that the handshake failed."""
    said = words(error)
    return any(f"ALERT_{alert}]" in said for alert in HANDSHAKE_ALERTS)


#: What is told of a server that says nothing, and goes when the handshake is over for us: so do those that want a
#: certificate of ours and do not say it.
GOES = "it closes each connection right after the handshake; does it ask for a client certificate?"


async def refusal(address: str, context: ssl.SSLContext, seconds: float) -> str:
    """Why the other side ends a connection on which we send nothing; empty where it waits for our request, or is away.

    Where we had sent something already, its reset of the connection overtakes its alert, and the reason is lost. A
    server that goes before any request has come has read nothing of ours, on this connection or the one before.
    """
    url = URL(address)
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(url.raw_host, url.port, ssl=context)
            return "" if await reader.read(1) else GOES
    except TimeoutError:  # it waits
        return ""
    except (OSError, ValueError) as error:
        if ends_handshake(error):
            return words(error)
        return GOES if writer is not None else ""
    finally:
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
