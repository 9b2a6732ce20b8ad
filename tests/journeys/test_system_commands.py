"""`samhub system` beside a hub that runs: what each act opens and closes at every door, without a restart or a reload."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.register.file import read
from hub.digest import sha256
from hub.errors import ConfigurationError, StoreUnavailable
from hub.record_systems.kept import REVISION
from hub.record_systems.keys import Act
from ops import systems
from ops.assemble import hub as assembled
from ops.cli.app import app
from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.soap.stand import PING, envelope
from tests.support import asgi
from tests.support.certificates import self_signed

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
ASKED = "/api/v3/messages/00000000-0000-0000-0000-000000000000/status"
PROXIED = {"http": {"proxies": ["127.0.0.1"], "certificate_header": "X-Client-Cert"}}


class Doors:
    """One hub's doors for record systems, and its operator's commands beside them."""

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self.file_key = hub.site.keys[DOCTOR.system]

    def samhub(self, *words: str, code: int = 0) -> Any:
        """One command, then what the running hub would see within a second; what the command said, as JSON where it can."""
        done = CliRunner().invoke(app, ["system", *words, "--config", str(self.hub.site.configuration)])
        assert done.exit_code == code, done.output
        self.look()
        return json.loads(done.stdout) if "--json" in words else done.output

    def lines(self, *words: str) -> list[Any]:
        """The objects that a command lists."""
        done = CliRunner().invoke(app, ["system", *words, "--config", str(self.hub.site.configuration)])
        return [json.loads(line) for line in done.stdout.splitlines()]

    def look(self) -> bool:
        """The running hub looks now."""
        return bool(self.hub.run(self.hub.built.serving.look()))

    def called(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
        """The status of an answer."""
        return int(self.hub.run(asgi.call(self.hub.built.app, method, path, headers, body)).status)

    def rest(self, key: str) -> bool:
        """Whether REST knows a key."""
        return self.called("GET", ASKED, {"X-API-Key": key}) != 401

    def soap(self, system: str, key: str) -> bool:
        """Whether SOAP knows a system by its key."""
        basic = base64.b64encode(f"{system}:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "text/xml"}
        return self.called("POST", "/soap/v1", headers, envelope(PING)) != 401

    def opens(self, key: str, system: str) -> bool:
        """Whether both doors let it in; they must agree, and neither takes it for another's."""
        assert not self.soap(PHYSIO.system, key)
        found = {self.rest(key), self.soap(system, key)}
        assert len(found) == 1
        return found.pop()

    def by_certificate(self, der: bytes) -> bool:
        """Whether REST knows a certificate that the proxy has verified."""
        return self.called("GET", ASKED, {"X-Client-Cert": base64.b64encode(der).decode()}) != 401

    def leave_open(self) -> None:
        """The party file says no more who serves the doctor; it is read anew."""
        parties = self.hub.site.folder / "parties.toml"
        rows = re.split(r"(?m)^(?=\[\[)", parties.read_text("utf-8"))
        own = f'system = "{DOCTOR.system}"\n'
        kept = [row.replace(own, "") for row in rows if f'id = "{DOCTOR.system}"' not in row]
        parties.write_text("".join(kept), "utf-8")
        self.hub.run(self.hub.built.reloading.reload())
        assert self.hub.built.reloading.state.faults == ()


@pytest.fixture
def doors(samhub_hub: Any) -> Doors:
    return Doors(samhub_hub(local=[DOCTOR, PHYSIO], settings=PROXIED))


def added(doors: Doors, *words: str, system: str = "nytt") -> str:
    return str(doors.samhub("add", system, "--her-ids", DOCTOR.her_id, *words, "--json")["api_key"])


def rotated(doors: Doors, *words: str, system: str = "nytt") -> str:
    return str(doors.samhub("rotate", system, *words, "--json")["api_key"])


# --- act × effect

ACTS = {
    "a new key beside the old one": (("rotate", "--keep", "14d"), {"first": True, "new": True}),
    "a new key, the old one at once": (("rotate", "--keep", "0"), {"first": False, "new": True}),
    "all taken away": (("revoke",), {"first": False}),
    "one taken away": (("revoke", "--key", "1"), {"first": False}),
    "removed": (("remove",), {"first": False}),
}


