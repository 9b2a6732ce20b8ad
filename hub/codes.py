"""The one register of reasons: our code, its name in every standard we speak, whose fault it is and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Blame = Literal["sender", "receiver", "us", "network", "nobody"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A row. `ebms` is an errorCode of HIS 1037 7.2.4, or "Fault" where there can be no envelope to answer.

    `apprec` is a code of list 8221, `http` the status for record systems.
    """

    code: str
    text: str
    hint: str
    blame: Blame
    ebms: str = "Unknown"
    apprec: str = "X99"
    http: int = 400


def _rows() -> tuple[Reason, ...]:
    r = Reason
    # One row a line, as a table; `ruff format` would make seven lines of each.
    # fmt: off
    return (
        # Good, or nobody's fault
        r("accepted", "accepted", "", "nobody", "", "", 202),
        r("acknowledged", "acknowledged by the other side", "", "nobody", "", "", 200),
        r("accepted-with-warning", "accepted with a warning", "Tell the sender what the warning says.", "sender", "", "", 200),
        r("apprec-ok", "positive AppRec", "", "nobody", "", "", 200),
        r("done", "finished; no AppRec is due", "", "nobody", "", "", 200),
        r("duplicate", "came before; the same answer was given", "", "nobody", "", "", 202),
        r("business-duplicate", "the record system has this document already", "", "nobody", "", "", 202),
        r("fetched", "the record system has it", "", "nobody", "", "", 204),
        # The package: cannot be read at all
        r("too-large", "larger than this hub takes", "Split the message or agree on a larger size.", "sender", "NotSupported", "X99", 413),
        r("content-coding", "the body is packed in a way that is not taken here", "Send it as it is, or as gzip or deflate.", "sender", "Fault", "", 415),
        r("mime", "the MIME package is not as it should be", "See what is named.", "sender", "Fault"),
        r("mime-problem", "a part is missing or cannot be resolved", "The cid in the Manifest must be a part's Content-ID.", "sender", "MimeProblem"),
        r("xml-doctype", "the XML has a DOCTYPE or an entity", "Send XML without DOCTYPE.", "sender", "OtherXml", "T01"),
        r("xml-hostile", "the XML is built to be expensive", "Depth, namespaces or attributes are beyond any honest message.", "sender", "OtherXml", "T01"),
        r("xml-encoding", "the XML encoding is not supported", "Send UTF-8.", "sender", "OtherXml", "T01"),
        r("not-well-formed", "not well-formed XML", "Line and column are in the reason.", "sender", "OtherXml", "T01"),
        r("not-ebxml", "not an ebXML envelope", "The root must be a SOAP 1.1 Envelope with eb:MessageHeader.", "sender", "Fault"),
        # The envelope
        r("envelope-value", "a value of the envelope is not recognised", "See the element named.", "sender", "ValueNotRecognized"),
        r("envelope-missing", "an element of the envelope is missing or wrong", "See the element named.", "sender", "OtherXml"),
        r("envelope-inconsistent", "the envelope contradicts itself", "See the element named.", "sender", "Inconsistent"),
        r("envelope-not-supported", "the envelope asks for something we do not do", "See the element named.", "sender", "NotSupported"),
        r("envelope-warning", "accepted, but the envelope breaks a rule", "Tell the sender's supplier.", "sender", "OtherXml"),
        r("receiver-not-ours", "the receiver of the envelope is not served here", "Check the HER-id and the address register.", "sender", "ValueNotRecognized", "E21", 400),
        r("sender-unknown", "the sender is not known here", "Add the party, or ask the sender for its HER-id.", "sender", "ValueNotRecognized", "E21", 400),
        r("message-type", "the document is not of the type that it is said to be", "messageTypeIdentificator is the type of the document itself (list 8279).", "sender", "", "", 400),
        r("against-agreement", "what is wished in the envelope contradicts what is agreed", "Leave it out, or agree on it with the receiver.", "sender", "", "", 400),
        r("receiver-unknown", "the receiver is not known", "Check the HER-id; add the party.", "sender", "ValueNotRecognized", "E21", 400),
        r("time-to-live-expired", "arrived after its TimeToLive", "The sender must send anew.", "sender", "TimeToLiveExpired"),
        r("id-reused", "a known id came with other content", "The sender's system uses an id twice: call its supplier.", "sender", "Inconsistent", "E10", 409),
        # The agreement
        r("cpa-unknown", "the CPAId is not known here", "Import the CPA, or ask the sender to use lowest_highest HER-id.", "sender", "ValueNotRecognized"),
        r("cpa-expired", "the CPA has expired", "Agree on a new CPA.", "sender", "Inconsistent"),
        r("cpa-not-yet-valid", "the CPA is not valid yet", "Check the CPA's Start and the sender's clock.", "sender", "Inconsistent"),
        r("cpa-party", "a party is not in the CPA", "The HER-ids of the envelope and of the CPA must agree.", "sender", "Inconsistent"),
        r("cpa-service", "service, action or role is not in the CPA", "Check which processes the CPA holds.", "sender", "Inconsistent"),
        r("confidentiality-not-kept", "the confidentiality that is agreed cannot be kept here, so nothing was sent", "Agree on CMS: Encapsulation application/pkcs7-mime in the CPA's Packaging, or S/MIME as its digital envelope; then resend.", "us"),
        # Signature and certificate
        r("signature-missing", "the envelope is not signed", "Every ebXML message must be signed (HIS 1037 6.2.3).", "sender", "SecurityFailure", "S99"),
        r("signature-structure", "the signature is not of the agreed shape", "See the rule named.", "sender", "SecurityFailure", "S01"),
        r("signature-algorithm", "the signature uses an algorithm outside the policy", "Sign with RSA-SHA256.", "sender", "SecurityFailure", "S01"),
        r("signature-coverage", "the signature covers something other than what is used", "Every part must be covered by a Reference.", "sender", "SecurityFailure", "S01"),
        r("signature-invalid", "the signature does not verify", "The message was changed on its way, or signed wrongly.", "sender", "SecurityFailure", "S01"),
        r("certificate-unregistered", "the certificate is not the one registered for the sender", "Fetch the sender's new certificate.", "sender", "SecurityFailure", "S02"),
        r("certificate-revoked", "the certificate is revoked", "The sender must get a new certificate.", "sender", "SecurityFailure", "S03"),
        r("certificate-expired", "the certificate has expired", "The sender must get a new certificate.", "sender", "SecurityFailure", "S02"),
        r("certificate-not-yet-valid", "the certificate is not valid yet", "Check the clocks.", "sender", "SecurityFailure", "S02"),
        r("certificate-purpose", "the certificate may not be used for this", "Sign with the signing certificate (nonRepudiation).", "sender", "SecurityFailure", "S02"),
        r("certificate-unknown-issuer", "the certificate's issuer is not trusted here", "Use a certificate of a trusted issuer.", "sender", "SecurityFailure", "S02"),
        r("certificate-weak", "the certificate's key is too weak", "RSA must have 2048 bits or more.", "sender", "SecurityFailure", "S02"),
        r("certificate-malformed", "the certificate cannot be read", "", "sender", "SecurityFailure", "S02"),
        r("revocation-unknown", "revocation could not be asked", "Check that the CRL can be fetched; the message is judged again by itself.", "network", "SecurityFailure", "S99", 503),
        # The payload
        r("no-payload", "the message has no payload", "A business message carries exactly one document.", "sender", "MimeProblem"),
        r("decryption", "the payload could not be decrypted", "Encrypt for the receiver's present certificate.", "sender", "SecurityFailure"),
        r("cipher", "the payload uses a cipher outside the policy", "Use AES-256-CBC.", "sender", "SecurityFailure"),
        r("xml-encryption", "the payload is encrypted by XML Encryption, which is not done here", "Encrypt by CMS (application/pkcs7-mime), and agree on that in the CPA.", "sender", "SecurityFailure"),
        r("payload-shape", "what lies inside the encryption cannot be read", "Plain XML, gzip, or a MIME entity.", "sender", "SecurityFailure"),
        r("not-sealed", "the body is not signed and encrypted as the bus has it", "SignedData inside EnvelopedData, in DER, without MIME.", "sender", "SecurityFailure"),
        # The message bus
        r("bus-field", "required fields of the bus message are missing", "The reason names them all.", "sender"),
        r("certificate-missing", "no signing certificate is known for the sender", "Fetch the sender's certificate or agreement.", "sender", "SecurityFailure", "S02"),
        r("certificate-not-embedded", "the signature does not carry the agreed certificate", "The sender must embed it; if it is a new one, fetch it.", "sender", "SecurityFailure", "S02"),
        r("certificate-several", "more than one thing is wrong with the certificate", "The reason names them all.", "sender", "SecurityFailure", "S02"),
        # The message bus: what was sent over it, and synchronous questions
        r("bus-unsigned", "the message is neither signed nor encrypted", "Sign and encrypt it; or let it pass by setting.", "sender", "SecurityFailure", "S01"),
        r("bus-spoofed", "the sender in the document is not the one on the message", "Somebody sends in another's name: call the sender.", "sender", "SecurityFailure", "E21"),
        r("bus-addressing", "the receiver in the document is not the one on the message", "Both must name the same HER-id.", "sender", "Inconsistent", "E21"),
        r("bus-function", "the message function is not agreed between the two", "Look at the CPA of the two.", "sender", "Inconsistent"),
        r("bus-taken", "the broker has it; a bus gives no transport receipt", "", "nobody"),
        r("bus-error", "the receiver reported an error about it", "Correct what it names and send anew.", "sender"),
        r("bus-unroutable", "the broker knows no such queue", "Check the partner's registered queues.", "us"),
        r("bus-not-taken", "the broker would not take it", "Tried again by itself; look at the broker if it lasts.", "network"),
        r("bus-not-allowed", "the broker does not let us send there", "Check user, exchange and the partner's queue.", "us"),
        r("sync-timed-out", "no answer to a synchronous question within its time", "Ask again; an answer that comes later is only noted.", "receiver"),
        r("sync-late", "the answer to a synchronous question came too late", "The asker has been told that none came.", "receiver"),
        r("sync-unknown", "an answer to nothing that was asked", "", "sender"),
        r("sync-stranger", "an answer from another than was asked", "Call the one that was asked: somebody answers in its name.", "sender", "SecurityFailure"),
        r("sync-unusable", "the answer to a synchronous question cannot be used", "Call the one that answered.", "receiver"),
        r("sync-over", "too late to answer a synchronous question", "The asker waits some seconds only.", "sender", "", "", 409),
        r("sync-twice", "the synchronous question has been answered already", "", "sender", "", "", 409),
        # The document
        r("document-malformed", "the document is not well-formed XML", "Line and column are in the reason.", "sender", "OtherXml", "T01"),
        r("document-schema", "the document breaks its standard's schema", "Line and element are in the reason.", "sender", "OtherXml", "T02"),
        r("document-unknown", "no schema here for the document's standard", "Import its schema, or let it pass by setting.", "us", "NotSupported", "T10"),
        r("document-msgid", "MsgId is not a UUID", "MsgId must be a UUID (HIS 80601).", "sender", "OtherXml", "E10"),
        r("document-addressing", "sender or receiver of document and envelope differ", "Both must name the same level-2 HER-id (HIS 1153).", "sender", "Inconsistent", "E21"),
        r("document-unaddressed", "sender or receiver cannot be read from the document", "HER-id at level 2 (HIS 1153).", "sender", "ValueNotRecognized", "E21", 403),
        r("document-patient", "the patient is not identified well enough", "Give the name, and a number or date of birth and sex.", "sender", "OtherXml", "E36"),
        r("document-empty", "the business document is missing", "Put it into the first RefDoc/Content.", "sender", "OtherXml", "T99"),
        r("document-remark", "accepted, but a content rule is broken", "Tell the supplier of the sender's record system.", "sender", "OtherXml", "X99"),
        r("document-not-a-message", "not a business document this hub can carry", "MsgHead, Message or AppRec.", "sender", "NotSupported", "T10"),
        # Record systems
        r("unauthorized", "the record system is not known by what it shows", "Send its own API key, from: samhub system add.", "sender", "", "", 401),
        r("no-such-path", "there is nothing at this address", "See the reference of the doors for record systems.", "sender", "", "", 404),
        r("not-found", "not known here, or not kept any more", "Check the id.", "sender", "", "", 404),
        r("not-concerned", "the message is neither from nor for this record system", "Ask the record system that sent or received it.", "sender", "", "", 403),
        r("not-your-party", "the record system does not serve this HER-id", "Ask for the HER-id to be added to the record system.", "sender", "", "", 403),
        r("token", "the access token is missing, or is not taken", "Fetch a new one of the issuer, for this hub, bound to your key.", "sender", "", "", 401),
        r("proof", "the proof of possession is missing, or is not taken", "Make a new one for each call: this method, this address, this token.", "sender", "", "", 401),
        r("scope", "the access token is not good for this interface", "Ask the issuer for its scope.", "sender", "", "", 403),
        r("client-unknown", "no record system here is known by this client", "Name its client_id among the clients of its record system.", "sender", "", "", 403),
        r("issuer-unreachable", "the issuer of access tokens cannot be asked for its keys", "Nothing is to be done: ask again. If it lasts: tokens.issuer, and the way to it.", "network", "", "", 503),
        r("locked", "another client has reserved this HER-id", "Have it release the HER-id (clientLocked false, or DELETE mshconfigurations), or use that client.", "sender", "", "", 423),
        r("not-configured", "nothing was said of this HER-id yet, which has to come first", "PUT mshconfigurations for it, at each start of the client.", "sender", "", "", 403),
        r("configured", "a record system has said what holds for its HER-ids", "", "nobody", "", "", 204),
        r("refused-by-filter", "the receiver does not take messages of this type", "Ask the receiver which types it takes, and reach it another way.", "receiver", "NotSupported", "T10", 400),
        r("api-version", "the header api-version is missing, or is not the version of this address", "Send api-version: 3 below /api/v3, 2 below /api/v2, either at the root.", "sender", "", "", 400),
        r("source-system", "the header nhn-source-system is missing", "Send the record system's name and version, as in: MyRecords, 4.2.", "sender", "", "", 400),
        r("media-type", "the body is not said to be JSON", "Send Content-Type: application/json.", "sender", "", "", 415),
        r("too-many-streams", "the record system has as many streams open as it may", "Close one, ask for several HER-ids in one, or set rest.streams.", "sender", "", "", 429),
        r("request", "the order of a record system cannot be read", "The answer names the members at fault.", "sender", "", "", 400),
        r("content-type", "not published as XML", "Set content_type to application/xml and no content_encoding.", "sender", "", "", 415),
        r("delivery-limit", "came again too often without an end", "Its bytes are in quarantine and in the dead-letter queue; tell the maintainers.", "us", "", "", 500),
        r("apprec-on-apprec", "an AppRec is never answered by an AppRec", "", "sender", "", "", 400),
        r("apprec-status", "the status of the AppRec does not fit", "Ok without errors, or Rejected with at least one.", "sender", "", "", 400),
        r("apprec-code", "an error of the AppRec has no code that its receiver can read", "Use a code of list 8221 (or 8222, with its oid).", "sender", "", "", 400),
        r("apprec-twice", "this receiver has answered already", "One AppRec per receiver, never changed afterwards (HITS 1168 5.1).", "sender", "", "", 409),
        r("not-a-receiver", "this HER-id was not a receiver of the message", "", "sender", "", "", 400),
        # Receipts that came home
        r("message-error", "the other side's message handler refused it", "Correct what it names and send anew.", "sender"),
        r("apprec-negative", "negative AppRec", "Correct the document and send it with a new MsgId.", "sender"),
        r("apprec-partly", "the receiver took it, but not every part of it", "Correct the parts that the AppRec names and send them anew.", "sender"),
        r("apprec-unclear", "an AppRec came that does not say clearly whether it was taken", "Call the receiver, and its supplier; a clear AppRec is still taken.", "receiver"),
        r("apprec-missing", "no AppRec within its time", "Call the receiver; nobody has confirmed that it was read.", "receiver"),
        r("receipts-missing", "neither a transport receipt nor an AppRec within its time", "Call the receiver; resend when it is ready.", "receiver"),
        r("apprec-unmatched", "an AppRec for a message we do not know", "Look whether another system sent the original.", "sender", "ValueNotRecognized"),
        r("receipt-unproven", "a receipt came unsigned or with a signature that does not verify", "Call the partner.", "receiver", "SecurityFailure"),
        r("receipt-unregistered", "a receipt came, signed with a certificate that is not registered here", "Fetch the partner's new certificate into the party file or its CPA; then resend.", "us", "SecurityFailure"),
        r("receipt-untrusted", "a receipt came, signed with a certificate of an issuer that is not trusted here", "Put the issuer into trust.roots or trust.intermediates, if it is one of the sector's; else call the partner. Then resend.", "us", "SecurityFailure"),
        r("receipt-unchecked", "a receipt came, and revocation of its certificate could not be asked", "Put a fresh CRL of its issuer into revocation.folder; then resend.", "us", "SecurityFailure"),
        r("receipt-unagreed", "a receipt came under an agreement, or from a party, that is not in force here", "Mend the party file or the CPA that the reason names; then resend.", "us", "SecurityFailure"),
        r("receipt-digest", "the Acknowledgment echoes other digests than ours", "The partner acknowledged something else than we sent.", "receiver", "SecurityFailure"),
        r("receipt-refused", "the partner does not take our receipt", "Its words stand in the reason: call the partner; until this is mended it sends again what we have.", "receiver"),
        r("receipt-not-taken", "our receipt was answered by failures until it was given up", "Call the partner; its next resend gets the receipt again.", "receiver"),
        r("receipt-unknown", "a receipt for something we did not send", "", "sender"),
        # The wire, outwards
        r("connect-failed", "no connection to the partner", "Tried again by itself.", "network"),
        r("connection-lost", "the connection broke before an answer came", "Tried again by itself.", "network"),
        r("timed-out", "no answer in time", "Tried again by itself.", "receiver"),
        r("http-temporary", "the partner's server is not able now", "Tried again by itself.", "receiver"),
        r("http-permanent", "the partner's server refused the request", "Check the address, and whether the partner lets us in.", "receiver"),
        r("http-redirect", "the partner's server points somewhere else", "Put the address it names into the party or its CPA; tried again as agreed.", "receiver"),
        r("http-not-there", "the partner's server does not take it at this address now", "Check the address; tried again as agreed.", "receiver"),
        r("soap-fault", "the partner answered with a SOAP Fault", "Read the Fault; correct and resend.", "receiver"),
        r("unreadable-answer", "the partner's answer cannot be read", "Tried again by itself; call the partner if it lasts.", "receiver"),
        r("mail-temporary", "the relay will not take the mail now", "Tried again by itself.", "receiver"),
        r("mail-permanent", "the relay refused the mail for good", "Check the address; ask the partner.", "receiver"),
        r("mail-too-large", "the mail is larger than the relay takes", "Send less, or agree on another way.", "sender"),
        r("mail-login", "the relay did not accept our login", "Check relay.username and its password.", "us"),
        r("mail-tls", "the relay does not offer the protection that is demanded", "Ask the relay's owner.", "us"),
        r("mail-bounced", "a mail server could not deliver it", "Check the address; ask the partner.", "receiver"),
        r("mail-delayed", "a mail server has not delivered it yet", "Wait; it is sent again by itself.", "receiver"),
        r("mail-on-its-way", "a mail server reports that it has passed it on", "", "nobody"),
        r("mail-aside", "a mail that is no ebXML was put aside", "Look at it if it comes often.", "nobody"),
        r("mail-ungiven", "the mail server cannot give a mail that lies in our mailbox", "It is passed over, and asked for again each hour: ask who runs the mail server, or move it away.", "us", "Fault", "", 503),
        r("mail-postmaster", "a mail to the postmaster of this hub", "Read it: somebody has trouble with our mail.", "nobody"),
        r("pong", "a partner answered our Ping", "", "nobody"),
        r("status-told", "a partner said what became of a message", "", "nobody"),
        r("status-asked", "the partner was asked what became of a message", "", "nobody"),
        r("status-unknown", "the partner did not say what became of a message", "Call it.", "receiver"),
        r("asked-too-often", "more questions than are answered in a minute", "Ask again in a minute.", "us", "Fault", "", 503),
        r("question-over", "nobody waits for it any more", "", "nobody"),
        r("handed-over", "handed over; no transport receipt yet", "", "nobody"),
        r("no-endpoint", "the partner has no address we can send to", "Add the endpoint to the party or its CPA.", "us"),
        r("no-key", "we have no signing key for the sender", "Make or install its key.", "us"),
        r("no-certificate", "the partner has no encryption certificate here", "Add it to the party or its CPA.", "us"),
        r("unfit-certificate", "nothing can be encrypted for the partner's certificate", "Get one with an RSA key for encryption from it, and add it to the party or its CPA; then resend.", "receiver"),
        r("no-file", "what lies in a record system's outbox is no file, but a folder or a link", "Lay the file itself there.", "sender", "", "", 400),
        r("file-unreadable", "a file in a record system's outbox cannot be read", "Check its rights.", "us", "", "", 503),
        r("folder-unwritable", "the record system's folder cannot be written", "Check path, rights and disk.", "us"),
        r("broker-unreachable", "no connection to the message broker", "Tried again by itself; check queue.url, the login and the broker.", "network"),
        r("broker-blocked", "the message broker takes nothing now", "It is short of memory or disk; tried again by itself.", "us"),
        r("queue-missing", "the record system's queue is not there", "Declare it, or set queue.declare; tried again by itself.", "us"),
        r("queue-refused", "the broker could not keep it in the record system's queue", "Is the queue full? Tried again by itself.", "receiver"),
        r("queue-forbidden", "the broker does not let us publish", "Give our user the right to write; tried again by itself.", "us"),
        r("retries-exhausted", "all retries are used up", "Call the partner; resend when it is ready.", "receiver", "DeliveryFailure"),
        r("persist-duration-over", "given up after the agreed time", "Call the partner; resend when it is ready.", "receiver", "DeliveryFailure"),
        # People and rules
        r("held-by-rule", "put aside by a routing rule", "Release or discard it.", "nobody", "", "", 202),
        r("refused-by-rule", "refused by a routing rule", "", "sender", "NotSupported", "E21", 403),
        r("held", "put aside by a person", "Release or discard it.", "nobody"),
        r("released", "let go by a person", "", "nobody"),
        r("resent", "sent again by a person", "", "nobody"),
        r("discarded", "given up by a person", "", "nobody"),
        r("purged", "what was settled long ago was removed", "", "nobody", "", "", 200),
        r("not-fetched", "it lay ready, and its record system did not fetch it in time", "Ask the receiver why it fetches nothing; then have the sender send the document anew, with a new MsgId.", "receiver", "", "", 410),
        r("content-removed", "its document was removed, as the settings of the purge say", "Have the sender send the document anew, with a new MsgId.", "nobody", "", "", 409),
        r("reloaded", "the register was read anew", "", "nobody", "", "", 200),
        r("system-added", "a person brought in a record system", "", "nobody", "", "", 200),
        r("system-removed", "a person took a record system away, and its API keys", "", "nobody", "", "", 200),
        r("key-made", "a person gave a record system a new API key; its others end as told", "", "nobody", "", "", 200),
        r("key-revoked", "a person took API keys of a record system away", "", "nobody", "", "", 200),
        r("reload-refused", "what lies in the register's files cannot be used; what was read before holds", "Mend every mistake that is named, then: samhub reload.", "us"),
        r("moved", "it goes another way now, as the register says", "", "nobody", "", "", 200),
        r("sealed-anew", "it is sealed anew, for what the register says of the receiver has changed", "", "nobody", "", "", 200),
        r("partner-gone", "the receiver is no longer in the register, or has no address there", "Add it again, or give it another way by a rule, and resend: samhub deadletter resend --code partner-gone; else discard.", "us"),
        r("promised-again", "handed over again after it had been given up: it is tried again", "", "nobody", "", "", 202),
        r("given-up-before", "handed over before, and not delivered: a person or the receiver has ended it", "See its state; correct the document and send it with a new MsgId.", "sender", "", "", 409),
        r("judged-again", "a person asked that it be judged again", "", "nobody"),
        r("not-from-here", "not possible from where it stands", "See its state.", "nobody", "", "", 409),
        # Ourselves
        r("disk-full", "the disk is nearly full; nothing new is taken", "Make room.", "us", "Fault", "", 503),
        r("circuit-opened", "an address is left alone, but for one probe now and then: tries in a row did not reach it", "See samhub circuit list; ask the partner, or look at the network.", "receiver", "", "", 503),
        r("circuit-closed", "an address that was left alone answers again", "", "nobody", "", "", 200),
        r("circuit-reset", "a person has an address tried at once that was left alone", "", "nobody", "", "", 200),
        r("webhook-given-up", "a record system could not be told over its webhook in time, or wants to be told nothing any more", "See samhub webhook list; ask who runs the record system, which can poll what it was not told. Then: samhub webhook retry, or discard.", "receiver", "", "", 503),
        r("webhook-retried", "a person has a record system told again over its webhook", "", "nobody", "", "", 200),
        r("webhook-discarded", "a person has a record system not told what was given up", "", "nobody", "", "", 200),
        r("clock-jumped", "the clock of this machine jumped; until the new time has stood for ten minutes it ends nothing", "Look at its time service (chrony, NTP), or whether it slept.", "us", "Fault", "", 503),
        r("store-unavailable", "the store cannot be written now", "See the log; try again.", "us", "Fault", "", 503),
        r("content-lost", "bytes that are kept here are missing or damaged", "Have the document handed over or sent again: with the same bytes it is whole and goes on by itself. Or put them back from a copy of the store (samhub db check names them all), then: samhub deadletter resend --code content-lost.", "us", "Fault", "", 503),
        r("unforeseen", "something nobody foresaw", "Tell the maintainers what the reason names. What came is in quarantine; what goes out is tried for as long as is agreed, and is then a dead letter.", "us", "Fault", "", 500),
    )
    # fmt: on


