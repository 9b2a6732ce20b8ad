"""What the door asks of the house: who calls, and to have an operation done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

CallerT = TypeVar("CallerT")


@dataclass(frozen=True, slots=True)
class Place:
    """A place of an order at fault, and what is wrong there."""

    where: str
    what: str


class Refused(Exception):
    """An order that is not followed; becomes the contract's HubFault."""

    def __init__(
        self,
        code: str,
        reason: str,
        hint: str = "",
        *,
        try_again: bool = False,
        error_code: int = 1001,
        places: tuple[Place, ...] = (),
        client_fault: bool = True,
        soap: str = "",
        language: Literal["en", "nb"] = "en",
    ) -> None:
        """`language` is that of the words; `soap` is the fault code where SOAP has one of its own: MustUnderstand, VersionMismatch."""
        self.code, self.reason, self.hint, self.try_again = code, reason, hint, try_again
        self.error_code, self.places, self.client_fault, self.soap = error_code, places, client_fault, soap
        self.language = language
        super().__init__(f"{code}: {reason}")


class Operations(Protocol[CallerT]):
    """The operations of the contract. `CallerT` is the house's own word for a caller; the door only passes it on."""

    async def identified(self, system_id: str, key: str) -> CallerT | None:
        """The record system with this id, if the API key is its own."""
        ...

    async def certified(self, digest: str) -> CallerT | None:
        """The record system with this client certificate (hex SHA-256), which whoever ends TLS has verified."""
        ...

    async def busy(self, caller: CallerT, accept_language: str) -> Refused | None:
        """Why nothing new may be taken now; asked before a document is read where the caller is known by then."""
        ...

    async def unreadable(self, caller: CallerT, because: str) -> None:
        """Notes that this caller's order could not be read."""
        ...

    async def call(
        self, operation: str, caller: CallerT, values: Mapping[str, Any], accept_language: str
    ) -> dict[str, Any]:
        """The members of `result` in the reply. Raises Refused."""
        ...
