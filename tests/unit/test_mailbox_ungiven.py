"""One mail that the mail server cannot give holds up no other: over IMAP and POP3, whether it says no or breaks the line."""

from __future__ import annotations

import asyncio
import poplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from adapters.ebxml_smtp import collect, mailbox
from adapters.ebxml_smtp.settings import MailboxSettings
from hub.message import Answer

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
SETTINGS = MailboxSettings(protocol="imap", host="h", username="u")


class Server:
    """Mails by their number; what is asked of a `bad` one raises what `fault` makes."""

    def __init__(self, bad: set[int], fault: Callable[[], Exception], size_too: bool) -> None:
        self.mails = {number: b"Subject: %d\r\n\r\n" % number for number in range(1, 8)}
        self.bad, self.fault, self.size_too = bad, fault, size_too
        self.asked = 0

    def spoilt(self, numbers: list[int]) -> None:
        self.asked += 1
        if self.bad & set(numbers):
            raise self.fault()


class ImapClient:
    def __init__(self, server: Server) -> None:
        self.server = server

    def search(self, _: str) -> list[int]:
        return sorted(self.server.mails)

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        if items == ["RFC822.SIZE"]:
            if self.server.size_too:
                self.server.spoilt(list(uids))
            return {uid: {b"RFC822.SIZE": len(self.server.mails[uid])} for uid in uids}
        try:
            self.server.spoilt(list(uids))
        except KeyError:
            return {}
        return {uid: {b"BODY[]": self.server.mails[uid]} for uid in uids}

    def delete_messages(self, uids: list[int]) -> None:
        self.server.mails.pop(uids[0])

    def has_capability(self, _: str) -> bool:
        return False

    def expunge(self, _: object) -> None:
        return None

    def logout(self) -> None:
        return None


class PopClient:
    room: int | None = None

    def __init__(self, server: Server) -> None:
        self.server, self.gone = server, list[int]()

    def list(self) -> tuple[bytes, list[bytes], int]:
        return b"+OK", [b"%d %d" % (n, len(raw)) for n, raw in enumerate(self.server.mails.values(), 1)], 0

    def uidl(self) -> tuple[bytes, list[bytes], int]:
        return b"+OK", [b"%d x%d" % (n, number) for n, number in enumerate(self.server.mails, 1)], 0

    def retr(self, number: int) -> tuple[bytes, list[bytes], int]:
        name = list(self.server.mails)[number - 1]
        self.server.spoilt([name])
        return b"+OK", self.server.mails[name].split(b"\r\n"), 0

    def dele(self, number: int) -> None:
        self.gone.append(list(self.server.mails)[number - 1])

    def quit(self) -> None:
        for number in self.gone:
            self.server.mails.pop(number)


def imap(server: Server) -> mailbox.Mailbox:
    made = object.__new__(mailbox.Imap)
    made._client, made._validity = ImapClient(server), 1  # type: ignore[assignment]
    return made


def pop(server: Server) -> mailbox.Mailbox:
    made = object.__new__(mailbox.Pop)
    made._client = PopClient(server)  # type: ignore[assignment]
    return made


FAULTS: dict[str, tuple[Callable[[Server], mailbox.Mailbox], Callable[[], Exception], bool]] = {
    "IMAP says no": (imap, lambda: IMAPClientError("NO internal error"), False),
    "IMAP says no to its size": (imap, lambda: IMAPClientError("NO internal error"), True),
    "IMAP breaks": (imap, lambda: IMAPClientAbortError("socket error: EOF"), False),
    "IMAP breaks at its size": (imap, lambda: IMAPClientAbortError("socket error: EOF"), True),
    "IMAP hangs": (imap, lambda: TimeoutError("timed out"), False),
    "IMAP gives nothing": (imap, KeyError, False),
    "POP3 says no": (pop, lambda: poplib.error_proto(b"-ERR internal error"), False),
    "POP3 breaks": (pop, lambda: poplib.error_proto("-ERR EOF"), False),
    "POP3 is reset": (pop, lambda: ConnectionResetError(), False),
}


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A collector whose sessions are asked for one after another, with a clock that is handed in."""

    def made(server: Server, opened: Callable[[Server], mailbox.Mailbox]) -> Any:
        found = SimpleNamespace(got=[], told=[], kept=[], now=NOW)

        async def receive(arrival: Any) -> Answer:
            found.got.append(int(arrival.headers["subject"]))
            return Answer(200, {}, b"")

        async def full() -> None:
            return None

        async def passed_over(words: str) -> None:
            found.kept.append(words)

        found.collector = collect.MailboxCollector(
            SETTINGS,
            receive,
            now=lambda: found.now,
            new_id=lambda: "a",
            full=full,
            trouble=found.told.append,
            max_bytes=10_000,
            passed_over=passed_over,
        )
        monkeypatch.setattr(collect.mailbox, "opened", lambda _: opened(server))

        async def sessions(count: int) -> None:
            found.collector._loop = asyncio.get_running_loop()
            for _ in range(count):
                await found.collector.look()

        found.sessions = lambda count: asyncio.run(sessions(count))
        return found

    return made


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("bad", [{1}, {4}, {7}, {1, 2}, {1, 7}], ids=str)
def test_the_rest_is_collected_and_the_bad_one_is_named_once(stand: Any, name: str, bad: set[int]) -> None:
    opened, fault, size_too = FAULTS[name]
    server = Server(bad, fault, size_too)
    found = stand(server, opened)

    found.sessions(1 + collect.TRIES * len(bad) + 1)

    good = sorted({1, 2, 3, 4, 5, 6, 7} - bad)
    assert sorted(found.got) == good and sorted(server.mails) == sorted(bad)
    assert len(found.kept) == len(bad) and all("cannot give the mail" in words for words in found.kept)
    asked = server.asked
    found.sessions(5)
    assert server.asked == asked and len(found.kept) == len(bad), "it is left alone for a while"


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_mended_is_collected_after_an_hour(stand: Any, name: str) -> None:
    opened, fault, size_too = FAULTS[name]
    server = Server({3}, fault, size_too)
    found = stand(server, opened)
    found.sessions(5)
    server.bad = set()
    found.sessions(1)
    assert 3 not in found.got
    found.now += collect.AGAIN + timedelta(seconds=1)
    found.sessions(1)
    assert found.got[-1] == 3 and server.mails == {}


def test_new_mail_goes_before_what_failed(stand: Any) -> None:
    server = Server({1}, FAULTS["IMAP breaks"][1], False)
    found = stand(server, imap)
    found.sessions(1)
    server.mails[8] = b"Subject: 8\r\n\r\n"
    found.sessions(1)
    assert 8 in found.got
