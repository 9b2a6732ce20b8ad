"""The configuration file: every setting with its sentence, all mistakes told at once, each with a hint."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from adapters.amqp.settings import AmqpSettings
from adapters.dispatch.settings import DispatchSettings
from adapters.ebxml_http.settings import EbxmlHttpSettings
from adapters.ebxml_smtp.settings import ListenerSettings, MailboxSettings, RelaySettings
from adapters.queue.settings import QueueSettings
from adapters.rest.settings import RestSettings
from adapters.revocation.settings import RevocationSettings
from adapters.store.settings import PurgeSettings, StoreSettings
from adapters.tokens.settings import TokenSettings
from adapters.webhook.settings import WebhookSettings
from hub.errors import ConfigurationError
from hub.settings import Settings

FILE_NAME = "samhub.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(_Section):
    """Where the hub listens: ebXML, REST, metrics and health on one port."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8085, description="Port to listen on; 0 takes a free one.", ge=0, le=65535)
    url: str = Field("", description="How partners reach us, if not by host and port.")
    at_once: int = Field(200, description="Connections served at once.", ge=1)
    proxies: list[str] = Field(
        [],
        description="Addresses or networks of the proxies that end TLS for us; they alone are believed what "
        "certificate_header says.",
    )
    certificate_header: str = Field(
        "",
        description="Header in which they hand on a client's certificate that they have verified, as PEM with percent signs "
        "(nginx: $ssl_client_escaped_cert) or base64 of DER (RFC 9440); they must remove it from what clients send. "
        "Empty: record systems show their API key.",
        pattern="^[A-Za-z0-9-]*$",
    )

    @field_validator("proxies")
    @classmethod
    def _networks(cls, given: list[str]) -> list[str]:
        for one in given:
            ip_network(one, strict=False)
        return given


class RegistrySettings(_Section):
    """Who is who, what is agreed and where it goes."""

    parties: Path = Field(Path("parties.toml"), description="Parties and record systems.")
    agreements: Path = Field(Path("agreements"), description="Folder of CPA and CPP files.")
    unagreed_functions: list[str] = Field(
        [],
        description="Functions of the message bus that need no agreement: registered certificates are used for them.",
    )
    routes: Path = Field(Path("routes.toml"), description="Routing table; may be absent.")


class TrustSettings(_Section):
    """Which authorities are trusted."""

    roots: Path = Field(Path("certs/ca/roots"), description="Folder of root certificates (PEM or DER).")
    intermediates: Path = Field(Path("certs/ca/intermediates"), description="Folder of issuing authorities.")


class StandardsSettings(_Section):
    """Which schemas documents are checked by."""

    schemas: Path = Field(
        Path("schemas"), description="Folder of imported official schemas: samhub schemas import; may be absent."
    )
    first: Literal["imported", "ours"] = Field(
        "imported", description="Whose schema is in force where an imported one and our own are at hand."
    )


class WorkSettings(_Section):
    """How the hub works in the background."""

    poll_seconds: float = Field(0.5, description="How often due deliveries are looked for when nothing wakes us.", gt=0)
    watch_seconds: float = Field(
        5, description="How often overdue AppRecs and undecided messages are looked for.", gt=0
    )
    sweep_seconds: float = Field(1, description="How often the folders of record systems are looked through.", gt=0)
    stop_seconds: float = Field(
        5, description="How long tries under way may take to end when the hub is stopped.", ge=0
    )
    watchdog_seconds: float = Field(
        10,
        description="A process whose event loop has not turned for so long tells where everything stood and ends, for its "
        "supervisor to start it again; 0: never.",
        ge=0,
    )


