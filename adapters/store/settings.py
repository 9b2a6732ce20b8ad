"""Settings of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]


class StoreSettings(BaseModel):
    """Where messages are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(Path("data/samhub.db"), description="The embedded store; large documents lie beside it.")
    url: str = Field(
        "",
        description="A PostgreSQL that several nodes share, such as postgresql://samhub@db.example/samhub; "
        "empty: the embedded store.",
    )
    password_file: OptionalPath = Field(
        None, description="File that holds the password for it, and nothing else; else PGPASSFILE or PGPASSWORD."
    )
    connections: int = Field(4, description="Connections to it that write, and as many that read.", ge=1, le=50)
    connect_seconds: float = Field(5, description="How long a connection to it may take to be made.", ge=2)
    answer_seconds: float = Field(30, description="How long it may take to answer before it counts as lost.", ge=1)
    min_free_bytes: int = Field(
        200_000_000,
        description="With less free disk than this nothing new is taken; what is kept still goes out. "
        "Of a PostgreSQL on another machine it cannot be known.",
        ge=0,
    )

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        """A configuration is shown, copied and sent around."""
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("an address of PostgreSQL begins with postgresql://")
        if parts.password or "password" in parse_qs(parts.query):
            raise ValueError("holds a password; put it into store.password_file, PGPASSFILE or PGPASSWORD")
        return url
