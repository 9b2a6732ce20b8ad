"""What the HTTP side of ebXML may be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EbxmlHttpSettings(BaseModel):
    """Times and limits towards partners."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_seconds: float = Field(10, description="How long a connection to a partner may take to open.", gt=0)
    answer_seconds: float = Field(60, description="How long a partner may take to answer.", gt=0)
    max_answer_bytes: int = Field(2_000_000, description="Largest answer read from a partner.", ge=1000)
    blip_tries: int = Field(2, description="Tries inside one attempt when the connection cannot be opened.", ge=1, le=5)
    blip_seconds: float = Field(0.2, description="Wait between those tries.", ge=0)
    ca_file: str = Field("", description="PEM file of authorities for partners' TLS; empty: the system's.")
    client_certificate: str = Field(
        "", description="PEM file by which we show ourselves to partners' servers that ask; a party may have its own."
    )
    client_key: str = Field("", description="The key of it, where that is another file.")
