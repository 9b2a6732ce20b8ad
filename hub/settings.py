"""The kernel's own settings, each with its sentence; ops reads them from the configuration file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.bounds import LONGEST

#: Times beyond this are beyond sense.
_SECONDS = LONGEST.total_seconds()


class Settings(BaseModel):
    """What the kernel may be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_message_bytes: int = Field(36_000_000, description="Largest message taken at any door, in bytes.", ge=10_000)
    max_envelope_bytes: int = Field(1_000_000, description="Largest SOAP envelope, in bytes.", ge=10_000)
    unknown_standard: Literal["pass", "hold"] = Field(
        "pass", description="A document whose standard has no schema here is passed on unchecked, or held for a person."
    )
    content_rules: Literal["refuse", "warn"] = Field(
        "refuse",
        description="What breaks a content rule of severity error is refused (AppRec Avvist), or passed and remarked.",
    )
    apprec_deadline_hours: float = Field(
        96,
        description="Hours from GenDate until a missing AppRec counts as negative (HIS 80415 3.3.4).",
        gt=0,
        le=_SECONDS / 3600,
    )
    warnings: bool = Field(
        True,
        description="Answer a message that asks for no Acknowledgment, though the agreement or the national profile wants "
        "one, by a MessageError of severity Warning (HITS 1172 4.2.2.1); off: by nothing, for partners that take every "
        "MessageError for a failure (better: per party).",
    )
    questions_per_minute: int = Field(
        30,
        description="Pings and StatusRequests that are answered to one party in a minute, signed and unsigned ones counted "
        "apart, by each process; unproven ones also for each network address. What is above it gets HTTP 503.",
        ge=1,
    )
    allow_sha1: bool = Field(False, description="Accept SHA-1 signatures from every partner (better: per partner).")
    allow_3des: bool = Field(True, description="Open payloads encrypted with 3DES; we never send them.")
    retries: int = Field(
        5, description="Retries after the first hand-over where nothing is agreed (HIS 1037 5.2).", ge=0
    )
    retry_interval_seconds: float = Field(
        43_200,
        description="Seconds between hand-overs without a transport receipt where nothing is agreed.",
        gt=0,
        le=_SECONDS,
    )
    persist_duration_seconds: float = Field(
        345_600,
        description="Seconds after which a message is given up where nothing is agreed (P4D).",
        gt=0,
        le=_SECONDS,
    )
    time_to_live_seconds: float = Field(
        0,
        description="Seconds until what we send by ebXML expires (eb:TimeToLive); 0: none is written. Give it more than "
        "all retries take, else it expires before they are used up (ebMS 2.0 6.4.5).",
        ge=0,
        le=_SECONDS,
    )
    backoff_first_seconds: float = Field(
        20, description="First wait after a try that did not reach the partner; doubles each time.", gt=0, le=_SECONDS
    )
    backoff_longest_seconds: float = Field(3_600, description="Longest such wait.", gt=0, le=_SECONDS)
    lost_answer_minutes: tuple[Annotated[float, Field(gt=0, le=1440)], ...] = Field(
        (1, 2, 4, 8, 16, 30),
        description="Minutes until a message is sent again, byte for byte, whose answer was lost (the connection broke, no "
        "answer in time), each time the next of them, within one agreed RetryInterval; all of these count as one of the "
        "agreement's Retries. Empty: only as agreed.",
    )
    receipt_tries: int = Field(
        12,
        description="How often in a row a partner may answer a receipt of ours by a failure (HTTP 5xx, a SOAP Fault) until "
        "it is given up and a person is told; the partner's next resend gets it again all the same.",
        ge=1,
    )
    circuit_failures: int = Field(3, description="Failed tries in a row that open a partner's circuit.", ge=1)
    lease_seconds: float = Field(
        30,
        description="How long a process that died keeps what it had under way; renewed for as long as it lives.",
        gt=0,
        le=_SECONDS,
    )
    per_partner: int = Field(
        4,
        description="Attempts under way at once to one address; one, until it has answered within the last minute.",
        ge=1,
    )
    per_host: int = Field(
        16,
        description="Attempts under way at once to one host, whatever the paths, to the mail relay, and to the broker of "
        "the bus; hub.per_partner where it has not answered lately.",
        ge=1,
    )
    at_once: int = Field(
        64,
        description="Attempts under way at once, by each process, that do not hang yet; an eighth of these is kept for "
        "urgent messages and an eighth for local systems, and who has not answered lately gets a sixteenth to a half.",
        ge=1,
    )
    slow_seconds: float = Field(
        1,
        description="An attempt that has been under way for so long without an answer hangs: it goes on, but its place is "
        "given to others.",
        gt=0,
        le=_SECONDS,
    )
    hanging_at_once: int = Field(
        1_000,
        description="Attempts that hang at once, beside those of hub.at_once, and never more than half of the files that "
        "the process may have open; what hangs beyond that keeps its place.",
        ge=0,
    )
    retry_undecided_seconds: float = Field(
        300, description="Seconds until a message that could not be judged is judged again.", gt=0, le=_SECONDS
    )
    bus_unsigned: Literal["refuse", "accept"] = Field(
        "refuse",
        description="Messages of the bus that are neither signed nor encrypted (text/plain, SOAP) are refused, or taken "
        "with a warning in the journal, as the .NET library does; anybody on the bus could have written them.",
    )
    bus_retry_seconds: float = Field(
        60,
        description="Seconds until a message is sent again of which the broker has not said whether it took it.",
        gt=0,
        le=_SECONDS,
    )
    sync_seconds: float = Field(
        15,
        description="How long a synchronous question on the bus waits for its answer, in both directions.",
        gt=0,
        le=_SECONDS,
    )
    future_tolerance_seconds: float = Field(
        300, description="How far a partner's clock may be ahead of ours.", ge=0, le=_SECONDS
    )
    software_name: str = Field("Samhandling Hub", description="Our name in eb:Description and AppRec (HITS 1210).")
    software_version: str = Field("0.1.0", description="Our version in eb:Description and AppRec.")