class LogSettings(_Section):
    """What is told while running: ids, codes and times; never content."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
    form: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, json elsewhere.")


class Configuration(_Section):
    """Everything a hub may be told."""

    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings()
    registry: RegistrySettings = RegistrySettings()
    trust: TrustSettings = TrustSettings()
    revocation: RevocationSettings = RevocationSettings()
    standards: StandardsSettings = StandardsSettings()
    work: WorkSettings = WorkSettings()
    log: LogSettings = LogSettings()
    dispatch: DispatchSettings = DispatchSettings()
    ebxml_http: EbxmlHttpSettings = EbxmlHttpSettings()
    relay: RelaySettings = RelaySettings()
    listener: ListenerSettings = ListenerSettings()
    mailbox: MailboxSettings = MailboxSettings()
    queue: QueueSettings = QueueSettings()
    rest: RestSettings = RestSettings()
    tokens: TokenSettings = TokenSettings()
    amqp: AmqpSettings = AmqpSettings()
    webhook: WebhookSettings = WebhookSettings()
    purge: PurgeSettings = PurgeSettings()
    hub: Settings = Settings()


def find(given: Path | None) -> Path:
    """The file asked for, else $SAMHUB_CONFIG, else samhub.toml here. Raises ConfigurationError where there is none."""
    path = given or Path(os.environ.get("SAMHUB_CONFIG", FILE_NAME))
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise ConfigurationError([f"{path}: no such file; make one with: samhub init, or name it with --config"])
    return path


def load(path: Path) -> Configuration:
    """Reads a file; relative paths in it are relative to it. Raises ConfigurationError with every mistake."""
    try:
        written = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None
    try:
        found = Configuration.model_validate(written)
    except ValidationError as error:
        raise ConfigurationError([f"{path}: {_mistake(e)}" for e in error.errors(include_url=False)]) from None
    return _anchored(found, path.parent.absolute())


def _anchored(found: Configuration, folder: Path) -> Configuration:
    """Every path made absolute."""
    changes: dict[str, Any] = {}
    for section, name, _ in _settings():
        value = getattr(getattr(found, section), name)
        if isinstance(value, Path) and not value.is_absolute():
            changes.setdefault(section, {})[name] = folder / value
    return found.model_copy(update={s: getattr(found, s).model_copy(update=c) for s, c in changes.items()})


def _mistake(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = [f"{section}.{name}" for section, name, _ in _settings()] + list(Configuration.model_fields)
        near = difflib.get_close_matches(where, known, 1)
        return f"{where}: no such setting; " + (f"did you mean {near[0]}?" if near else "see: samhub config docs")
    info = next((i for section, name, i in _settings() if f"{section}.{name}" == where), None)
    meaning = f" ({info.description})" if info is not None else ""
    return f"{where}: {error['msg']}{meaning}"


def _settings() -> Iterator[tuple[str, str, FieldInfo]]:
    for section, info in Configuration.model_fields.items():
        model = info.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for name, setting in model.model_fields.items():
            yield section, name, setting


def example(**given: dict[str, Any]) -> str:
    """The file with every setting explained; those in `given` (section → values) are set, the others are comments."""
    lines = ["# Samhandling Hub. Settings that are comments stand at their default.", ""]
    last = ""
    for section, name, info in _settings():
        if section != last:
            model = Configuration.model_fields[section].annotation
            lines += ["", f"# {' '.join((model.__doc__ or '').split())}", f"[{section}]"]
            last = section
        chosen = given.get(section, {})
        value = chosen.get(name, info.get_default(call_default_factory=True))
        mark = "" if name in chosen else "#"
        lines += [f"# {info.description}{_choices(info)}", f"{mark}{name} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def docs() -> str:
    """The reference page of settings, in Markdown."""
    lines = ["| setting | default | what it does |", "|---|---|---|"]
    for section, name, info in _settings():
        default = _toml(info.get_default(call_default_factory=True))
        lines.append(f"| `{section}.{name}` | `{default}` | {info.description}{_choices(info)} |")
    return "\n".join(lines) + "\n"


def _choices(info: FieldInfo) -> str:
    words = [a for a in get_args(info.annotation) if isinstance(a, str)]
    return f" One of: {', '.join(words)}." if words else ""


def _toml(value: object) -> str:
    match value:
        case None:
            return '""'
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_toml(v) for v in value)}]"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'
