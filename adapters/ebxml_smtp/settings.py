"""What the mail side of ebXML may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

#: A file that may be left out; empty means that there is none.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda written: written or None)]


class RelaySettings(BaseModel):
    """The mail server through which mail to partners goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("", description="Name of the relay; empty: no mail is sent.")
    port: int = Field(25, description="Its port.", ge=1, le=65535)
    tls: Literal["required", "opportunistic", "off"] = Field(
        "opportunistic",
        description="STARTTLS: demanded, used where the relay offers it, or never; where it is used the relay's "
        "certificate must hold, and nothing falls back to a session that is clear or unchecked.",
    )
    ca_file: str = Field("", description="PEM file of authorities for the relay's certificate; empty: the system's.")
    username: str = Field(
        "", description="Name to log in with; empty: without. Never said in the clear unless relay.tls is off."
    )
    password_file: OptionalPath = Field(None, description="File that holds the password, and nothing else.")
    domain: str = Field("localhost", description="Our own domain: in EHLO and behind the @ of every Message-ID.")
    connections: int = Field(4, description="Connections to the relay at once; kept open between mails.", ge=1, le=50)
    idle_seconds: float = Field(60, description="A connection unused for so long is closed.", gt=0)
    connect_seconds: float = Field(10, description="How long a connection may take to come free, and to open.", gt=0)
    answer_seconds: float = Field(
        90, description="How long the relay may take for one mail in all; keep it below hub.lease_seconds.", gt=0
    )
    pipelining: bool = Field(
        True, description="Say MAIL, RCPT and DATA in one go where the relay offers it (RFC 2920): fewer round trips."
    )
    dsn: bool = Field(True, description="Ask for delivery status notifications where the relay offers them (RFC 3461).")


class ListenerSettings(BaseModel):
    """The hub's own SMTP listener: takes mail for its own addresses and relays nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("", description="Address to listen on; empty: no listener.")
    port: int = Field(2525, description="Port to listen on; 0 takes a free one.", ge=0, le=65535)
    tls: Literal["required", "offered", "off"] = Field("off", description="STARTTLS: demanded, offered, or not.")
    certificate: OptionalPath = Field(
        None, description="PEM file with the listener's certificate and chain, for TLS; read again when it has changed."
    )
    key: OptionalPath = Field(None, description="PEM file with its private key, for TLS.")
    per_minute: int = Field(6_000, description="Mails taken from one address a minute; more are put off (450).", ge=1)
    at_once: int = Field(100, description="Connections at once; more are put off (421).", ge=1)
    idle_seconds: float = Field(
        300, description="A client that sends no command for so long is let go (RFC 5321 4.5.3.2.7).", gt=0
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> ListenerSettings:
        if self.host and self.tls != "off" and (self.certificate is None or self.key is None):
            raise ValueError(f"tls is {self.tls}, but certificate or key is missing: name both, or set tls to off")
        return self


class MailboxSettings(BaseModel):
    """A mailbox that the hub collects from, instead of or beside its own listener."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Literal["off", "imap", "pop3"] = Field("off", description="How it is read.")
    host: str = Field("", description="The mail server.")
    port: int = Field(0, description="Its port; 0: 993 or 995 with TLS, 143 or 110 without.", ge=0, le=65535)
    tls: Literal["implicit", "starttls", "off"] = Field("implicit", description="How the connection is protected.")
    ca_file: str = Field("", description="PEM file of authorities for its certificate; empty: the system's.")
    username: str = Field("", description="Name of the mailbox.")
    password_file: OptionalPath = Field(None, description="File that holds its password, and nothing else.")
    folder: str = Field("INBOX", description="IMAP folder.")
    poll_seconds: float = Field(60, description="How often it is looked into; IMAP is told of new mail at once.", gt=0)
    answer_seconds: float = Field(60, description="How long the server may take to answer.", gt=0)

    @model_validator(mode="after")
    def _names_a_mailbox(self) -> MailboxSettings:
        if self.protocol != "off" and not (self.host and self.username):
            raise ValueError(f"protocol is {self.protocol}, but host or username is missing")
        return self