REASONS: dict[str, Reason] = {row.code: row for row in _rows()}


def reason(code: str) -> Reason:
    """The row of a code; a code outside the register is a fault of ours and says so."""
    return REASONS[code]


#: Rules that HITS 1172 has without a number, and those of HIS 1037.
_UNNUMBERED = {
    "Body": "HITS 1172 5.14.3",
    "Header": "HITS 1172 5.7.2",
    "start": "HITS 1172 5.5",
    "H-1037 4.2": "HIS 1037 4.2",
    "Role": "HITS 1171 5.2.1.3",
    "MessageOrder": "HIS 1037 3.2",
}


def clause(rule: str) -> str:
    """A rule as people cite it."""
    return _UNNUMBERED.get(rule, f"HITS 1172 {rule}")


#: hub.trust.signature reasons → rows.
SIGNATURE: dict[str, str] = {
    "missing": "signature-missing",
    "algorithm": "signature-algorithm",
    "weak-algorithm": "signature-algorithm",
    "uncovered-part": "signature-coverage",
    "uncovered-block": "signature-coverage",
    "missing-part": "mime-problem",
    "foreign-reference": "signature-coverage",
    "digest-mismatch": "signature-invalid",
    "signature-mismatch": "signature-invalid",
    "bad-certificate": "certificate-malformed",
    "weak-key": "certificate-weak",
}
#: hub.trust.certificates reasons → rows.
CERTIFICATE: dict[str, str] = {
    "not-a-certificate": "certificate-malformed",
    "expired": "certificate-expired",
    "not-yet-valid": "certificate-not-yet-valid",
    "unknown-issuer": "certificate-unknown-issuer",
    "self-signed": "certificate-unknown-issuer",
    "wrong-purpose": "certificate-purpose",
    "weak-key": "certificate-weak",
    "revoked": "certificate-revoked",
    "revocation-unknown": "revocation-unknown",
}
#: hub.trust.cms reasons → rows.
CMS: dict[str, str] = {
    "not-cms": "payload-shape",
    "no-recipient": "decryption",
    "cipher": "cipher",
    "decryption": "decryption",
}
#: hub.trust.signed_data reasons → rows.
SEAL: dict[str, str] = {
    **CMS,
    "not-cms": "not-sealed",
    "not-signed": "not-sealed",
    "no-certificate": "certificate-missing",
    "bad-certificate": "certificate-malformed",
    "not-embedded": "certificate-not-embedded",
    "signer": "certificate-unregistered",
    "algorithm": "signature-algorithm",
    "signature": "signature-invalid",
}
#: What is behind a receipt that was not taken, by the check that it did not pass, where that is for us to mend.
RECEIPT: dict[str, str] = {
    **dict.fromkeys(("certificate-unregistered", "certificate-missing"), "receipt-unregistered"),
    "certificate-unknown-issuer": "receipt-untrusted",
    "revocation-unknown": "receipt-unchecked",
    **dict.fromkeys(
        (
            "cpa-unknown",
            "cpa-expired",
            "cpa-not-yet-valid",
            "cpa-party",
            "cpa-service",
            "sender-unknown",
            "receiver-not-ours",
        ),
        "receipt-unagreed",
    ),
}
#: Row → errorCondition of a report on the message bus (nhn-amqp.md §4.4); a row that is not here is `internal-error`.
BUS: dict[str, str] = {
    "bus-spoofed": "abuse:spoofing-attack",
    **dict.fromkeys(("bus-addressing", "sync-stranger"), "transport:invalid-field-value"),
    **dict.fromkeys(("bus-unsigned", "bus-function", "no-payload"), "transport:unsupported-message"),
    **dict.fromkeys(
        ("bus-field", "sender-unknown", "receiver-not-ours", "receiver-unknown", "document-addressing", "id-reused"),
        "transport:invalid-field-value",
    ),
    **dict.fromkeys(
        (
            "not-sealed",
            "not-well-formed",
            "document-malformed",
            "document-schema",
            "document-empty",
            "xml-doctype",
            "xml-hostile",
            "xml-encoding",
        ),
        "transport:not-well-formed-xml",
    ),
    **dict.fromkeys(
        ("cipher", "signature-algorithm", "too-large", "document-unknown", "document-not-a-message", "cpa-service"),
        "transport:unsupported-message",
    ),
    "certificate-missing": "transport:missing-certificate",
    "certificate-expired": "transport:expired-certificate",
    "certificate-not-yet-valid": "transport:expired-certificate",
    "certificate-revoked": "transport:revoked-certificate",
    **dict.fromkeys(
        (
            "decryption",
            "signature-invalid",
            "certificate-not-embedded",
            "certificate-unregistered",
            "certificate-purpose",
            "certificate-several",
            "certificate-unknown-issuer",
            "certificate-weak",
            "certificate-malformed",
        ),
        "transport:invalid-certificate",
    ),
}


def condition(code: str) -> str:
    """What a report on the message bus says of this row."""
    return BUS.get(code, "transport:internal-error")


#: errorCode of HIS 1037 7.2.4 → row, for findings about the header.
EBMS: dict[str, str] = {
    "ValueNotRecognized": "envelope-value",
    "OtherXml": "envelope-missing",
    "Inconsistent": "envelope-inconsistent",
    "NotSupported": "envelope-not-supported",
    "MimeProblem": "mime-problem",
    "SecurityFailure": "signature-structure",
}
