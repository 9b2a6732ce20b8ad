"""What the webhooks of record systems may be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hub.bounds import LONGEST


class WebhookSettings(BaseModel):
    """Times and limits towards record systems that have a webhook in the party file; see docs/webhook.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_seconds: float = Field(
        10, description="How long a record system may take to answer, the connection included.", gt=0, le=300
    )
    wait_minutes: tuple[Annotated[float, Field(gt=0, le=1440)], ...] = Field(
        (1, 2, 4, 8, 16, 30),
        description="Minutes until an event is told again that was not taken, each time the next of them, and the last from "
        "then on.",
        min_length=1,
    )
    give_up_hours: float = Field(
        24,
        description="Hours until an event that is not taken is given up and waits for a person: samhub webhook list.",
        gt=0,
        le=LONGEST.total_seconds() / 3600,
    )
    at_once: int = Field(
        32,
        description="Record systems told at the same moment; a quarter as many beside them of those that were slow or "
        "failed the last time.",
        ge=1,
    )
    poll_seconds: float = Field(0.5, description="How often new events are looked for.", gt=0)
    ca_file: str = Field("", description="PEM file of authorities for record systems' TLS; empty: the system's.")
