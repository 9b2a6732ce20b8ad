"""Changes to a signed package as an attacker, a gateway or an accident would make them; the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

from hub.trust.signature import DS, SOAP

Package = tuple[bytes, dict[str, bytes]]
NEXT = ("urn:oasis:names:tc:ebxml-msg:actor:nextMSH", "http://schemas.xmlsoap.org/soap/actor/next")
_EB = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"


def _signature(raw: bytes) -> bytes:
    found = re.search(rb"<((?:[\w-]+:)?)Signature[\s>].*</\1Signature>", raw, re.DOTALL)
    assert found is not None
    return found[0]


def _tag(raw: bytes, name: str) -> bytes:
    """The qualified name under which an element is written."""
    found = re.search(rb"<((?:[\w-]+:)?" + name.encode() + rb")[\s/>]", raw)
    return found[1] if found else name.encode()


def _inserted(raw: bytes, dice: Random, content: bytes, *places: str) -> bytes:
    """Puts content in at the start or the end of one of the named elements."""
    name = _tag(raw, dice.choice(places))
    if dice.random() < 0.5 and (at := re.search(rb"<" + name + rb"(?:\s[^>]*[^/>])?>", raw)):
        return raw[: at.end()] + content + raw[at.end() :]
    return raw.replace(b"</" + name + b">", content + b"</" + name + b">", 1)


def flip(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """One bit of the envelope."""
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(8))]) + raw[at + 1 :], dict(parts)


def flip_text(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """One letter of a value or an attribute, so that the XML stays well-formed."""
    places = [m.start() for m in re.finditer(rb"(?<=[>\"A-Za-z0-9])[A-Za-z0-9](?=[A-Za-z0-9]*[<\"])", raw)]
    at = dice.choice(places)
    return raw[:at] + dice.choice(b"AZaz09").to_bytes(1, "big") + raw[at + 1 :], dict(parts)


def part_bytes(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """A part changed, emptied, lengthened, taken away, renamed or joined by another."""
    changed = dict(parts)
    name = dice.choice(sorted(parts)) if parts else "new"
    content = changed.get(name, b"")
    match dice.randrange(6):
        case 0:
            changed[name] = content[::-1] + b"\0"
        case 1:
            changed[name] = b""
        case 2:
            changed[name] = content + b"\r\n"
        case 3:
            changed.pop(name, None)
        case 4:
            changed[f"{name}x"] = changed.pop(name, b"")
        case _:
            changed["stowaway"] = content
    return raw, changed


def move_signature(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """The signature somewhere else, or a second one."""
    signature = _signature(raw)
    rest = raw if dice.random() < 0.4 else raw.replace(signature, b"", 1)
    return _inserted(rest, dice, signature, "Body", "Header", "MessageHeader", "Envelope"), dict(parts)


def wrap(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """The signed message kept somewhere inside, and another one put where it is read."""
    header, body = _tag(raw, "Header"), _tag(raw, "Body")
    first = re.search(rb"<" + header + rb"[\s>].*(?:</" + body + rb">|<" + body + rb"\s*/>)", raw, re.DOTALL)
    assert first is not None
    evil = first[0].replace(_signature(raw), b"").replace(b"MessageId>", b"MessageId>evil", 1)
    cage = b'<w:Wrapper xmlns:w="urn:w">' + first[0] + b"</w:Wrapper>"
    new = [evil + cage, cage + evil, evil + first[0], first[0] + evil][dice.randrange(4)]
    return raw.replace(first[0], new), dict(parts)


def references(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """Another URI, another digest, one Reference fewer or twice."""
    found = list(re.finditer(rb"<((?:[\w-]+:)?)Reference [^>]*URI=.*?</\1Reference>", raw, re.DOTALL))
    one = dice.choice(found)[0]
    match dice.randrange(4):
        case 0:
            uri = dice.choice([b"", b"#x", b"cid:other", b"file:///etc/hostname", b"http://127.0.0.1:9/", b"cid:"])
            new = re.sub(rb'URI="[^"]*"', b'URI="' + uri + b'"', one)
        case 1:
            new = b""
        case 2:
            new = one * 2
        case _:
            new = re.sub(rb"(DigestValue>)..", rb"\1QQ", one)
    return raw.replace(one, new, 1), dict(parts)


def transforms(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """A transform fewer, more, or another."""
    listed = re.findall(rb"<(?:[\w-]+:)?Transform .*?(?:/>|</(?:[\w-]+:)?Transform>)", raw, re.DOTALL)
    one = dice.choice(listed)
    new = dice.choice(
        [b"", one * 2, one.replace(b"20010315", b"20010315#WithComments"), one.replace(b"actor", b"role")]
    )
    return raw.replace(one, new, 1), dict(parts)


def algorithms(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """Another algorithm under the same value."""
    old = dice.choice(re.findall(rb'Algorithm="([^"]+)"', raw))
    new = dice.choice(
        [
            b"http://www.w3.org/2000/09/xmldsig#sha1",
            b"http://www.w3.org/2000/09/xmldsig#hmac-sha1",
            b"http://www.w3.org/2001/10/xml-exc-c14n#",
            b"http://www.w3.org/TR/1999/REC-xslt-19991116",
            b"http://www.w3.org/2000/09/xmldsig#base64",
        ]
    )
    return raw.replace(b'Algorithm="' + old + b'"', b'Algorithm="' + new + b'"', 1), dict(parts)


def for_the_next(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """A block addressed to the next node, which the profile leaves out of the digest: harmless, or read as the message."""
    actor = dice.choice(NEXT)
    name = dice.choice(
        ["t:Trace", "eb:SyncReply", "eb:AckRequested", "eb:MessageHeader", "eb:Acknowledgment", "eb:ErrorList"]
    )
    name = dice.choice([name, name, "eb:MessageData", "eb:MessageId", "eb:Manifest", "eb:From", "eb:PartyId"])
    scope = f'xmlns:t="urn:t" xmlns:eb="{_EB}" xmlns:s="{SOAP}" s:actor="{actor}"'
    block = f"<{name} {scope}><eb:MessageId>evil</eb:MessageId></{name}>".encode()
    place = dice.choice(["Header", "Header", "Header", "MessageHeader", "MessageData", "Body", "From", "Envelope"])
    return _inserted(raw, dice, block, place), dict(parts)


def actor_on(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """The attribute put on an element that is there, so that it falls out of the digest."""
    name = _tag(
        raw, dice.choice(["MessageHeader", "Body", "Header", "Manifest", "MessageData", "SignedInfo", "Envelope"])
    )
    attribute = f' q:actor="{dice.choice(NEXT)}" xmlns:q="{SOAP}"'.encode()
    return re.sub(rb"<" + name + rb"(?=[\s>])", b"<" + name + attribute, raw, count=1), dict(parts)


def harmless(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """What C14N does not see: comments, blanks in tags, empty elements, character references."""
    match dice.randrange(4):
        case 0:
            return _inserted(raw, dice, b"<!-- seen -->", "MessageHeader", "Body", "MessageId", "Action"), dict(parts)
        case 1:
            return re.sub(rb"></(?:[\w-]+:)?(?:AckRequested|Transform|DigestMethod)>", b"/>", raw, count=1), dict(parts)
        case 2:
            return raw.replace(b"MessageHeader ", b"MessageHeader \n\t ", 1), dict(parts)
        case _:
            return raw.replace(b"8000402", b"8&#48;00402", 1), dict(parts)


def key_info(raw: bytes, parts: Mapping[str, bytes], dice: Random) -> Package:
    """The certificate taken away, doubled or beside a key of the attacker's."""
    found = re.search(rb"<((?:[\w-]+:)?)X509Data.*?</\1X509Data>", raw, re.DOTALL)
    assert found is not None
    planted = f'<k:KeyValue xmlns:k="{DS}"><k:RSAKeyValue><k:Modulus>AQAB</k:Modulus></k:RSAKeyValue></k:KeyValue>'
    new = dice.choice([b"", found[0] * 2, planted.encode() + found[0], planted.encode()])
    return raw.replace(found[0], new, 1), dict(parts)


Mutation = Callable[[bytes, Mapping[str, bytes], Random], Package]
MUTATIONS: tuple[Mutation, ...] = (
    flip,
    flip_text,
    part_bytes,
    move_signature,
    wrap,
    references,
    transforms,
    algorithms,
    for_the_next,
    actor_on,
    harmless,
    key_info,
)
