"""What the queue door of record systems may be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adapters.broker.settings import BrokerSettings


class QueueSettings(BrokerSettings):
    """The message broker (AMQP 0.9.1, such as RabbitMQ) for record systems whose channel is queue."""

    declare: bool = Field(
        True, description="The hub declares the queues; false: the broker's owner does, and they must be there."
    )
    kind: Literal["classic", "quorum"] = Field(
        "classic", description="Of the queues that the hub declares; quorum: kept by several nodes of the broker."
    )
    prefetch: int = Field(
        16, description="Documents of one record system that are being taken at once; each is in memory.", ge=1, le=1000
    )
    delivery_limit: int = Field(
        20, description="A document that came again so often without an answer is put aside (dead letter).", ge=1
    )
    confirm_seconds: float = Field(30, description="How long the broker may take to confirm.", gt=0)
    events_seconds: float = Field(0.5, description="How often new status events are looked for.", gt=0)
    term_seconds: float = Field(
        30, description="For so long one node publishes the status events before another may.", gt=0
    )