@pytest.mark.parametrize("act", list(ACTS))
def test_what_each_act_does_to_a_system_made_by_command(doors: Doors, act: str) -> None:
    """At REST and SOAP alike; what the party file has is not touched by it."""
    (verb, *words), effects = ACTS[act]
    keys = {"first": added(doors)}
    assert doors.opens(keys["first"], "nytt")
    said = doors.samhub(verb, "nytt", *words, *(["--json"] if verb == "rotate" else []))
    keys["new"] = said["api_key"] if verb == "rotate" else ""
    assert {name: doors.opens(keys[name], "nytt") for name in effects} == effects
    assert doors.opens(doors.file_key, DOCTOR.system)


FILE_ACTS = {
    "a new key beside that of the file": (("rotate", "--keep", "1h"), True),
    "a new key, that of the file at once": (("rotate", "--keep", "0"), False),
    "that of the file taken away": (("revoke", "--key", "0"), False),
    "all taken away": (("revoke",), False),
}


@pytest.mark.parametrize("act", list(FILE_ACTS))
def test_what_each_act_does_to_a_key_of_the_party_file(doors: Doors, act: str) -> None:
    """It stays ended when the file is read anew and after a restart: only a command, or taking it out, says otherwise."""
    (verb, *words), holds = FILE_ACTS[act]
    new = rotated(doors, *words, system=DOCTOR.system) if verb == "rotate" else ""
    if verb == "revoke":
        doors.samhub(verb, DOCTOR.system, *words)
    for _ in range(2):
        assert doors.opens(doors.file_key, DOCTOR.system) is holds
        assert not new or doors.opens(new, DOCTOR.system)
        doors.hub.run(doors.hub.built.reloading.reload())
    doors.hub.restart()
    assert doors.opens(doors.file_key, DOCTOR.system) is holds
    assert not new or doors.opens(new, DOCTOR.system)


def test_a_key_ends_by_the_clock(doors: Doors) -> None:
    """At its own end, or at the end of what was kept for it; nobody has to look for that."""
    short, long = added(doors, "--expires", "2h"), added(doors, system="annet")
    newer = rotated(doors, "--keep", "1d", system="annet")
    for hours, holds in ((0, (True, True, True)), (3, (False, True, True)), (22, (False, False, True))):
        doors.hub.clock.forward(hours=hours)
        found = doors.opens(short, "nytt"), doors.opens(long, "annet"), doors.opens(newer, "annet")
        assert found == holds, hours


def test_certificates_come_and_go_with_their_system(doors: Doors) -> None:
    """Taken away with the system; its keys alone are revoked."""
    der = self_signed()
    assert not doors.by_certificate(der)
    added(doors, "--certificates", sha256(der).upper())
    assert doors.by_certificate(der)
    doors.samhub("revoke", "nytt")
    assert doors.by_certificate(der)
    doors.samhub("remove", "nytt")
    assert not doors.by_certificate(der)


def test_whoever_holds_a_stream_asks_again(doors: Doors) -> None:
    """`still` says no as soon as the door would: by key, by certificate, and for who is known by its place."""
    facade, der = doors.hub.built.systems, self_signed()
    key = added(doors, "--certificates", sha256(der))
    system = doors.hub.built.directory.system("nytt")
    callers = [facade.by_key(key), facade.by_certificate(sha256(der)), facade.at_its_place(system)]
    assert [facade.still(one) for one in callers] == [True, True, True]
    doors.samhub("revoke", "nytt")
    assert [facade.still(one) for one in callers] == [False, True, True]
    doors.samhub("remove", "nytt")
    added(doors, "--certificates", sha256(der))
    assert [facade.still(one) for one in callers] == [False, True, True]
    doors.samhub("remove", "nytt")
    assert [facade.still(one) for one in callers] == [False, False, False]


def test_a_call_under_way_ends_as_it_began_and_the_next_is_refused(doors: Doors, samhub_samples: Any) -> None:
    """The key is taken away while its document is still on the way in."""
    key, built = added(doors), doors.hub.built
    document = base64.b64encode(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document).decode()
    body = json.dumps({"senderHerId": int(DOCTOR.her_id), "businessDocument": document}).encode()
    parts, answers = [body[:100], body[100:]], list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        if len(parts) == 1:
            file = read(built.configuration.registry.parties)
            await systems.revoked(built.store, file, "nytt", None, Act(doors.hub.clock.now(), "kari"))
            await built.serving.look()
            assert built.systems.by_key(key) is None
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        answers.append(dict(message))

    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    doors.hub.run(built.app(asgi.scope("POST", "/api/v3/messages", headers), receive, send))
    assert answers[0]["status"] == 202 and not doors.opens(key, "nytt")


