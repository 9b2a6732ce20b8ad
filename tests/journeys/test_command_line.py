"""`samhub` as people type it, beside a hub that serves and a simulator that plays its partners: words, JSON and exit codes."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import config as configurations
from ops.cli.app import app
from ops.demo.stage import free_ports
from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.support.agreements import Side, agreement

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
SAMHUB = str(Path(sys.executable).with_name("samhub"))


@dataclass
class Site:
    """A site that `samhub init` wrote, with its hub and its partners running."""

    folder: Path
    control: int

    def __call__(self, *args):
        """One command, in this process: exit code, standard output, standard error."""
        done = CliRunner().invoke(app, [*args, "--config", str(self.folder)])
        return done.exit_code, done.stdout, done.stderr

    def lines(self, *args, code=0):
        """One command with --json: its objects; the exit code must be `code`."""
        found, out, err = self(*args, "--json")
        assert found == code, err
        return [json.loads(line) for line in out.splitlines()]

    def steer(self, her_id, behaviour):
        """The partner behaves so from now on."""
        connection = HTTPConnection("127.0.0.1", self.control)
        connection.request("PUT", f"/partners/{her_id}", json.dumps({"receiving": behaviour}))
        assert connection.getresponse().status == 200
        connection.close()

    def submitted(self, name="henvisning", behaviour="good", msg_id=""):
        """Hands an example over under a new MsgId while its receiver behaves so; our id for it."""
        self.steer(SURGERY.her_id, behaviour)
        file = self.document(name)
        [handed] = self.lines("submit", str(file))
        return handed["message_id"]

    def document(self, name="henvisning"):
        """A copy of an example with a MsgId of its own."""
        from uuid import uuid4

        text = (self.folder / "examples" / f"{name}.xml").read_text("utf-8")
        old = text.partition("<MsgId>")[2].partition("</MsgId>")[0]
        file = self.folder / f"{uuid4()}.xml"
        file.write_text(text.replace(old, str(uuid4())), "utf-8")
        return file

    def until(self, message_id, state):
        """Waits until the message's delivery stands so; the delivery."""

        def look():
            [shown] = self.lines("message", "show", message_id)
            return next((d for d in shown["deliveries"] if d["state"] == state), None)

        return eventually(look, wanted=state)


