"""What the hub's side of the national message bus may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

#: A file that may be left out; empty means that there is none.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]
Kind = Literal["async", "sync", "syncreply", "error"]


class AmqpSettings(BaseModel):
    """The broker of the national message bus, and which queues of it are ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        "",
        description="Broker and exchange: amqps://host:5671/EXCHANGE; empty: no bus. Name and password stand elsewhere.",
    )
    way: Literal["0.9.1", "1.0"] = Field(
        "0.9.1",
        description="Protocol. 1.0, which traffic with Helsenorge demands, needs the extra: pip install .[amqp10].",
    )
    syntax: Literal["v1", "v2", "plain"] = Field(
        "v1",
        description="How 1.0 names queues: v1 until RabbitMQ 4.2, v2 from 4.0 on, plain where there is no exchange.",
    )
    username: str = Field("", description="Name of the organisation user.")
    password_file: OptionalPath = Field(None, description="File that holds its password, and nothing else.")
    ca_file: str = Field("", description="PEM file of authorities for the broker's certificate; empty: the system's.")
    listen: list[Kind] = Field(
        ["async", "sync", "syncreply", "error"],
        description="Which kinds of our queues this process reads; an answer queue belongs to one process only.",
    )
    credit: int = Field(25, description="Messages of one queue that may be in our hands at once.", ge=1, le=1000)
    connect_seconds: float = Field(10, description="How long a connection may take to come about.", gt=0)
    answer_seconds: float = Field(
        30,
        description="How long the broker may take to say that it has a message; keep it below hub.lease_seconds.",
        gt=0,
    )
    close_seconds: float = Field(3, description="How long the broker may take to say goodbye.", gt=0)
    wait_seconds: float = Field(
        3, description="First wait before a lost connection is made anew; doubles each time.", gt=0
    )
    longest_wait_seconds: float = Field(30, description="Longest such wait.", gt=0)
    watch_seconds: float = Field(60, description="How often what lies among the dead letters is counted.", gt=0)
    full_seconds: float = Field(5, description="Pause while nothing can be kept; what came stays the broker's.", gt=0)

    @property
    def host(self) -> str:
        """The broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.url.lower().startswith("amqps:")

    @property
    def port(self) -> int:
        """5671, or 5672 without TLS, unless the address says otherwise (nhn-amqp.md §1.1)."""
        return urlsplit(self.url).port or (5671 if self.secure else 5672)

    @property
    def exchange(self) -> str:
        """All behind the first slash (§1.1); empty: the broker's default exchange."""
        return urlsplit(self.url).path.strip("/")

    @model_validator(mode="after")
    def _can_be_reached(self) -> AmqpSettings:
        if not self.url:
            return self
        parts = urlsplit(self.url)
        if parts.scheme.lower() not in ("amqp", "amqps") or not parts.hostname:
            raise ValueError(f"url is {self.url}; write it as amqps://host:5671/EXCHANGE")
        if parts.username or parts.password:
            raise ValueError("url holds a name or a password; put them into username and password_file")
        return self