# --- a party that is left to it


def test_an_office_is_brought_in_with_one_command_and_taken_out_with_another(doors: Doors, samhub_samples: Any) -> None:
    """What comes for its HER-id lies ready for it from then on, and is refused before and after."""
    doors.leave_open()
    letter = samhub_samples(sender=PHYSIO, receiver=DOCTOR)
    sender = doors.hub.epj(PHYSIO.her_id)
    check = CliRunner().invoke(app, ["config", "check", "--config", str(doors.hub.site.configuration)])
    assert f"party {DOCTOR.her_id} is left to a record system" in check.output
    assert doors.hub.built.directory.party(DOCTOR.her_id).local is False

    key = added(doors)
    assert doors.hub.built.directory.party(DOCTOR.her_id).system == "nytt"
    message_id = sender.send(letter)
    doors.hub.until(message_id, "available")
    caller = doors.hub.built.systems.by_key(key)
    listed = doors.hub.run(doors.hub.built.systems.unread(caller, [DOCTOR.her_id], 10)).messages
    assert [one.record.id for one in listed] == [message_id]

    doors.samhub("remove", "nytt")
    assert doors.hub.built.directory.party(DOCTOR.her_id).local is False and not doors.opens(key, "nytt")


def test_a_folder_is_looked_through_from_the_command_on(doors: Doors, samhub_samples: Any) -> None:
    """Its places are made, what it lays there is answered there, and nothing is looked at once it is taken away."""
    doors.leave_open()
    added(doors, "--channel", "folder", "--reason", "nytt kontor")
    folder = doors.hub.site.folder / "systems" / "nytt"
    (folder / "outbox" / "a.xml").write_bytes(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document)
    doors.hub.clock.forward(seconds=2)
    eventually(lambda: (folder / "outbox" / "taken" / "a.xml").exists(), wanted="the letter to be taken")
    doors.samhub("remove", "nytt")
    assert [one.id for one in doors.hub.built.directory.systems() if one.channel == "folder"] == []


# --- what is told


def test_every_act_is_in_the_journal_and_no_key_or_digest_anywhere(doors: Doors, log: Any) -> None:
    """With who ran it and why; the list shows numbers and times."""
    keys = [added(doors), rotated(doors, "--reason", "flyttet")]
    assert doors.opens(keys[1], "nytt")
    doors.hub.run(doors.hub.built.serving._tell_uses())
    listed = doors.samhub("list")
    rows = doors.lines("list", "--json")
    doors.samhub("revoke", "nytt", "--key", "1", "--reason", "på avveie")
    doors.samhub("remove", "nytt")

    entries = [e for e in doors.hub.run(doors.hub.built.store.journal()) if e.event == "system"]
    assert [e.code for e in entries] == ["system-added", "key-made", "key-revoked", "system-removed"]
    assert entries[2].because == "system nytt: key 1 taken away: på avveie"
    assert {e.actor for e in entries} == {entries[0].actor} != {"hub"}
    [row] = [row for row in rows if row["id"] == "nytt"]
    assert [(k["number"], k["state"], k["used_at"] is not None) for k in row["keys"]] == [
        (1, "holds", False),
        (2, "holds", True),
    ]
    everything = [listed, json.dumps(rows), *map(str, entries), *map(str, log)]
    for secret in (doors.file_key, *keys):
        assert not [text for text in everything if secret in text or sha256(secret.encode()) in text]


