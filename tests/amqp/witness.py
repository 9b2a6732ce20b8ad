"""A party on the bus that shares nothing with this project: qpid-proton for AMQP 1.0, `openssl cms` for what it carries.

It plays the part of a record system built on the .NET library, as the wire page tells it: the same addresses, fields, types
and checks. Run by the system's own Python; orders come as lines of JSON, and each is answered by one.
"""

import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from proton import Message, Timeout, symbol
from proton.utils import BlockingConnection, LinkDetached

SEALED = "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
REQUIRED = ("toHerId", "fromHerId", "Label", "applicationTimeStamp", "ContentType")


class Party:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="samhub-witness-"))
        self.connection = None
        self.links = {}

    # --- the wire

    def connect(self, url, exchange):
        """One connection; links are made when they are first used."""
        self.exchange, self.url = exchange, url
        self.links = {}
        if self.connection is not None:
            with contextlib.suppress(Exception):  # it is gone, which is why another is wanted
                self.connection.close()
        self.connection = BlockingConnection(url, timeout=20, heartbeat=30)
        return {}

    def link(self, kind, queue):
        if (kind, queue) not in self.links:
            if kind == "send":
                made = self.connection.create_sender(f"/exchange/{self.exchange}/{queue}")
            else:
                made = self.connection.create_receiver("/amq/queue/" + queue, credit=1)
            self.links[kind, queue] = made
        return self.links[kind, queue]

    def send(self, queue, fields, body, properties, ttl=None, id_type="str", value=False, annotations=None):
        """Body in one Data section; header only where there is a ttl; never durable, as the library has it."""
        message = Message(properties={k: v for k, v in properties.items() if v is not None})
        for name in ("subject", "address", "reply_to"):
            if fields.get(name):
                setattr(message, name, fields[name])
        if fields.get("content_type") is not None:
            message.content_type = symbol(fields["content_type"])
        as_id = (lambda text: uuid.UUID(text)) if id_type == "uuid" else str
        if fields.get("id"):
            message.id = as_id(fields["id"])
        if fields.get("correlation_id"):
            message.correlation_id = as_id(fields["correlation_id"])
        if ttl:
            message.ttl = ttl / 1000
        content = base64.b64decode(body)
        message.inferred = not value
        message.body = content.decode("utf-8") if value else content
        self.link("send", queue).send(message, timeout=20)
        return {}

    def receive(self, queue, seconds=10.0, settle="accept"):
        """The next message of a queue with the types of its fields, or nothing."""
        receiver = self.link("receive", queue)
        try:
            message = receiver.receive(timeout=seconds)
        except Timeout:
            return {"message": None}
        getattr(receiver, settle)()
        for _ in range(6):  # else it is said with the next order only
            self.connection.container.do_work(0.005)
        return {"message": told(message)}

    # --- what it carries

    def seal(self, document, key, certificate, encrypt_for, cipher="-aes256", digest="sha256"):
        """Signed without attributes, then encrypted: DER in DER."""
        inside = self.run(
            ["-sign", "-binary", "-nodetach", "-noattr", "-md", digest, "-signer", certificate, "-inkey", key], document
        )
        return {"body": coded(self.run(["-encrypt", "-binary", cipher], coded(inside), [encrypt_for]))}

    def open(self, body, key, certificate, signer):
        """Decrypted with the private key; the signer's certificate must be embedded, and the signature must verify."""
        inside = self.run(["-decrypt", "-inform", "DER", "-recip", certificate, "-inkey", key], body)
        found = self.folder / "signers.pem"
        content = self.run(["-verify", "-inform", "DER", "-noverify", "-binary", "-signer", found], coded(inside))
        fingerprint = ["x509", "-noout", "-fingerprint", "-in"]
        told = [
            subprocess.run(["openssl", *fingerprint, f], capture_output=True, check=True).stdout
            for f in (found, signer)
        ]
        return {"document": coded(content), "signer": told[0] == told[1]}

    def shape(self, body, key, certificate):
        """What openssl sees of both layers, for people and for assertions about algorithms."""
        inside = self.run(["-decrypt", "-inform", "DER", "-recip", certificate, "-inkey", key], body)
        outer = self.run(["-cmsout", "-print", "-inform", "DER"], body, form=False)
        inner = self.run(["-cmsout", "-print", "-inform", "DER"], coded(inside), form=False)
        return {"outer": outer.decode("utf-8", "replace"), "inner": inner.decode("utf-8", "replace")}

    def run(self, words, content, behind=(), form=True):
        path = self.folder / "in"
        path.write_bytes(base64.b64decode(content))
        shape = ["-outform", "DER"] if form and words[0] in ("-sign", "-encrypt") else []
        command = ["openssl", "cms", *words, *shape, "-in", path, *behind]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise RuntimeError("{}: {}".format(" ".join(words[:2]), done.stderr.decode("utf-8", "replace")[-400:]))
        return done.stdout

    # --- the library's part

    def missing(self, message):
        """§7 step 4, as the library asks it of every message, on its error queue too."""
        own = message["properties"]
        asked = {
            "toHerId": number(own.get("toHerId")),
            "fromHerId": number(own.get("fromHerId")),
            "Label": message["subject"],
            "applicationTimeStamp": parsed(own.get("applicationTimeStamp")),
            "ContentType": message["content_type"],
        }
        return {"missing": [name for name in REQUIRED if not asked[name]]}

    def report(self, queue, about, condition, description, data, fresh=False):
        """An error report about a message: a copy with properties added, as deployed versions write it, or HEAD's fresh one."""
        own = about["properties"]
        added = {
            "errorCondition": condition,
            "errorDescription": description,
            "originalMessageId": about["id"],
            "receiverTimeStamp": time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime()),
            "errorConditionData": "".join(item + ";" for item in data) or None,
            "fromHerId": own.get("toHerId"),
            "toHerId": own.get("fromHerId"),
        }
        if fresh:
            added["applicationTimeStamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            fields = {"id": uuid.uuid4().hex, "subject": about["subject"], "address": queue}
            return self.send(queue, fields, "", added)
        fields = {
            "id": about["id"],
            "correlation_id": about["correlation_id"],
            "subject": about["subject"],
            "content_type": about["content_type"],
            "reply_to": about["reply_to"],
            "address": queue,
        }
        return self.send(queue, fields, "", {**own, **added})

    def close(self):
        if self.connection is not None:
            self.connection.close()
        return {}


def told(message):
    """A message as JSON; what the library would trip over is shown by its type."""
    body = message.body
    kind = type(body).__name__
    content = bytes(body) if isinstance(body, (bytes, memoryview)) else str(body).encode()
    return {
        "id": None if message.id is None else str(message.id),
        "subject": message.subject,
        "address": message.address,
        "reply_to": message.reply_to,
        "correlation_id": None if message.correlation_id is None else str(message.correlation_id),
        "content_type": None if message.content_type is None else str(message.content_type),
        "ttl": round(message.ttl * 1000),
        "durable": message.durable,
        "properties": {str(k): v if isinstance(v, str) else repr(v) for k, v in (message.properties or {}).items()},
        "kinds": sorted({type(v).__name__ for v in (message.properties or {}).values()}),
        "body": coded(content),
        "body_kind": kind,
    }


def number(text):
    return int(text) if text and text.isdigit() else 0


def parsed(text):
    try:
        return time.strptime(text or "", "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None


def coded(content):
    return base64.b64encode(content).decode()


def main():
    party = Party()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(party, order.pop("do"))(**order)
        except (Exception, LinkDetached) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
