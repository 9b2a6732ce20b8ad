"""The settings of the dispatch, each with its sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

#: A file that may be left out; empty means that there is none.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]


class DispatchSettings(BaseModel):
    """How nodes that share one PostgreSQL share the work: through a RabbitMQ, or each by looking for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        "",
        description="RabbitMQ of the nodes: amqp(s)://host:port/virtual-host, without a login; "
        "empty: every node looks into the store.",
    )
    username: str = Field("guest", description="Name to log in with.")
    password_file: OptionalPath = Field(None, description="File that holds the password, and nothing else.")
    ca_file: OptionalPath = Field(
        None, description="PEM file of authorities for the broker's certificate (amqps); empty: the system's."
    )
    queue: str = Field(
        "samhub.lanes", description="Name of the queue of lanes; nodes of one hub share it.", min_length=1
    )
    queue_type: Literal["quorum", "classic"] = Field(
        "quorum", description="Quorum where the broker has it; nothing is lost with either."
    )
    lanes_at_once: int = Field(64, description="Partners that one node brings to at the same time.", ge=1)
    heartbeat_seconds: int = Field(10, description="How soon a dead connection is noticed.", ge=1)
    offer_seconds: float = Field(5, description="How long the broker may take to confirm an offer.", gt=0)

    @field_validator("url")
    @classmethod
    def _without_login(cls, url: str) -> str:
        """A configuration is shown, copied and sent around."""
        found = urlsplit(url)
        if url and (found.scheme not in ("amqp", "amqps") or not found.hostname):
            raise ValueError("must be amqp://host:port/virtual-host or amqps://…")
        if found.username or found.password:
            raise ValueError("must not hold a login: use dispatch.username and dispatch.password_file")
        return url