def test_one_id_in_both_is_a_mistake_that_everybody_tells_and_removing_mends_it(doors: Doors) -> None:
    """The command refuses it; written into the file afterwards, a reload refuses the file, a check and a start tell."""
    assert "a system" in doors.samhub("add", DOCTOR.system, "--her-ids", DOCTOR.her_id, code=2)
    key = added(doors)
    parties = doors.hub.site.folder / "parties.toml"
    good = parties.read_text("utf-8")
    parties.write_text(f'{good}\n[[system]]\nid = "nytt"\nher_ids = ["{DOCTOR.her_id}"]\n', "utf-8")
    words = "system nytt stands in the party file and was made by command too"

    doors.hub.run(doors.hub.built.reloading.reload())
    assert [f for f in doors.hub.built.reloading.state.faults if words in f] and doors.opens(key, "nytt")
    told = CliRunner().invoke(app, ["config", "check", "--config", str(doors.hub.site.configuration)])
    assert told.exit_code == 2 and words in told.output
    assert words in doors.samhub("list", code=1)

    async def started() -> None:
        async with assembled(doors.hub.built.configuration):
            pass

    with pytest.raises(ConfigurationError, match=words):
        doors.hub.run(started())

    doors.samhub("remove", "nytt")
    doors.hub.run(doors.hub.built.reloading.reload())
    assert doors.hub.built.reloading.state.faults == () and not doors.opens(key, "nytt")


def test_what_a_thief_has_is_taken_away_though_the_party_file_is_broken(doors: Doors) -> None:
    """The keys of the store end; that nothing of the file could be looked at is told."""
    key = added(doors)
    (doors.hub.site.folder / "parties.toml").write_text("no file")
    assert "cannot be used" in doors.samhub("revoke", "nytt")
    assert not doors.opens(key, "nytt") and doors.opens(doors.file_key, DOCTOR.system)


WRONG = {
    "a name that is no name": (("add", "../ut", "--her-ids", "1"), 2, "make a name"),
    "a HER-id of nobody": (("add", "ny", "--her-ids", "99"), 2, "HER-id 99 is no party"),
    "no HER-id": (("add", "ny", "--her-ids", ""), 2, "--her-ids"),
    "a channel that is none": (("add", "ny", "--her-ids", DOCTOR.her_id, "--channel", "fax"), 2, "--channel"),
    "queues without a broker": (("add", "ny", "--her-ids", DOCTOR.her_id, "--channel", "queue"), 2, "queue.url"),
    "no length of time": (("rotate", DOCTOR.system, "--keep", "14"), 2, "--keep 14"),
    "no system to give a key": (("rotate", "ukjent"), 1, "no system ukjent"),
    "no system to take keys from": (("revoke", "ukjent"), 1, "no system ukjent"),
    "no such key": (("revoke", DOCTOR.system, "--key", "7"), 1, "no key 7"),
    "one of the file removed": (("remove", DOCTOR.system), 2, "stands in the party file"),
    "one that is not there removed": (("remove", "ukjent"), 1, "no system ukjent"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_cannot_be_done_is_told_and_changes_nothing(doors: Doors, case: str) -> None:
    """No revision is raised, and no folder made."""
    words, code, told = WRONG[case]
    before = doors.hub.run(doors.hub.built.store.systems_kept())
    assert told in doors.samhub(*words, code=code)
    assert doors.hub.run(doors.hub.built.store.systems_kept()) == before
    assert not doors.look() and doors.opens(doors.file_key, DOCTOR.system)


# --- what it costs


class Counted:
    """A store that counts what is asked of it about record systems, and may be away."""

    def __init__(self, store: Any) -> None:
        self._store, self.asked, self.away = store, list[str](), False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def bookmark(self, name: str) -> int:
        self._count(name)
        return int(await self._store.bookmark(name))

    async def systems_kept(self) -> Any:
        self._count("kept")
        return await self._store.systems_kept()

    async def keys_used(self, used: Any) -> None:
        self._count("used")
        await self._store.keys_used(used)

    def _count(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise StoreUnavailable("away")


def test_a_look_is_one_read_and_a_call_none(doors: Doors) -> None:
    """The revision alone, until it is another one; while the store is away it is asked once and nothing else changes."""
    serving = doors.hub.built.serving
    counted = serving._store = Counted(serving._store)
    key = added(doors)
    doors.hub.run(doors.hub.built.reloading.reload())

    def asked(times: int = 1) -> list[str]:
        counted.asked.clear()
        for _ in range(times):
            doors.hub.run(serving._once())
        return [one for one in counted.asked if one != REVISION] + [REVISION] * (REVISION in counted.asked)

    first = asked()
    assert doors.opens(key, "nytt")
    assert set(asked()) <= {"used", REVISION} and asked(5) == [REVISION]
    counted.away = True
    assert asked() == [REVISION] and doors.opens(key, "nytt")
    counted.away = False
    doors.samhub("revoke", "nytt")
    assert not doors.opens(key, "nytt") and "kept" not in asked() and first[-1] == REVISION
