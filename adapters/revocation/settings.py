"""What revocation may be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class RevocationSettings(BaseModel):
    """Where revocation lists are kept and how old they may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(Path("certs/crl"), description="Folder of CRL files (DER or PEM), one or more per authority.")
    grace_hours: float = Field(
        24, description="Hours after nextUpdate in which a CRL is still believed; later its answer is unknown.", ge=0
    )
    look_seconds: float = Field(5, description="How often the folder is looked at for newer files.", ge=0)
