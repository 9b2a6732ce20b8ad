"""Settings of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

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


def _type_and_days(written: str) -> str:
    name, equals, days = written.partition("=")
    if not (name.strip() and equals and days.strip().isdigit() and int(days)):
        raise ValueError("a type and its days, such as HENVIS=365")
    return f"{name.strip()}={int(days)}"


#: Days that `purge.as_edi20` makes of what is longer, or of 0 that means never (EDI 2.0 A13.3).
AS_EDI20 = 14


class PurgeSettings(BaseModel):
    """How long what is settled is kept; it goes by itself, once in so many hours, and the journal tells how much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_hours: float = Field(
        24, description="Hours between two runs; 0: only by hand (samhub purge --really).", ge=0, le=8760
    )
    as_edi20: bool = Field(
        False,
        description="Keep documents no longer than EDI 2.0 does (A13): confirmed_documents is true, and unfetched_days, "
        "documents_days and sealed_days are 14, or less where less is written. Types with days of their own keep them.",
    )
    confirmed_documents: bool = Field(
        False,
        description="Remove a document, and what of it went over the wire, once all its receivers have confirmed it "
        "(EDI 2.0 A13.2): looked at every hour. A record system must keep a document before it confirms that it has it.",
    )
    unfetched_days: int = Field(
        0,
        description="Days that a document lies ready for a record system that does not fetch it; then its delivery ends "
        "as expired (not-fetched), its sender is told, and it is removed (EDI 2.0 A13.3). 0: it lies until it is fetched.",
        ge=0,
    )
    documents_days: int = Field(
        90, description="Days until the documents of a settled message are removed; who, when and digests stay.", ge=1
    )
    documents_days_by_type: tuple[Annotated[str, AfterValidator(_type_and_days)], ...] = Field(
        (), description="The same for some message types by their code in list 8279, such as HENVIS=365."
    )
    sealed_days: int = Field(
        14,
        description="Days until the sealed bytes of a settled message are removed, as they went or came over the wire "
        "(EDI 2.0 A13.3); its document and its receipts stay.",
        ge=1,
    )
    quarantine_days: int = Field(
        90, description="Days until the bytes of what was refused or lies in quarantine are removed.", ge=1
    )
    notifications_days: int = Field(
        365, description="Days until what record systems were told is removed (EDI 2.0 A13.3: a year).", ge=14
    )
    journal_days: int = Field(
        0, description="Days until the journal of settled messages is removed; 0: it is kept for good.", ge=0
    )
    receipts_days: int = Field(
        0, description="Days until receipts, the evidence of what came and went, are removed; 0: kept for good.", ge=0
    )

    @model_validator(mode="before")
    @classmethod
    def _as_edi20(cls, said: Any) -> Any:
        """One setting for several; what is stricter already stays, and what is no number is told as that."""
        if not isinstance(said, dict) or said.get("as_edi20") is not True:
            return said
        given = {name: said.get(name) or AS_EDI20 for name in ("unfetched_days", "documents_days", "sealed_days")}
        days = {name: min(value, AS_EDI20) if type(value) is int else value for name, value in given.items()}
        return {**said, **days, "confirmed_documents": True}

    def by_type(self) -> dict[str, int]:
        """Days by message type, in small letters."""
        pairs = (one.partition("=") for one in self.documents_days_by_type)
        return {name.lower(): int(days) for name, _, days in pairs}
