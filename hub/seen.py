"""Where a person sees what ended with a code: the command that lists it, and the metric that counts it.

Code, tests and the reference page read the same. What is lost, or waits for somebody, stands on a list; what ended nothing is
in the journal; what was only asked and not taken was answered to who asked, who has it still.
"""

from __future__ import annotations

from enum import StrEnum


class Seen(StrEnum):
    """Lists of people, and where nothing needs one."""

    ARRIVALS = "samhub arrival list"  #: came and was not taken: refused, in quarantine, or not judged yet
    DEAD = "samhub deadletter list"  #: given up, or expired
    OVERDUE = "samhub receipts overdue"  #: taken by somebody who has not said clearly that it was read
    REJECTED = "samhub delivery list --state rejected"  #: the other side said no; who sent it is told
    HELD = "samhub delivery list --state held"  #: put aside until a person lets it go
    CIRCUITS = "samhub circuit list"  #: an address that is left alone; what waits for it says so itself
    WEBHOOKS = "samhub webhook list"  #: what a record system was not told in time, or wants to be told no more
    JOURNAL = "journal"  #: ends nothing: `samhub message trace`, or the log where no message is meant
    ANSWER = "answer"  #: told at once to who asked or handed over; nothing was taken, and he has it still


#: List → the metric that counts what stands on it; alerts are made of these.
METRICS: dict[Seen, str] = {
    Seen.ARRIVALS: "samhub_arrivals_open",
    Seen.DEAD: "samhub_standing",
    Seen.OVERDUE: "samhub_standing",
    Seen.REJECTED: "samhub_standing",
    Seen.HELD: "samhub_standing",
    Seen.CIRCUITS: "samhub_circuits_open",
    Seen.WEBHOOKS: "samhub_webhooks",
    Seen.JOURNAL: "samhub_events_total",
    Seen.ANSWER: "",
}

#: What came and was not taken. A document that a partner sent is answered by a negative AppRec besides.
_ARRIVALS = """
    too-large content-coding mime mime-problem xml-doctype xml-hostile xml-encoding not-well-formed not-ebxml
    envelope-value envelope-missing envelope-inconsistent envelope-not-supported
    receiver-not-ours sender-unknown receiver-unknown time-to-live-expired id-reused
    cpa-unknown cpa-expired cpa-not-yet-valid cpa-party cpa-service
    signature-missing signature-structure signature-algorithm signature-coverage signature-invalid
    certificate-unregistered certificate-revoked certificate-expired certificate-not-yet-valid certificate-purpose
    certificate-unknown-issuer certificate-weak certificate-malformed revocation-unknown clock-jumped
    no-payload decryption cipher xml-encryption payload-shape not-sealed
    bus-field certificate-missing certificate-not-embedded certificate-several bus-unsigned bus-spoofed bus-addressing bus-function
    sync-late sync-unknown sync-stranger sync-over sync-twice
    document-malformed document-schema document-unknown document-msgid document-addressing document-unaddressed
    document-patient document-empty document-not-a-message
    message-type against-agreement refused-by-filter
    not-your-party apprec-twice request content-type delivery-limit given-up-before refused-by-rule
    receipt-unproven receipt-unknown mail-aside mail-postmaster mail-ungiven mail-bounced soap-fault
    content-lost unforeseen
"""
#: What went out, or should have, and was given up: as its code, or as the cause behind it.
_DEAD = """
    against-agreement not-fetched
    confidentiality-not-kept no-endpoint no-key no-certificate unfit-certificate partner-gone refused-by-rule receiver-unknown
    revocation-unknown bus-function time-to-live-expired retries-exhausted persist-duration-over receipt-not-taken
    receipt-unproven receipt-unregistered receipt-untrusted receipt-unchecked receipt-unagreed receipt-digest
    connect-failed connection-lost timed-out http-temporary http-permanent http-redirect http-not-there soap-fault
    unreadable-answer mail-temporary mail-permanent mail-too-large mail-login mail-tls mail-bounced mail-delayed
    bus-unroutable bus-not-taken bus-not-allowed sync-timed-out sync-unusable
    folder-unwritable broker-unreachable broker-blocked queue-missing queue-refused queue-forbidden
    content-lost unforeseen
"""
_OVERDUE = "apprec-missing receipts-missing apprec-unclear content-lost unforeseen"
_REJECTED = "message-error apprec-negative apprec-partly bus-error receipt-refused"
_HELD = "held held-by-rule document-unknown"
_CIRCUITS = "circuit-opened"
_WEBHOOKS = "webhook-given-up"
#: Ends nothing: good news, a word about something that goes on, or what a person or the hub did.
_JOURNAL = """
    accepted acknowledged accepted-with-warning apprec-ok done duplicate business-duplicate fetched envelope-warning
    document-remark apprec-unmatched pong status-told status-asked mail-on-its-way question-over handed-over bus-taken
    released resent discarded purged reloaded reload-refused moved sealed-anew promised-again judged-again
    circuit-closed circuit-reset asked-too-often webhook-retried webhook-discarded
    configured system-added system-removed key-made key-revoked
"""

_LISTS: tuple[tuple[Seen, frozenset[str]], ...] = tuple(
    (seen, frozenset(words.split()))
    for seen, words in (
        (Seen.ARRIVALS, _ARRIVALS),
        (Seen.DEAD, _DEAD),
        (Seen.OVERDUE, _OVERDUE),
        (Seen.REJECTED, _REJECTED),
        (Seen.HELD, _HELD),
        (Seen.CIRCUITS, _CIRCUITS),
        (Seen.WEBHOOKS, _WEBHOOKS),
        (Seen.JOURNAL, _JOURNAL),
    )
)
CODES: frozenset[str] = frozenset().union(*(codes for _, codes in _LISTS))


def seen(code: str) -> tuple[Seen, ...]:
    """Where what ended with this code stands; a code that nothing ends with is an answer to who asked."""
    return tuple(where for where, codes in _LISTS if code in codes) or (Seen.ANSWER,)
