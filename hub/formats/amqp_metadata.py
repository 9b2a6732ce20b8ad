"""What a document says of itself, copied beside the encrypted body: for operators and for blind wires (nhn-amqp.md §2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from hub.formats.document import APPREC_NAMESPACES, MSGHEAD, business_part, child, children, text_of, value_of

NAMESPACE = "X-MessageInfo-SchemaNamespace"
#: Letters of one property: what is longer is no id and no type, and a broker would close the line over it.
LONGEST = 1_000


def metadata(root: etree._Element) -> dict[str, str]:
    """The application properties for a document; they travel in clear text and hold ids and types, nothing else."""
    named = etree.QName(root)
    namespace = named.namespace or ""
    if namespace == MSGHEAD and named.localname == "MsgHead":
        found = _of_msghead(root)
    elif namespace in APPREC_NAMESPACES and named.localname == "AppRec":
        found = _of_apprec(root, namespace)
    else:
        found = {NAMESPACE: namespace}
    return {name: value for name, value in found.items() if value and len(value) <= LONGEST}


def _of_msghead(root: etree._Element) -> dict[str, str]:
    info = child(root, "MsgInfo")
    reference = child(info, "ConversationRef")
    documents, business = list(children(root, "Document")), business_part(root)
    around = set(business.iterancestors()) if business is not None else set(documents[:1])
    attached = [document for document in documents if document not in around]
    return {
        "X-MessageInfo-Type": value_of(info, "Type"),
        "X-MessageInfo-MsgId": text_of(info, "MsgId"),
        "X-MessageInfo-RefToParent": text_of(reference, "RefToParent"),
        "X-MessageInfo-RefToConversation": text_of(reference, "RefToConversation"),
        **_levels("Sender", *_in_msghead(child(info, "Sender"))),
        **_levels("Receiver", *_in_msghead(child(info, "Receiver"))),
        NAMESPACE: (etree.QName(business).namespace or "") if business is not None else "",
        "X-AttachmentInfo-Count": str(len(attached)),
        "X-AttachmentInfo-TotalSizeInBytes": str(sum(map(_size, attached))),
        "X-AttachmentInfo-HasExternalReference": str(any(_external(d) for d in attached)),
    }


def _of_apprec(root: etree._Element, namespace: str) -> dict[str, str]:
    original = child(root, "OriginalMsgId")
    return {
        NAMESPACE: namespace,
        "X-MessageInfo-Type": value_of(root, "MsgType"),
        "X-MessageInfo-MsgId": text_of(root, "Id"),
        "X-MessageInfo-OriginalMsgId": text_of(original, "Id"),
        "X-MessageInfo-OriginalMsgType": value_of(original, "MsgType"),
        **_levels("Sender", *_in_apprec(child(root, "Sender"))),
        **_levels("Receiver", *_in_apprec(child(root, "Receiver"))),
    }


def _levels(who: str, first: str, second: str) -> dict[str, str]:
    return {f"X-{who}-Lvl1Id": first, f"X-{who}-Lvl2Id": second}


def _in_msghead(party: etree._Element | None) -> tuple[str, str]:
    organisation = child(party, "Organisation")
    below = (child(organisation, name) for name in ("Organisation", "HealthcareProfessional"))
    return _her(children(organisation, "Ident")), next(filter(None, (_her(children(b, "Ident")) for b in below)), "")


def _in_apprec(party: etree._Element | None) -> tuple[str, str]:
    institution = child(child(party, "HCP"), "Inst")
    below = (b for name in ("Dept", "HCPerson") for b in children(institution, name))
    return _her(iter(() if institution is None else (institution,))), _her(below)


def _her(idents: Iterator[etree._Element]) -> str:
    """The first HER-id among elements that hold Id and TypeId."""
    return next((text_of(ident, "Id") for ident in idents if value_of(ident, "TypeId") == "HER"), "")


def _size(document: etree._Element) -> int:
    """Bytes of the base64 text, not of what it stands for: so the library counts."""
    container = child(child(child(document, "RefDoc"), "Content"), "Base64Container")
    return len("".join(container.itertext()).encode()) if container is not None else 0


def _external(document: etree._Element) -> bool:
    return child(child(document, "RefDoc"), "FileReference") is not None
