"""Fresh documents: each with an id and a number of its own, made now."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from ops.samples.make import Sample, make
from ops.sector import Member

_numbers = count(1)


def sampled(kind: str, sender: Member, receiver: Member, **more: Any) -> Sample:
    """A fresh document."""
    now = datetime.now(UTC)
    return make(
        kind, sender=sender, receiver=receiver, gen_date=now, msg_id=str(uuid4()), number=next(_numbers), **more
    )
