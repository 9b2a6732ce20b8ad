"""What the queue door of record systems may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

#: A file that may be left out; empty means that there is none.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]


class QueueSettings(BaseModel):
    """The message broker (AMQP 0.9.1, such as RabbitMQ) for record systems whose channel is queue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field("", description="amqp(s)://host:port/virtual-host, without a login; empty: no queue door.")
    username: str = Field("guest", description="Name to log in with.")
    password_file: OptionalPath = Field(None, description="File that holds the password, and nothing else.")
    ca_file: OptionalPath = Field(
        None, description="PEM file of authorities for the broker's certificate (amqps); empty: the system's."
    )
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
    connect_seconds: float = Field(10, description="How long connecting, declaring and the like may take.", gt=0)
    confirm_seconds: float = Field(
        30, description="How long the broker may take to confirm; with the former below hub.lease_seconds.", gt=0
    )
    heartbeat_seconds: int = Field(10, description="A connection that is silent for twice so long is lost.", ge=1)
    reconnect_seconds: float = Field(
        5, description="Longest wait between tries to connect, to find a queue again, or to answer.", gt=0
    )
    events_seconds: float = Field(0.5, description="How often new status events are looked for.", gt=0)
    term_seconds: float = Field(
        30, description="For so long one node publishes the status events before another may.", gt=0
    )

    @field_validator("url")
    @classmethod
    def _without_login(cls, url: str) -> str:
        found = urlsplit(url)
        if url and (found.scheme not in ("amqp", "amqps") or not found.hostname):
            raise ValueError("must be amqp://host:port/virtual-host or amqps://…")
        if found.username or found.password:
            raise ValueError("must not hold a login: use queue.username and queue.password_file")
        return url

    @model_validator(mode="after")
    def _password_is_there(self) -> QueueSettings:
        if self.url and self.password_file is None:
            raise ValueError("url is set, but password_file is missing")
        return self
