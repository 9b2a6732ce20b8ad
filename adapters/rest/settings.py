"""What the REST door of record systems may be told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RestSettings(BaseModel):
    """REST for record systems, as the national EDI 2.0 has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manner: Literal["", "national", "easy"] = Field(
        "",
        description="national: demands all that EDI 2.0 demands (headers, every required member, configured HER-ids); "
        "easy: what can be done without may be left out. Empty: national where tokens are asked for, else easy.",
    )
    heartbeat_seconds: float = Field(
        3, description="How often an idle stream of notifications shows that it stands.", gt=0, le=60
    )
    stream_seconds: float = Field(
        60,
        description="A stream ends after so long, and its client asks for the next with its last offset: so do clients of "
        "gateways, tokens run out, and nodes share the load. 0: it stands for as long as both sides do.",
        ge=0,
    )
    look_seconds: float = Field(
        0.5, description="How often it is looked for new notifications while there are streams.", gt=0, le=15
    )
    streams: int = Field(20, description="Streams that one record system may have open at once in a process.", ge=0)
    stalled_seconds: float = Field(
        30, description="A stream of which its reader takes nothing for so long is ended.", gt=0
    )
