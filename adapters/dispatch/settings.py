"""The settings of the dispatch, each with its sentence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adapters.broker.settings import BrokerSettings


class DispatchSettings(BrokerSettings):
    """The message broker (RabbitMQ) of nodes that share a PostgreSQL; without one each looks into the store for itself."""

    queue: str = Field(
        "samhub.lanes", description="Name of the queue of lanes; nodes of one hub share it.", min_length=1
    )
    queue_type: Literal["quorum", "classic"] = Field(
        "quorum", description="Quorum where the broker has it; nothing is lost with either."
    )
    lanes_at_once: int = Field(64, description="Partners that one node brings to at the same time.", ge=1)
    offer_seconds: float = Field(5, description="How long the broker may take to confirm an offer.", gt=0)
