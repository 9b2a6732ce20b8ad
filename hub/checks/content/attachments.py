"""Are attachments enclosed as HIS 1036 asks, and of a kind that the profile takes?"""

from __future__ import annotations

from collections.abc import Iterator

from hub.checks.content.rule import Found, Rule, Subject

#: Recommended most for a whole document, in bytes (HIS 1036 3.2).
RECOMMENDED = 10_000_000
#: Type code → MIME types that its profile takes (HIS 1077, HIS 1206).
PROFILES = {
    "DIALOG_HELSEFAGLIG": frozenset({"application/pdf", "image/jpeg", "image/jpg", "image/png"}),
    "DIALOG_STATUS_HENVISNING": frozenset({"application/pdf"}),
}
BASE64 = "{http://www.kith.no/xmlstds/base64container}Base64Container"


def _undescribed(subject: Subject) -> Iterator[Found]:
    for reference in subject.attachments:
        missing = [n for n in ("MimeType", "Description") if not reference.text(n)]
        if missing:
            yield Found(reference.element, " and ".join(missing))


def _nothing_enclosed(subject: Subject) -> Iterator[Found]:
    for reference in subject.attachments:
        content = reference.get("Content")
        if reference.get("FileReference") is None and (content is None or not len(content)):
            yield Found(reference.element)


def _packed_xml(subject: Subject) -> Iterator[Found]:
    for reference in subject.attachments:
        kind = reference.text("MimeType").lower()
        content = reference.get("Content")
        if kind in ("text/xml", "application/xml") and content is not None and content.find(BASE64) is not None:
            yield Found(reference.element)


def _outside_profile(subject: Subject) -> Iterator[Found]:
    taken = PROFILES.get(subject.document.type_code)
    for reference in subject.attachments if taken else ():
        kind = reference.text("MimeType").lower().partition(";")[0].strip()
        if kind and taken and kind not in taken:
            yield Found(reference.get("MimeType"), subject.document.type_code)


def _large(subject: Subject) -> Iterator[Found]:
    if subject.size > RECOMMENDED:
        yield Found(None, f"{subject.size / 1_000_000:.0f} MB")


def _compressed(subject: Subject) -> Iterator[Found]:
    for _, reference in subject.documents:
        packed = reference.get("Compression")
        if packed is not None:
            yield Found(packed, packed.get("V") or "")


RULES = (
    Rule(
        "VED-01", "HIS 1036", "warning", "document-remark",
        "an attachment lacks {about}", "Say what it is, so that it can be shown.", _undescribed,
    ),
    Rule(
        "VED-02", "HIS 1036", "warning", "document-remark",
        "an attachment holds nothing and refers to nothing", "Enclose it in Content/Base64Container.", _nothing_enclosed,
    ),
    Rule(
        "VED-03", "HIS 1036", "warning", "document-remark",
        "an XML attachment is packed in base64", "Enclose XML as it is.", _packed_xml,
    ),
    Rule(
        "VED-04", "HIS 1077; HIS 1206; HIS 1036", "warning", "document-remark",
        "the kind of an attachment is not one that {about} takes", "Send PDF (or, in a dialogue, JPEG or PNG).",
        _outside_profile,
    ),
    Rule(
        "VED-05", "HIS 1036 3.2", "warning", "document-remark",
        "the document is {about}, more than is recommended", "Send less, or ask whether the receiver can take it.", _large,
    ),
    Rule(
        "VED-06", "HIS 80601 (list 1204)", "warning", "document-remark",
        "an enclosed document is compressed ({about})", "Few receivers can unpack it: send it as it is.", _compressed,
    ),
)  # fmt: skip
