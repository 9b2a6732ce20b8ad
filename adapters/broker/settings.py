"""How a broker is reached; what else a door or a duty of it may be told stands beside that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

#: A file that may be left out; empty means that there is none.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]


class BrokerSettings(BaseModel):
    """A message broker (AMQP 0.9.1, such as RabbitMQ)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field("", description="amqp(s)://host:port/virtual-host, without a login; empty: it is not used.")
    username: str = Field("guest", description="Name to log in with.")
    password_file: OptionalPath = Field(None, description="File that holds the password, and nothing else.")
    ca_file: OptionalPath = Field(
        None, description="PEM file of authorities for the broker's certificate (amqps); empty: the system's."
    )
    connect_seconds: float = Field(10, description="How long connecting, declaring and the like may take.", gt=0)
    heartbeat_seconds: int = Field(10, description="A connection that is silent for twice so long is lost.", ge=1)
    reconnect_seconds: float = Field(
        5, description="Longest wait between tries to connect, to find a queue again, or to answer.", gt=0
    )

    @field_validator("url")
    @classmethod
    def _without_login(cls, url: str) -> str:
        """A configuration is shown, copied and sent around."""
        found = urlsplit(url)
        if url and (found.scheme not in ("amqp", "amqps") or not found.hostname):
            raise ValueError("must be amqp://host:port/virtual-host or amqps://…")
        if found.username or found.password:
            raise ValueError("must not hold a login: use username and password_file beside it")
        return url

    @model_validator(mode="after")
    def _password_is_there(self) -> Self:
        if self.url and self.password_file is None:
            raise ValueError("url is set, but password_file is missing")
        return self

    def absent(self) -> list[Path]:
        """Files that are named and are not there."""
        named = (self.password_file, self.ca_file) if self.url else ()
        return [file for file in named if file is not None and not file.is_file()]
