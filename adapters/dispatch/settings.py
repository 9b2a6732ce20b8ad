"""The settings of the dispatch, each with its sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DispatchSettings(BaseModel):
    """How nodes that share one PostgreSQL share the work: through a RabbitMQ, or each by looking for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        "",
        description="RabbitMQ of the nodes: amqp(s)://user@host:port/vhost; empty: every node looks into the store.",
    )
    password_file: Path | None = Field(None, description="File that holds the password; else it stands in the url.")
    ca_file: Path | None = Field(None, description="Authorities for amqps; empty: those of the system.")
    queue: str = Field(
        "samhub.lanes", description="Name of the queue of lanes; nodes of one hub share it.", min_length=1
    )
    queue_type: Literal["quorum", "classic"] = Field(
        "quorum", description="Quorum where the broker has it; nothing is lost with either."
    )
    lanes_at_once: int = Field(64, description="Partners that one node brings to at the same time.", ge=1)
    heartbeat_seconds: int = Field(10, description="How soon a dead connection is noticed.", ge=1)
    offer_seconds: float = Field(5, description="How long the broker may take to confirm an offer.", gt=0)
