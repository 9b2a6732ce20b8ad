"""A partner's web server as the far side of ebXML over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiohttp import web

from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.ebxml_http.settings import EbxmlHttpSettings
from hub.formats import fault
from hub.message import Channel
from hub.ports import Sender
from tests.conformance.letters import ANSWER, CONNECT, CONTENT, PASSWORD, Got, Letter, enveloped, opened

#: A SOAP Fault of the client, as both handlers that were met write one where no resend helps.
FAULT = fault.write("Client", f"no: {CONTENT}")


PAGE = f"no: {CONTENT}".encode()


@dataclass(frozen=True, slots=True)
class Habits:
    """How a partner's server says yes, never and not now."""

    taken: int = 202
    never: int = 403
    later: int = 503
    faults: bool = False  #: never is said by a SOAP Fault
    gzip: bool = False
    page: bool = True  #: not now is said with a page


#: As they were met: ops.partner.peers, docs/interop.md.
EBMS_CORE = Habits(taken=204, never=500, later=500, faults=True, page=False)
HERMES = Habits(taken=204, never=200, later=500, faults=True, gzip=True)

Handler = Callable[[web.Request], Awaitable[web.Response]]


class HttpTransport:
    """tests.conformance.transports.Transport; it answers with what it got, as servers with a page for errors do."""

    final = True
    says_later = True

    def __init__(self, habits: Habits | None = None) -> None:
        self._habits = habits or Habits()
        self._got: list[Got] = []
        self._answer: Handler = self._taken
        self._speaks = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> HttpTransport:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gone()

    def open(self) -> AbstractAsyncContextManager[Sender]:
        """See Transport.open."""
        return EbxmlHttpSender(EbxmlHttpSettings(connect_seconds=CONNECT, answer_seconds=ANSWER, blip_seconds=0.05))

    def letter(self, content: bytes = b"") -> Letter:
        """See Transport.letter; the address has a login, as some partners hand it out."""
        return enveloped(Channel.EBXML_HTTP, f"http://samhub:{PASSWORD[:8]}@127.0.0.1:{self._port}/ebxml", content)

    def lost_letter(self) -> Letter:
        """See Transport.lost_letter."""
        return enveloped(Channel.EBXML_HTTP, "", b"")

    async def take(self) -> None:
        """See Transport.take."""
        self._answer = self._taken
        self._speaks.set()
        await self._listen()

    async def gone(self) -> None:
        """See Transport.gone: nobody listens, and what was open is closed."""
        self._speaks.set()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def never(self) -> None:
        """See Transport.never: 403, as from a server that does not let us in, or a SOAP Fault."""
        self._answer = self._says(self._habits.never, FAULT if self._habits.faults else PAGE)

    async def later(self) -> None:
        """See Transport.later: 503, or 500 with a page or with nothing."""
        self._answer = self._says(self._habits.later, PAGE if self._habits.page else b"")

    async def dies(self) -> None:
        """See Transport.dies: the connection is cut when the whole request has come."""
        self._answer = self._cut

    async def silent(self) -> None:
        """See Transport.silent."""
        self._speaks.clear()
        self._answer = self._slow

    async def got(self) -> list[Got]:
        """See Transport.got."""
        return self._got

    async def _listen(self) -> None:
        if self._runner is not None:
            return
        application = web.Application(client_max_size=64_000_000)
        application.router.add_post("/ebxml", self._asked)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def _asked(self, request: web.Request) -> web.Response:
        return await self._answer(request)

    async def _taken(self, request: web.Request) -> web.Response:
        self._got.append(opened(await request.read()))
        return web.Response(status=self._habits.taken)

    async def _cut(self, request: web.Request) -> web.Response:
        answer = await self._taken(request)
        if request.transport is not None:
            request.transport.abort()
        return answer

    async def _slow(self, request: web.Request) -> web.Response:
        answer = await self._taken(request)
        await self._speaks.wait()
        return answer

    def _says(self, status: int, body: bytes) -> Handler:
        async def said(request: web.Request) -> web.Response:
            await request.read()
            answer = web.Response(status=status, body=body, content_type="text/xml")
            if self._habits.gzip and body:
                answer.enable_compression(web.ContentCoding.gzip)
            return answer

        return said
