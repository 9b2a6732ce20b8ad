"""Who calls, by an access token and a proof that its holder has the key (RFC 9449 7; EDI 2.0 A3)."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NoReturn

from adapters.tokens import proof, token, wire
from adapters.tokens.keys import IssuerKeys, Unreachable
from adapters.tokens.settings import TokenSettings
from adapters.tokens.token import Demands, Rights
from adapters.tokens.wire import Wrong
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.ports import Clock, Store
from hub.record_systems.facade import RecordSystems, unavailable
from hub.record_systems.proving import Prove, Shown, Unproven
from hub.record_systems.values import Caller, Said

#: Tokens whose signature need not be verified again while they hold.
REMEMBERED = 5_000
#: So long a proof is remembered beyond its own life: clocks of nodes differ.
LONGER = timedelta(seconds=30)
#: Seconds after which it is worth asking again.
RETRY_AFTER = 10
#: What RFC 9449 7.1 calls each.
_ERRORS = {"token": "invalid_token", "proof": "invalid_dpop_proof"}


class TokenProver:
    """A Prove: tokens of one issuer, each call with a proof of its own, used once by whoever shares the store."""

    def __init__(
        self,
        settings: TokenSettings,
        url: str,
        facade: RecordSystems,
        store: Store,
        clock: Clock,
        otherwise: Prove | None = None,
    ) -> None:
        """`url`: our root as clients know it; `otherwise` proves who shows no token."""
        self._url, self._facade, self._store, self._clock, self._otherwise = url, facade, store, clock, otherwise
        self._keys = IssuerKeys(settings, clock)
        self._demands = Demands(settings.issuer, settings.audience, settings.scope, skew=settings.clock_skew_seconds)
        self._known: OrderedDict[str, tuple[str, Rights]] = OrderedDict()

    async def __call__(self, shown: Shown, /) -> Caller:
        """See Prove."""
        if self._otherwise is not None and not shown.authorization and not shown.proofs:
            return await self._otherwise(shown)
        try:
            rights = await self._proven(shown)
        except Wrong as error:
            _refuse(error.which, error.because)
        except Unreachable as error:
            said = Said("later", "issuer-unreachable", str(error))
            raise Unproven(said, 503, {"Retry-After": str(RETRY_AFTER)}) from None
        except StoreUnavailable as error:
            raise Unproven(unavailable(error), 503, {"Retry-After": str(RETRY_AFTER)}) from None
        return self._caller(rights)

    async def _proven(self, shown: Shown) -> Rights:
        """The token first, since it says which key the proof must show; at last the proof is used up."""
        given = _token(shown)
        rights = await self._rights(given)
        if len(shown.proofs) != 1:
            raise Wrong("proof", "exactly one header DPoP is needed")
        now = self._clock.now()
        call = proof.Call(shown.method, f"{self._url}{shown.path}", now.timestamp())
        once = proof.shown(shown.proofs[0], given, rights.thumbprint, call)
        until = datetime.fromtimestamp(once.until, now.tzinfo) + LONGER
        if not await self._store.claim_proof(once.name, now, until):
            raise Wrong("proof", "was used before")
        return rights

    async def _rights(self, given: str) -> Rights:
        """Of a token; one that was verified is known again by its digest, until it expires or its key has gone."""
        now, digest = self._clock.now().timestamp(), sha256(given.encode())
        known = self._known.get(digest)
        key_id = known[0] if known is not None else token.key_id(given, self._demands)
        key = await self._keys.of(key_id)
        if key is None:
            raise Wrong("token", "is signed by no key of its issuer")
        if known is not None and now < known[1].until + self._demands.skew:
            self._known.move_to_end(digest)
            return known[1]
        found = token.judged(given, key, self._demands, now)
        self._known[digest] = key_id, found
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _caller(self, rights: Rights) -> Caller:
        if not rights.scoped:
            challenge = _challenge("insufficient_scope", f"it must hold {self._demands.scope}")
            said = Said("refused", "scope", f"it must hold {self._demands.scope}")
            raise Unproven(said, 403, {"WWW-Authenticate": challenge})
        until = datetime.fromtimestamp(rights.until, self._clock.now().tzinfo)
        caller = self._facade.by_client(rights.client, rights.her_ids, rights.organisations, until)
        if caller is None:
            raise Unproven(Said("refused", "client-unknown", f"client {rights.client[:100]!r}"), 403, {})
        return caller


def _token(shown: Shown) -> str:
    """Of the one header Authorization; a token that anybody may carry is refused, whatever it holds."""
    if not shown.authorization:
        _refuse("token", "header Authorization is missing", named=False)
    if len(shown.authorization) > 1:
        raise Wrong("token", "exactly one header Authorization is needed")
    scheme, _, given = shown.authorization[0].partition(" ")
    if scheme.lower() != "dpop":
        raise Wrong("token", "its scheme is not DPoP")
    return given.strip()


def _refuse(which: str, because: str, *, named: bool = True) -> NoReturn:
    """401; who shows nothing at all is told no error (RFC 6750 3.1)."""
    challenge = _challenge(_ERRORS[which], because) if named else _challenge()
    raise Unproven(Said("refused", which, because), 401, {"WWW-Authenticate": challenge}) from None


def _challenge(error: str = "", words: str = "") -> str:
    """RFC 9449 7.1; the words are ours, and hold nothing of what was shown."""
    told = [f'error="{error}"', f'error_description="{words}"'] if error else []
    algorithms = " ".join(sorted(wire.ALGORITHMS))
    return f"DPoP {', '.join((*told, _quoted('algs', algorithms)))}"


def _quoted(name: str, value: str) -> str:
    return f'{name}="{value}"'
