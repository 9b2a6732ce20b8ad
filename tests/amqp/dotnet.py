"""The handle on tests/amqp/witness.py: a record system built on the .NET library, as the hub's partner meets it."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

SEALED = "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
PYTHON = "/usr/bin/python3"
#: How long it tries again, in seconds.
STUBBORN = 90


@dataclass(frozen=True)
class Got:
    """A message that it got."""

    about: dict[str, Any]

    @property
    def body(self) -> bytes:
        """Of the one Data section."""
        return base64.b64decode(self.about["body"])

    @property
    def properties(self) -> dict[str, str]:
        """Application properties."""
        return self.about["properties"]  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return self.about[name]


class DotNet:
    """One party with its keys. Close it."""

    def __init__(self, her_id: str, owner: str, keys: Path, pki: Path) -> None:
        """`owner` is the HER-id whose queues it uses (nhn-amqp.md §1.3)."""
        self.her_id, self.owner, self.keys, self.pki = her_id, owner, keys, pki
        self.stubborn = False  #: whether it connects anew and tries again when the broker is gone, as the library does
        self._where: dict[str, Any] = {}
        script = Path(__file__).with_name("witness.py")
        self._process = subprocess.Popen(
            [PYTHON, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def order(self, do: str, **words: Any) -> dict[str, Any]:
        """One order. AssertionError when it could not be done, unless it does not give up."""
        end = time.monotonic() + STUBBORN
        while True:
            answer = self._told(do, words)
            if "error" not in answer:
                return answer
            assert self.stubborn and time.monotonic() < end, f"{do}: {answer['error']}"
            time.sleep(0.2)
            self._told("connect", self._where)

    def _told(self, do: str, words: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def connect(self, url: str, exchange: str) -> DotNet:
        """To a broker."""
        self._where = {"url": url, "exchange": exchange}
        self.order("connect", **self._where)
        return self

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def sealed(self, document: bytes, encrypt_for: Path, keys: Path | None = None, **how: str) -> bytes:
        """Signed and encrypted by openssl."""
        own = keys or self.keys
        words = {"key": str(own / "sign.key.pem"), "certificate": str(own / "sign.cert.pem")}
        answer = self.order("seal", document=coded(document), encrypt_for=str(encrypt_for), **words, **how)
        return base64.b64decode(answer["body"])

    def send(
        self,
        queue: str,
        body: bytes,
        to: str,
        function: str,
        *,
        fields: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """A message as the library writes it (§2.1, §2.2); its message-id. None in fields or properties leaves one out."""
        own = str(uuid4())
        standard = {
            "id": own,
            "subject": function,
            "address": queue,
            "reply_to": f"{self.owner}_async",
            "correlation_id": own,
            "content_type": SEALED,
        } | (fields or {})
        application = {
            "fromHerId": self.her_id,
            "toHerId": to,
            "applicationTimeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "enqueuedTimeUtc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "X-ExecutingAssembly": "Helsenorge.Messaging",
            "X-ExecutingAssemblyVersion": "7.0.2",
        } | (properties or {})
        self.order("send", queue=queue, fields=standard, body=coded(body), properties=application, **more)
        return str(standard["id"])

    def receive(self, kind: str = "async", seconds: float = 10, queue: str = "") -> Got | None:
        """The next message of one of its queues, accepted; None when none comes."""
        answer = self.order("receive", queue=queue or f"{self.owner}_{kind}", seconds=seconds)
        return Got(answer["message"]) if answer["message"] is not None else None

    def must(self, kind: str = "async", seconds: float = 20) -> Got:
        """The next message, which is as the library demands every message to be (§7 step 4)."""
        got = self.receive(kind, seconds)
        assert got is not None, f"nothing came to {self.owner}_{kind} within {seconds:g} s"
        assert self.order("missing", message=got.about)["missing"] == []
        assert got.kinds == ["str"], "all application properties are strings (§0.8)"
        assert got.body_kind in ("bytes", "memoryview"), "one Data section"
        return got

    def open(self, got: Got, signer: Path, keys: Path | None = None) -> bytes:
        """Its document, decrypted and proven by openssl."""
        own = keys or self.keys
        answer = self.order(
            "open",
            body=got.about["body"],
            key=str(own / "encrypt.key.pem"),
            certificate=str(own / "encrypt.cert.pem"),
            signer=str(signer),
        )
        assert answer["signer"], "another certificate than the agreed one has signed"
        return base64.b64decode(answer["document"])

    def report(
        self,
        queue: str,
        about: Got,
        condition: str,
        description: str = "",
        data: Sequence[str] = (),
        *,
        fresh: bool = False,
    ) -> None:
        """An error report about what it got, as deployed versions write it, or as the newest does."""
        self.order(
            "report",
            queue=queue,
            about=about.about,
            condition=condition,
            description=description or "simulated",
            data=list(data),
            fresh=fresh,
        )


def coded(content: bytes) -> str:
    """Bytes in JSON."""
    return base64.b64encode(content).decode()
