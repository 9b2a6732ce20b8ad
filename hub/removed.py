"""What is said of a document that the purge has removed: why, and since when; never that it was lost."""

from __future__ import annotations

from collections.abc import Iterable

from hub.errors import ContentLost
from hub.message import DeliveryRecord
from hub.ports import Store
from hub.states import State
from hub.unfetched import NOT_FETCHED

#: Code of what cannot be done any more because of that.
REMOVED = "content-removed"


async def is_removed(message_id: str, store: Store) -> bool:
    """Whether the purge has removed the document. One that is damaged is not: a copy may put it back."""
    try:
        return await store.document(message_id) is None
    except ContentLost:
        return False


def why(message_id: str, deliveries: Iterable[DeliveryRecord]) -> str:
    """In words, from how its deliveries ended: the last of them is when it could go."""
    ended = list(deliveries)
    begin = f"the document of message {message_id} was removed, as the settings of the purge say"
    if not ended:
        return begin
    last = max(one.changed_at or one.created_at for one in ended)
    missed = [one.receiver for one in ended if one.state == State.EXPIRED and one.code == NOT_FETCHED]
    if missed:
        return f"{begin}: HER-id {', '.join(missed)} had not fetched it by {last:%Y-%m-%d %H:%M} UTC"
    return f"{begin}: nothing was left to be done for any receiver since {last:%Y-%m-%d %H:%M} UTC"