def begun(*args, ready, cwd):
    """A long-running `samhub …`, once it has printed `ready`."""
    process = subprocess.Popen([SAMHUB, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    line = process.stdout.readline()
    assert ready in line, line + process.stderr.read()
    return process


def ended(process):
    """Stopped as an operator stops it; its exit code."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    return process.returncode


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """`samhub init`, `samhub serve` and `samhub simulate`, each as a process of its own, on free ports."""
    folder = tmp_path_factory.mktemp("cli") / "site"
    made = subprocess.run([SAMHUB, "init", str(folder)], capture_output=True, text=True, check=True)
    assert "samhub serve" in made.stdout
    port, control, surgery, laboratory = free_ports(4)
    hurry(folder, port)
    parties = folder / "parties.toml"
    text = parties.read_text("utf-8").replace(":8087/", f":{surgery}/").replace(":8088/", f":{laboratory}/")
    parties.write_text(text, "utf-8")
    simulator = begun("simulate", "--config", str(folder), "--port", str(control), ready="control", cwd=folder)
    hub = begun("serve", "--config", str(folder), ready="ready:", cwd=folder)
    yield Site(folder, control)
    assert ended(hub) == 0
    assert ended(simulator) == 0


def hurry(folder, port):
    """Short times, and a port of our own, as an operator would write them."""
    file = folder / configurations.FILE_NAME
    text = file.read_text("utf-8")
    quick = {"port": port, "backoff_first_seconds": 0.1, "backoff_longest_seconds": 0.2, "retry_interval_seconds": 0.3}
    for name, value in {**quick, "poll_seconds": 0.05, "watch_seconds": 0.2, "retries": 3}.items():
        lines = [f"{name} = {value}" if line.startswith(f"#{name} = ") else line for line in text.splitlines()]
        text = "\n".join(lines)
    file.write_text(text, "utf-8")


# --- init, config


def test_init_does_not_write_over_a_site(site):
    """Used wrongly: exit 2, and what to do."""
    done = CliRunner().invoke(app, ["init", str(site.folder)])

    assert done.exit_code == 2 and "--force" in done.stderr


def test_config_check_is_content_with_what_init_wrote(site):
    """Exit 0 and a count."""
    code, out, _ = site("config", "check")

    assert (code, out.strip()) == (0, "good: 3 local and 2 remote parties")


def test_config_show_running_tells_what_the_hub_runs(site):
    """As it lies in the files; where they have changed since, or hold mistakes, it says so."""
    from ops.cli.common import configuration

    def told():
        code, out, err = site("config", "show", "--running")
        assert code == 0, err
        [one] = map(json.loads, out.splitlines())
        return one

    file = configuration(site.folder).registry.routes
    before = file.read_text("utf-8") if file.exists() else None
    same = told()
    file.write_text('[[rule]]\nname = "later"\n', "utf-8")
    try:
        other = told()
        file.write_text("[[rule", "utf-8")
        wrong = told()
    finally:
        file.unlink() if before is None else file.write_text(before, "utf-8")

    assert same["as_in_files"] and same["revision"] == same["in_files"] and not same["red"]
    assert not other["as_in_files"] and other["revision"] == same["revision"] != other["in_files"]
    assert not wrong["as_in_files"] and "routes.toml" in " ".join(wrong["in_files"])


def test_config_check_tells_all_mistakes_at_once_with_a_hint(site, tmp_path):
    """Exit 2; each mistake on its line."""
    (tmp_path / "samhub.toml").write_text('[http]\nprot = 1\n[hub]\nretries = "many"\n', "utf-8")

    done = CliRunner().invoke(app, ["config", "check", "--config", str(tmp_path)])

    assert done.exit_code == 2
    assert "http.prot: no such setting; did you mean http.port?" in done.stderr
    assert "hub.retries" in done.stderr


def test_config_check_names_an_agreement_that_cannot_be_used(site):
    """Exit 2, the file and why; messages under it would be refused as of no agreement."""
    from ops.cli.common import configuration

    folder = configuration(site.folder).registry.agreements
    folder.mkdir(parents=True, exist_ok=True)
    spoilt = folder / "spoilt.xml"
    spoilt.write_text("<noe/>", "utf-8")
    try:
        code, _, err = site("config", "check")
    finally:
        spoilt.unlink()

    assert code == 2
    assert "agreement spoilt.xml cannot be used: the root element is noe" in err


def test_a_command_without_a_configuration_says_how_to_get_one(tmp_path):
    """Exit 2."""
    done = CliRunner().invoke(app, ["message", "list", "--config", str(tmp_path)])

    assert done.exit_code == 2 and "samhub init" in done.stderr


def test_config_show_is_json_with_every_setting(site):
    """As it holds: what the file says, else the default."""
    _, out, _ = site("config", "show")

    shown = json.loads(out)
    assert shown["hub"]["retries"] == 3
    assert shown["hub"]["apprec_deadline_hours"] == 96


def test_config_docs_has_a_row_for_every_setting():
    """The reference page."""
    done = CliRunner().invoke(app, ["config", "docs"])

    for section, model in configurations.Configuration.model_fields.items():
        for name in model.annotation.model_fields:
            assert f"| `{section}.{name}` |" in done.stdout


# --- submit


def test_submit_waits_for_the_apprec(site):
    """Exit 0 and `delivered`, as words and as JSON."""
    site.steer(SURGERY.her_id, "good")

    code, out, _ = site("submit", str(site.document()), "--wait")
    [handed] = site.lines("submit", str(site.document("dialog-helsefaglig")), "--wait")

    assert code == 0 and ": delivered " in out
    assert handed["outcome"] == "delivered"


def test_submit_as_a_process_of_its_own(site):
    """The installed command, from the site's own folder, with nothing but the file."""
    site.steer(SURGERY.her_id, "good")

    done = subprocess.run(
        [SAMHUB, "submit", str(site.document()), "--wait"],
        capture_output=True,
        text=True,
        cwd=site.folder,
        env={k: v for k, v in os.environ.items() if k != "SAMHUB_CONFIG"},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert ": delivered" in done.stdout


def test_submit_tells_a_negative_apprec(site):
    """Exit 1, `rejected`, and the code."""
    site.steer(SURGERY.her_id, "negative-apprec")

    [handed] = site.lines("submit", str(site.document()), "--wait", code=1)

    assert handed["outcome"] == "rejected" and "E21" in handed["because"]


def test_submit_tells_what_the_hub_refused(site, tmp_path):
    """Exit 1, with code and element."""
    file = tmp_path / "feil.xml"
    text = site.document("dialog-helsefaglig").read_text("utf-8")
    file.write_text(text.replace("MIGversion>", "MIGversjon>"), "utf-8")

    [handed] = site.lines("submit", str(file), code=1)

    assert handed["outcome"] == "refused" and "document-schema" in handed["because"]


def test_submit_without_a_hub_says_how_to_start_one(site):
    """Exit 1 and a hint, no trace."""
    [nobody] = free_ports(1)

    code, _, err = site("submit", str(site.document()), "--url", f"http://127.0.0.1:{nobody}")

    assert code == 1 and "samhub serve" in err and "Traceback" not in err


def test_a_file_that_is_not_there_is_used_wrongly(site):
    """Exit 2."""
    assert site("submit", "finnes-ikke.xml")[0] == 2


# --- message


def test_message_list_filters_and_parses(site):
    """By type, sender and kind; newest first; one JSON object a line."""
    message_id = site.submitted("dialog-helsefaglig")

    [newest, *_] = site.lines("message", "list", "--type", "DIALOG_HELSEFAGLIG", "--kind", "business")
    code, out, _ = site("message", "list", "--from", DOCTOR.her_id)

    assert newest["id"] == message_id
    assert code == 0 and message_id[:8] in out
    assert site.lines("message", "list", "--from", "1") == []


def test_message_show_finds_it_by_each_of_its_names(site):
    """Our id, the MsgId, and the ebXML MessageId of its AppRec; an unknown one is exit 1."""
    message_id = site.submitted()
    site.until(message_id, "done")
    [shown] = site.lines("message", "show", message_id)

    [by_msg_id] = site.lines("message", "show", shown["message"]["msg_id"])

    assert by_msg_id["message"]["id"] == message_id
    assert shown["outcome"] == "delivered"
    assert "HENVISNING" in site("message", "show", message_id)[1]
    assert site("message", "show", "finnes-ikke")[0] == 1


def test_any_id_in_any_case_finds_the_message(site):
    """What the partner reads out on the phone, the delivery of a list, the conversation; or the first eight letters."""
    message_id = site.submitted()
    site.until(message_id, "done")
    [shown] = site.lines("message", "show", message_id)
    [delivery] = shown["deliveries"]
    names = (message_id, delivery["id"], delivery["eb_message_id"], shown["message"]["msg_id"])

    spellings = (str.upper, lambda own: own[:8], lambda own: f"<{own}@example.no>", lambda own: own.replace("-", ""))
    for name, spelt in zip(names, spellings, strict=True):
        assert site.lines("message", "show", spelt(name))[0]["message"]["id"] == message_id, name
        assert site.lines("delivery", "show", spelt(name))[0]["id"] == delivery["id"], name
    assert site.lines("message", "show", shown["message"]["conversation_id"].upper())[0]["message"]["id"] == message_id
    assert site("message", "trace", delivery["eb_message_id"])[0] == 0
    code, out, _ = site("delivery", "show", delivery["id"])
    assert code == 0 and "attempt 1: acknowledged" in out and message_id in out


def test_a_list_names_message_type_and_parties_and_says_of_how_many(site):
    """Names from the register; the outcome and not the verdict at the door; times with date and zone; a line a row."""
    for _ in range(2):
        message_id = site.submitted(behaviour="forbidden")
        site.until(message_id, "dead")

    code, out, _ = site("message", "list", "--limit", "1", "--kind", "BUSINESS", "--type", "henvisning")
    [newest] = site.lines("message", "list", "--limit", "1", "--type", "henvisning")
    header, row, cut = out.splitlines()
    assert code == 0 and {"outcome", "MsgId", "type"} <= set(header.split())
    assert message_id in row and " dead " in row and f"{SURGERY.name} ({SURGERY.her_id})" in row
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T", row)
    assert re.match(r"1 of \d+, the newest", cut)
    assert (newest["id"], newest["outcome"], newest["to_name"]) == (message_id, "dead", SURGERY.name)
    for command in (("deadletter", "list"), ("delivery", "list", "--state", "DEAD")):
        code, out, _ = site(*command, "--limit", "1", "--to", SURGERY.her_id)
        header, row, cut = out.splitlines()
        assert message_id in row and newest["msg_id"] in row and " HENVISNING" in row and SURGERY.name in row
        assert "http-permanent" in row and "Check the address" in row
    [listed] = site.lines("deadletter", "list", "--limit", "1", code=1)
    assert (listed["message_id"], listed["cause"], listed["msg_id"]) == (message_id, "http-permanent", newest["msg_id"])
    assert (
        "2 discarded" in site("deadletter", "discard", *(d["id"] for d in site.lines("deadletter", "list", code=1)))[1]
    )


def test_a_trace_has_dates_and_says_who_acted(site):
    message_id = site.submitted(behaviour="down")
    site("message", "hold", message_id, "--why", "vent litt")
    _, out, _ = site("message", "trace", message_id)
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} CES?T  ", line) for line in out.splitlines()[:-1])
    assert f"vent litt  [held]  by {getpass.getuser()}" in out


MISTAKEN = (
    ("message", "list", "--kind", "foo"),
    ("message", "list", "--type", "HENVIS"),
    ("message", "list", "--since", "i går"),
    ("delivery", "list", "--state", "daed"),
    ("delivery", "list", "--type", "HENVIS"),
    ("arrival", "list", "--state", "foo"),
    ("arrival", "list", "--code", "foo"),
    ("arrival", "list", "--type", "HENVIS"),
    ("deadletter", "list", "--limit", "0"),
)


@pytest.mark.parametrize("args", MISTAKEN, ids=" ".join)
def test_a_word_that_there_is_not_is_a_mistake_that_names_those_there_are(site, args):
    code, out, err = site(*args)
    assert code == 2 and out == ""
    assert "limit" in err or "there are: " in err or "neither a date nor a time" in err


def test_what_cannot_be_written_is_one_sentence(site):
    message_id = site.submitted()
    code, _, err = site("message", "export", message_id, "--out", "/nonexistent/x")
    assert (code, len(err.splitlines())) == (2, 1) and "/nonexistent/x" in err


def test_what_was_refused_at_the_door_is_listed_shown_exported_and_put_away(site, tmp_path):
    """With the record system that handed it over, and its own ids; put away only with a reason."""
    file = site.document("dialog-helsefaglig")
    file.write_text(file.read_text("utf-8").replace("MIGversion>", "MIGversjon>"), "utf-8")
    site.lines("submit", str(file), code=1)

    [row] = site.lines("arrival", "list", "--code", "DOCUMENT-SCHEMA", "--from", DOCTOR.her_id, "--limit", "1")
    assert (row["from_her"], row["type_code"], row["from_name"]) == (DOCTOR.her_id, "DIALOG_HELSEFAGLIG", DOCTOR.name)
    assert site.lines("arrival", "show", row["msg_id"].upper())[0]["id"] == row["id"]
    assert "handed it over" not in site("message", "show", row["msg_id"])[1]
    assert f"samhub arrival show {row['id']}" in site("message", "show", row["msg_id"])[2]
    code, out, _ = site("arrival", "show", row["id"][:13])
    assert code == 0 and DOCTOR.name in out and "not possible: legesenter was told so to its face" in out
    copy = tmp_path / "bytes"
    assert site("arrival", "export", row["id"], str(copy))[0] == 0
    assert copy.read_bytes() == file.read_bytes() and copy.stat().st_mode & 0o777 == 0o600
    assert site("arrival", "export", row["id"], str(copy))[0] == 2
    assert site("arrival", "judge", row["id"])[0] == 1
    assert site("arrival", "discard", row["id"])[0] == 2
    assert site("arrival", "discard", row["id"], "--why", "rettet hos dem")[0] == 0
    assert row["id"] not in {a["id"] for a in site.lines("arrival", "list")}
    assert row["id"] in {a["id"] for a in site.lines("arrival", "list", "--state", "discarded")}


def test_message_trace_tells_the_whole_way(site):
    """Journal, attempts and outcome, in order."""
    message_id = site.submitted()
    site.until(message_id, "done")

    _, out, _ = site("message", "trace", message_id)
    [traced] = site.lines("message", "trace", message_id)

    words = [word for line in out.splitlines() for word in line.split() if word in WAY]
    assert words == ["received", "routed", "attempt", "acknowledged", "apprec_ok"]
    assert out.endswith("outcome: delivered\n")
    assert [e["event"] for e in traced["journal"]] == ["received", "routed", "acknowledged", "apprec_ok"]
    assert len(traced["attempts"]) == 1
    assert [one["kind"] for one in traced["receipts"]] == ["acknowledgment", "apprec"]


WAY = {"received", "routed", "attempt", "acknowledged", "apprec_ok"}


def test_message_ask_tells_what_the_partner_says(site):
    """Exit 0 when it has the message, 1 when it has not or says nothing, 2 when used wrongly; the journal keeps it."""
    message_id = site.submitted()
    site.until(message_id, "done")

    code, out, _ = site("message", "ask", message_id)
    [told] = site.lines("message", "ask", message_id)
    [traced] = site.lines("message", "trace", message_id)

    assert code == 0 and out.startswith(f"HER-id {SURGERY.her_id}: Received, signed; HTTP 200")
    assert (told["message_status"], told["signed"], told["by_itself"], told["good"]) == ("Received", True, False, True)
    assert [e["event"] for e in traced["journal"]].count("told") == 2

    site.steer(SURGERY.her_id, "forbidden")
    [silent] = site.lines("message", "ask", message_id, "--seconds", "0.5", code=1)
    assert not silent["good"] and "its answer comes by itself: none has come within 0.5 s" in silent["because"]
    site.steer(SURGERY.her_id, "good")
    assert site("message", "ask", "ukjent")[0] == 1
    assert site("message", "ask", message_id, "--seconds", "never")[0] == 2


def test_message_export_gives_the_document_byte_for_byte(site, tmp_path):
    """To a file, or to standard output."""
    file = site.document()
    [handed] = site.lines("submit", str(file))

    assert site("message", "export", handed["message_id"], "--out", str(tmp_path / "ut.xml"))[0] == 0
    assert (tmp_path / "ut.xml").read_bytes() == file.read_bytes()
    assert site("message", "export", handed["message_id"])[1] == file.read_text("utf-8")
    assert site("message", "export", "finnes-ikke")[0] == 1


def test_a_message_is_held_and_released(site):
    """Held while its partner is down, released when it is back; the running hub does the rest."""
    message_id = site.submitted(behaviour="down")

    held, out, err = site("message", "hold", message_id, "--why", "feil avdeling?")
    site.steer(SURGERY.her_id, "good")
    assert held == 0 and "held" in out, err
    assert site.until(message_id, "held")["because"] == "feil avdeling?"
    assert site("message", "release", message_id)[0] == 0

    site.until(message_id, "done")
    assert site("message", "release", message_id)[0] == 1  # nothing there to let go


def test_a_message_is_resent_to_those_who_did_not_get_it(site):
    """Two receivers, one delivered and one dead: resend takes the dead one and leaves the other alone."""
    site.steer(LABORATORY.her_id, "good")
    site.steer(SURGERY.her_id, "forbidden")
    [handed] = site.lines("submit", str(two_receivers(site)))
    message_id = handed["message_id"]
    site.until(message_id, "done")
    dead = site.until(message_id, "dead")
    site.steer(SURGERY.her_id, "good")

    code, out, err = site("message", "resend", message_id)

    assert code == 0, err
    assert out.splitlines() == [f"{dead['id']}  to {SURGERY.her_id}: waiting"]
    eventually(lambda: all(d["state"] == "done" for d in site.lines("message", "show", message_id)[0]["deliveries"]))


def two_receivers(site):
    """A referral to the surgical ward with a copy to the laboratory."""
    from datetime import UTC, datetime
    from uuid import uuid4

    from ops.samples.make import make

    now, msg_id = datetime.now(UTC), str(uuid4())
    sample = make("henvisning", sender=DOCTOR, receiver=SURGERY, copies=[LABORATORY], gen_date=now, msg_id=msg_id)
    file = site.folder / f"{msg_id}.xml"
    file.write_bytes(sample.document)
    return file


# --- delivery, deadletter, receipts


def test_dead_letters_are_listed_resent_and_discarded(site):
    """Exit 1 while there are any; resend brings one home, discard puts one away, and the list is empty again."""
    first, second = site.submitted(behaviour="forbidden"), site.submitted(behaviour="forbidden")
    letters = [site.until(m, "dead") for m in (first, second)]

    listed = site.lines("deadletter", "list", code=1)
    assert {d["id"] for d in listed} == {d["id"] for d in letters}
    assert site("deadletter", "resend")[0] == 2  # which?
    site.steer(SURGERY.her_id, "good")
    code, out, _ = site("deadletter", "resend", letters[0]["id"], "--why", "ringte dem")
    assert code == 0 and "1 sent again" in out
    code, out, _ = site("deadletter", "discard", letters[1]["id"])
    assert code == 0 and "1 discarded" in out

    site.until(first, "done")
    assert site.lines("deadletter", "list") == []
    assert site("deadletter", "resend", "finnes-ikke")[0] == 1


def test_all_dead_letters_to_one_partner_are_resent_at_once(site):
    """`--all --to`."""
    ids = [site.submitted(behaviour="forbidden") for _ in range(2)]
    for message_id in ids:
        site.until(message_id, "dead")
    site.steer(SURGERY.her_id, "good")

    assert "0 sent again" in site("deadletter", "resend", "--all", "--to", LABORATORY.her_id)[1]
    assert "2 sent again" in site("deadletter", "resend", "--all", "--to", SURGERY.her_id)[1]

    for message_id in ids:
        site.until(message_id, "done")


def test_delivery_list_filters_by_state(site):
    """One state, or several."""
    message_id = site.submitted(behaviour="never-apprec")
    waiting = site.until(message_id, "acknowledged")

    assert waiting["id"] in {d["id"] for d in site.lines("delivery", "list", "--state", "acknowledged")}
    assert waiting["id"] not in {d["id"] for d in site.lines("delivery", "list", "--state", "done")}


def test_receipts_overdue_is_empty_while_nothing_is(site):
    """Exit 0 and a word; what is overdue is proven with a clock in test_apprecs."""
    code, out, _ = site("receipts", "overdue")

    assert (code, out.strip()) == (0, "no AppRec is overdue")


# --- party, agreement, route, certs, db


def test_party_list_and_show(site):
    """Five parties; one with its certificates; an unknown one is exit 1."""
    listed = site.lines("party", "list")

    assert {p["her_id"] for p in listed} == {m.her_id for m in SECTOR}
    [shown] = site.lines("party", "show", SURGERY.her_id)
    assert [c["state"] for c in shown["certificates"]] == ["good", "good"]
    assert site("party", "show", "1")[0] == 1


def test_certs_check_is_content_with_the_example(site):
    """Exit 0, two certificates for each party."""
    rows = site.lines("certs", "check")

    assert len(rows) == 10 and {row["state"] for row in rows} == {"good"}


def test_route_explain_names_the_rule_that_decides(site):
    """For each receiver, what was looked at and because of what."""
    [explained] = site.lines("route", "explain", str(site.document()))

    assert explained["receiver"] == SURGERY.her_id
    assert [step["rule"] for step in explained["steps"] if step["matched"]] == ["built-in: remote"]
    assert "decides  built-in: remote" in site("route", "explain", str(site.document()))[1]


def test_an_agreement_is_imported_listed_and_shown(site, standards):
    """A real CPA; what it says in words; what is no CPA is exit 1 and is not brought in."""
    file = standards / "cpa" / "nav-ebxml-processor-history" / "nav.qass.12345.xml"

    code, out, _ = site("agreement", "import", str(file))

    assert code == 0 and "CPA nav:qass:12345" in out
    assert [a["cpa_id"] for a in site.lines("agreement", "list")] == ["nav:qass:12345"]
    assert "OppgjorsKontroll" in site("agreement", "show", "nav:qass:12345")[1]
    assert site("agreement", "show", "finnes-ikke")[0] == 1
    assert site("agreement", "import", str(site.document()))[0] == 1


def test_what_of_an_agreement_is_not_followed_is_told_at_import_in_the_list_and_by_config_check(site, standards):
    """With what happens then; exit 0, since the rest of it is used."""
    from ops.cli.common import configuration

    file = standards / "cpa" / "ebms-core" / "cpaStubEBF.be.http.unsigned.sync.xml"
    try:
        for args in (("agreement", "import", str(file)), ("agreement", "list"), ("config", "check")):
            code, out, err = site(*args)
            assert code == 0, err
            for words in (
                "unused: PartyId",
                "no HER-id",
                "signalsAndResponse is done as mshSignalsOnly",
                "unsigned is agreed",
            ):
                assert words in out, args
        [listed] = [a for a in site.lines("agreement", "list") if a["cpa_id"] == "cpaStubEBF.be.http.unsigned.sync"]
        assert {r["element"] for r in listed["remarks"]} >= {"PartyId", "syncReplyMode", "isNonRepudiationRequired"}
        code, out, _ = site("validate", str(file))
        assert "not followed here: PartyId" in out
    finally:
        (configuration(site.folder).registry.agreements / "cpaStubEBF.be.http.unsigned.sync.xml").unlink(
            missing_ok=True
        )


def test_an_agreement_whose_confidentiality_cannot_be_kept_is_refused_everywhere(site, standards):
    """Exit 1 at import, and nothing is brought in; one that lies there already is a mistake of the configuration."""
    from ops.cli.common import configuration

    folder = configuration(site.folder).registry.agreements
    before = set(folder.iterdir())
    file = standards / "cpa" / "ebms-core" / "cpaStubEBF.rm.https.signed.encrypted.xml"
    code, _, err = site("agreement", "import", str(file))
    assert code == 1 and "XMLENC" in err and "nothing is sent by it" in err
    assert set(folder.iterdir()) == before
    there = folder / "xmlenc.xml"
    there.write_bytes(file.read_bytes())
    try:
        code, out, _ = site("agreement", "list")
        assert code == 1 and "refused: DigitalEnvelopeProtocol" in out
        code, _, err = site("config", "check")
        assert code == 2 and "DigitalEnvelopeProtocol" in err
        assert site("validate", str(there))[0] == 1
    finally:
        there.unlink()


def test_settings_of_an_agreement_that_is_not_there_are_a_mistake(site):
    """Exit 2: a cpaid with a slip of the pen would never be found out."""
    from ops.cli.common import configuration

    file = configuration(site.folder).registry.parties
    before = file.read_text("utf-8")
    file.write_text(f'{before}\n[[agreement]]\ncpa_id = "nav:slip"\nacknowledgment_refers = "always"\n', "utf-8")
    try:
        code, _, err = site("config", "check")
        file.write_text(file.read_text("utf-8") + '\n[[agreement]]\ncpa_id = "nav:slip"\n', "utf-8")
        twice = site("config", "check")
    finally:
        file.write_text(before, "utf-8")
    assert code == 2 and "agreement nav:slip has settings in the party file" in err
    assert twice[0] == 2 and "agreement nav:slip stands there twice" in twice[2]


def test_what_would_be_a_dead_letter_is_told_by_the_configuration_check(site, tmp_path):
    """Exit 2, all at once: hosts and ports that there cannot be, a certificate that nothing can be encrypted for."""
    from ops.cli.common import configuration
    from tests.journeys.test_retries import of_ec

    file = configuration(site.folder).registry.parties
    before = file.read_text("utf-8")
    rows = [
        ("8009901", 'endpoint = "http://partner.example:99999/ebxml"'),
        ("8009902", 'endpoint = "https://a..b/ebxml"'),
        ("8009903", 'endpoint = "mailto:ingen"'),
        ("8009904", f'endpoint = "https://b.example/"\nencryption_certificate = "{of_ec(tmp_path)}"'),
    ]
    file.write_text(before + "".join(f'\n[[party]]\nher_id = "{her}"\n{row}\n' for her, row in rows), "utf-8")
    try:
        code, _, err = site("config", "check")
        file.write_text(f'{before}\n[[party]]\nher_id = "8009905"\nretry_interval_seconds = 1e300\n', "utf-8")
        beyond = site("config", "check")
    finally:
        file.write_text(before, "utf-8")
    assert code == 2
    for her, words in (
        ("8009901", "names no host and port that there can be"),
        ("8009902", "names no host and port that there can be"),
        ("8009903", "is no mail address"),
        ("8009904", "its key is not RSA"),
    ):
        assert any(f"party {her}" in line and words in line for line in err.splitlines()), err
    assert beyond[0] == 2 and "retry_interval_seconds" in beyond[2]


def test_two_files_with_one_cpaid_are_a_mistake_that_names_both(site):
    """Exit 2; a third one is not brought in."""
    from ops.cli.common import configuration

    folder = configuration(site.folder).registry.agreements
    text = agreement("nav:twice", Side(DOCTOR.her_id, b"", b""), Side(PHYSIO.her_id, b"", b""))
    for name in ("a.xml", "b.xml"):
        (folder / name).write_text(text, "utf-8")
    try:
        code, _, err = site("config", "check")
        third = site("agreement", "import", str(folder / "a.xml"))
        names = {file.name for file in folder.iterdir()}
    finally:
        for name in ("a.xml", "b.xml"):
            (folder / name).unlink()
    assert code == 2 and "agreement b.xml cannot be used" in err and "that of a.xml too" in err
    assert third[0] == 1 and "has the same cpaid" in third[2] and names >= {"a.xml", "b.xml"}


def test_party_show_tells_in_which_form_receipts_go(site):
    """The setting, and what its own receipts were seen to have."""
    site.submitted()
    eventually(lambda: site.lines("party", "show", SURGERY.her_id)[0]["its_acknowledgments_refer"])

    [shown] = site.lines("party", "show", SURGERY.her_id)
    assert shown["acknowledgment_refers"] == "auto"
    assert shown["its_acknowledgments_refer"]["value"] == "no"
    words = site("party", "show", SURGERY.her_id)[1]
    assert "acknowledgment_refers auto; its own have no MessageData/RefToMessageId, seen 2" in words


def test_db_check_and_backup_while_the_hub_runs(site, tmp_path):
    """Every promise is kept, in the copy too."""
    from ops.cli.common import configuration

    assert site.lines("db", "check") == [{"broken": []}]
    assert site("db", "backup", str(tmp_path / "kopi"))[0] == 0

    name = configuration(site.folder).store.path.name
    assert (tmp_path / "kopi" / name).stat().st_size > 0


def test_a_command_that_there_is_not_is_used_wrongly(site):
    """Exit 2."""
    assert site("message", "finnes-ikke")[0] == 2


def test_a_key_that_is_not_its_certificates_is_told_at_the_start(tmp_path):
    """Exit 2: found out before the first partner refuses a signature."""
    folder = tmp_path / "site"
    CliRunner().invoke(app, ["init", str(folder)])
    keys = folder / "certs" / "legesenter"
    (keys / "sign.key.pem").write_bytes((keys / "encrypt.key.pem").read_bytes())

    done = CliRunner().invoke(app, ["config", "check", "--config", str(folder)])

    assert done.exit_code == 2
    assert "sign.key.pem is not the key of sign.cert.pem" in done.stderr
