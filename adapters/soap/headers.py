"""The header blocks of SOAP that are understood: WS-Security's UsernameToken and Timestamp, WS-Addressing; others are not.

Who sent a Timestamp or WS-Addressing gets them back, in faults too, for some clients refuse a reply without; who sent none
gets none, for others call them an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from lxml import etree

from adapters.soap.port import Refused
from hub.formats.times import parse_instant

WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{WSA}/anonymous"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE, WSU = f"{_WSS}wssecurity-secext-1.0.xsd", f"{_WSS}wssecurity-utility-1.0.xsd"
_MESSAGE_ID = f"{{{WSA}}}MessageID"
#: Clocks may differ by so much.
SKEW = timedelta(seconds=60)
#: How long a Timestamp of ours holds.
LIFE = timedelta(minutes=5)
#: Letters of an id that is given back; what is longer is no id.
LONGEST = 1_000
#: Roles that are ours: the next node, or whoever the message is for (SOAP 1.1 4.2.2, SOAP 1.2 part 1 2.2).
_OURS = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
#: In a Security header, what proves nothing here and so must not look as if it did.
_NOT_CHECKED = frozenset({"Signature", "EncryptedData", "EncryptedKey", "Assertion", "SecurityContextToken"})


@dataclass(slots=True)
class Asked:
    """What the headers of a request say; filled while they are read, so that a fault knows it too."""

    message_id: str = ""  #: of WS-Addressing
    stamped: bool = False  #: it had a Timestamp
    token: tuple[str, str] | None = field(default=None, repr=False)  #: user name and password


def read(header: etree._Element, soap: str, asked: Asked, now: datetime) -> None:
    """Reads every block into `asked`. Raises Refused for one that must be understood and is not, or asks for what is not done."""
    understood: list[tuple[etree._Element, Callable[[etree._Element, Asked, datetime], None]]] = []
    for block in header:
        if block.get(f"{{{soap}}}actor", block.get(f"{{{soap}}}role", "")) not in _OURS:
            continue
        name = etree.QName(block)
        if name.namespace == WSSE and name.localname == "Security":
            understood.append((block, _security))
        elif name.namespace == WSA:
            understood.append((block, _addressing))
        elif block.get(f"{{{soap}}}mustUnderstand", "0").strip() in ("1", "true"):
            text = f"the header block {name.localname[:60]!r} must be understood, and is not known here"
            hint = "WS-Security (UsernameToken, Timestamp) and WS-Addressing 1.0 are; leave others out."
            raise Refused("request", text, hint, soap="MustUnderstand")
    for (
        block,
        _,
    ) in understood:  # what is given back is known before anything is refused: else no client reads the fault
        asked.message_id = asked.message_id or (block.text or "").strip()[:LONGEST] * (block.tag == _MESSAGE_ID)
        asked.stamped = asked.stamped or block.find(f"{{{WSU}}}Timestamp") is not None
    for block, take in understood:
        take(block, asked, now)


def _addressing(block: etree._Element, _: Asked, __: datetime) -> None:
    name = etree.QName(block).localname
    if name in ("ReplyTo", "FaultTo"):
        address = (block.findtext(f"{{{WSA}}}Address") or "").strip()
        if address != ANONYMOUS:
            raise Refused(
                "request", f"{name} names another address", "The reply comes in the same exchange: send anonymous."
            )


def _security(block: etree._Element, asked: Asked, now: datetime) -> None:
    stamp = block.find(f"{{{WSU}}}Timestamp")
    for child in block:
        if etree.QName(child).localname in _NOT_CHECKED:
            text = f"{etree.QName(child).localname} in WS-Security is not checked here"
            raise Refused("unauthorized", text, "Send a UsernameToken, or HTTP Basic, over TLS.", error_code=0)
    if stamp is not None:
        _in_time(stamp, now)
    token = block.find(f"{{{WSSE}}}UsernameToken")
    if token is not None:
        asked.token = _token(token)


def _in_time(stamp: etree._Element, now: datetime) -> None:
    """WS-Security 1.1, 10: a receiver may refuse what has expired, and must not process what it cannot read."""
    for name in ("Created", "Expires"):
        written = (stamp.findtext(f"{{{WSU}}}{name}") or "").strip()
        at = parse_instant(written, UTC) if written else None
        if written and at is None:
            raise Refused("request", f"{name} of the Timestamp is no date and time")
        if at is not None and name == "Expires" and at < now - SKEW:
            raise Refused("request", "the Timestamp has expired", "Send the request again; is the clock right?")
        if at is not None and name == "Created" and at > now + SKEW:
            raise Refused("request", "the Timestamp was made in the future", "Is the clock right?")


def _token(token: etree._Element) -> tuple[str, str]:
    password = token.find(f"{{{WSSE}}}Password")
    kind = (password.get("Type") or "#PasswordText") if password is not None else ""
    if not kind.endswith("#PasswordText"):
        text = (
            "a UsernameToken with PasswordText is wanted: keys are kept as digests, so PasswordDigest cannot be checked"
        )
        raise Refused("unauthorized", text, "Send PasswordText, over TLS.", error_code=0)
    assert password is not None
    return (token.findtext(f"{{{WSSE}}}Username") or "").strip(), (password.text or "").strip()


def written(soap: str, asked: Asked, action: str, now: datetime) -> bytes:
    """The Header of a reply where the request had what calls for one; else nothing."""
    if not asked.message_id and not asked.stamped:
        return b""
    header = etree.Element(f"{{{soap}}}Header", nsmap={"soap": soap})
    if asked.message_id:
        own = f"urn:uuid:{uuid4()}"
        blocks = (("Action", action), ("MessageID", own), ("RelatesTo", asked.message_id), ("To", ANONYMOUS))
        for name, text in blocks:
            etree.SubElement(header, f"{{{WSA}}}{name}", nsmap={"wsa": WSA}).text = text
    if asked.stamped:
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", {f"{{{WSU}}}Id": f"TS-{uuid4()}"})
        for name, at in (("Created", now), ("Expires", now + LIFE)):
            text = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            etree.SubElement(stamp, f"{{{WSU}}}{name}").text = text
    return etree.tostring(header)
