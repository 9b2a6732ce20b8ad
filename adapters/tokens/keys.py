"""The public keys of an issuer (RFC 7517), found by its discovery (OpenID Connect Discovery 1.0 4; RFC 8414 3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from adapters.tokens.settings import TokenSettings, may_be_asked
from hub.errors import HubError
from hub.ports import Clock

#: Bytes of an answer, keys of an issuer, and seconds between two questions that bring nothing new.
LARGEST, MOST, PAUSE = 500_000, 100, 60.0
#: Where an issuer says where its keys are.
DISCOVERY = "/.well-known/openid-configuration"
Key = Mapping[str, Any]


class Unreachable(HubError):
    """The issuer cannot be asked, and nothing is known that would do."""


class IssuerKeys:
    """What is known holds while the issuer is slow or down, for as long as the settings say; what is not is asked for.

    An unknown key id is worth one question a minute, whoever sends it: an issuer that turns its keys is followed, and
    nobody can make us trouble it.
    """

    def __init__(self, settings: TokenSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._known: dict[str, Key] = {}
        self._taken, self._asked = float("-inf"), float("-inf")  #: when they came, and when they were last asked for
        self._because = "it has not been asked yet"
        self._one = asyncio.Lock()
        self._beside: asyncio.Task[None] | None = None

    async def of(self, key_id: str) -> Key | None:
        """The key with this id; None where the issuer has none. Raises Unreachable.

        Whose key is known waits for nobody: where keys are due to be asked for anew, that goes on beside.
        """
        now = self._clock.monotonic()
        if (found := self._known.get(key_id)) is not None and now - self._taken <= self._settings.jwks_stale_seconds:
            due = now - self._taken > self._settings.jwks_max_age_seconds and now - self._asked >= PAUSE
            if due and (self._beside is None or self._beside.done()):
                if self._beside is not None:
                    await self._beside  # it is over: what nobody foresaw in it is seen here
                self._beside = asyncio.create_task(self._ask(now))
            return found
        if now - self._asked >= (PAUSE if self._known else 1):
            await self._ask(now)
        if self._clock.monotonic() - self._taken > self._settings.jwks_stale_seconds:
            raise Unreachable(self._because)
        return self._known.get(key_id)

    async def _ask(self, asked_at: float) -> None:
        """Of many that find it necessary at once one asks, and the others wait for the answer."""
        async with self._one:
            if self._asked > asked_at:
                return
            try:
                found = await self._fetched()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                self._because = f"{self._settings.issuer}: {_words(error)}"
            else:
                self._known, self._taken = found, self._clock.monotonic()
            self._asked = self._clock.monotonic()

    async def _fetched(self) -> dict[str, Key]:
        issuer = self._settings.issuer
        timeout = aiohttp.ClientTimeout(total=self._settings.answer_seconds)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            about = await _document(session, f"{issuer.rstrip('/')}{DISCOVERY}")
            if about.get("issuer") != issuer:
                raise ValueError("its discovery names another issuer")
            where = about.get("jwks_uri")
            if not isinstance(where, str) or may_be_asked(where):
                raise ValueError("its discovery names no jwks_uri that may be asked")
            keys = (await _document(session, where)).get("keys")
        if not isinstance(keys, list) or len(keys) > MOST:
            raise ValueError("its jwks_uri answers with no keys")
        named = (one for one in keys if isinstance(one, dict) and one.get("use", "sig") == "sig")
        return {one["kid"]: one for one in named if isinstance(one.get("kid"), str)}


async def _document(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """A JSON object that lies there. Raises ValueError."""
    async with session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer:
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status} at its {url.rpartition('/')[2][:40]}")
        body = await answer.content.read(LARGEST + 1)
        while len(body) <= LARGEST and (more := await answer.content.read(LARGEST + 1 - len(body))):
            body += more
    if len(body) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) if type(error) is ValueError else type(error).__name__
