"""What the logic that all stores share asks of a database, inside a transaction that somebody else begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from hub.ports import Conflict, Taken


class Row(Protocol):
    """One row, by the names of its columns or by their places."""

    def __getitem__(self, column: Any, /) -> Any: ...


class Rows(Protocol):
    """What a statement answered."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Session(Protocol):
    """One connection, as the shared logic uses it."""

    def run(self, name: str, *values: object) -> Rows:
        """A named statement of read.sql or write.sql."""
        ...

    def run_each(self, name: str, rows: Iterable[Sequence[object]]) -> list[int]:
        """The same statement for every row; how many rows each changed."""
        ...

    def ask(self, text: str, values: Sequence[object]) -> Rows:
        """A question with filters, as adapters.store.questions writes it."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Within it nobody looks at what a statement answers, so they may go out without waiting for one another."""
        ...

    def standing(self, delivery_ids: Iterable[str]) -> Mapping[str, str]:
        """The states of deliveries, which stay as they are until the transaction ends; unknown ones are left out."""
        ...

    def due_of(self, addresses: Sequence[str], priority: int, now: int, by: int, most: int) -> list[Any]:
        """At most `most` of each address and each priority from `priority` on, as (id, address, priority, next_at)."""
        ...

    def take(self, delivery_ids: Sequence[str], now: int, by: int, until: int) -> Mapping[str, int]:
        """Leases those that are still due, and that nobody has by the clock of leases: the number of each one's attempt."""
        ...


class Refused(Exception):
    """The change cannot be made: whoever opened the transaction undoes all of it, and answers this."""

    def __init__(self, answer: Taken | Conflict) -> None:
        self.answer = answer
        super().__init__("the change was refused")
