"""Lines of one message in one thread: proven (P4), accepted (P5), split (P11), validated, and what hostile ones cost (P20)."""

from __future__ import annotations

import email
import email.policy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, cast

from lxml import etree

from hub.checks import chain
from hub.checks.inspection import Check, Inspection, run
from hub.formats import mime, xml
from hub.kit import Kit
from hub.message import Arrival
from hub.trust.pattern import Patterns
from ops.bench import floors, hostile
from ops.bench.harness import ROUNDS, SHORT, SHORT_ROUNDS, Case, Rounds, interleaved, turn_about
from ops.bench.line import Figure, Line, Part
from ops.bench.material import Bed, Wire, document

SIZE = 20_000
#: Different messages in a case: more than the caches of a processor next to it hold.
MESSAGES = 40
TRANSFERS: tuple[Literal["binary", "base64"], ...] = ("binary", "base64")
#: Checks that are not stages 1 to 8 of the path: measured as a part of their own.
CONTENT = frozenset({"content"})


def stages() -> tuple[Check, ...]:
    """Everything from the bytes to a valid document: split, read, proven, opened, parsed, validated."""
    every = chain.READING + chain.TRANSPORT + chain.DOCUMENT
    return tuple(check for check in every if check.__name__ not in CONTENT)


def judged(wire: Wire, kit: Kit, checks: tuple[Check, ...]) -> Inspection:
    """A message through some checks; nothing is kept."""
    now = kit.clock.now()
    inspection = Inspection(Arrival("bench", "ebxml_http", now, wire.headers, wire.body), now)
    run(checks, inspection, kit)
    return inspection


def accept(bed: Bed, kit: Kit, *, rounds: int = SHORT_ROUNDS, batch: float = SHORT) -> Line:
    """P5: what we make of a message ÷ what the libraries alone would cost for it, one call after another.

    Each message is another one of the same partner, with ids, digests and a signature of its own, as on a working day.
    The floor goes through the same bytes, which neither side finds in the nearest cache; what it is given as a tree is
    always that of the first one, as warm as one that has just been parsed.
    """
    checks = stages()
    binary, encoded = ([bed.message(document(SIZE), transfer) for _ in range(MESSAGES)] for transfer in TRANSFERS)
    accepted = [judged(wire, kit, checks) for wire in binary]
    bare = [floors.of_message(each, bed.decryption, kit.schemas).cases() for each in accepted]
    warm = {name: case for name, case in bare[0].items() if name in floors.OF_TREES}
    below = _one_after_the_other([{**cases, **warm} for cases in bare])
    found = turn_about(_each(binary, kit, checks), below, rounds=rounds, batch=batch)
    figures = [Figure("20 kB", found.undisturbed("above") / found.undisturbed("below"), 1.4, 1.15)]
    cases: dict[str, Case] = {
        "base64": _each(encoded, kit, checks),
        "unknown": _each(binary, kit, checks, forget=True),
        "content rules": partial(_rest, accepted[0], kit),
        **bare[0],
    }
    single = interleaved(cases, rounds=ROUNDS, batch=2 * batch)
    whole = found.undisturbed("below") * 1e6
    parts = [
        Part("accept, stages 1–8", found.undisturbed("above") * 1e6, whole),
        Part("the same, payload in base64 on the way", single.undisturbed("base64") * 1e6, whole),
        Part("the same, its envelope like none before", single.undisturbed("unknown") * 1e6, whole),
    ]
    parts += _stage_parts(binary, kit, checks)
    parts += [Part(f"floor: {name.replace('_', ' ')}", 0, single.median(name) * 1e6) for name in bare[0]]
    parts += [Part("content rules (beyond stage 8)", single.median("content rules") * 1e6)]
    what = "accept (split, read, verify, decrypt, parse, validate) ÷ parse, C14N, SHA-256, RSA, AES, validation alone"
    return Line(what, figures, parts, max(found.neighbours, single.neighbours))


def _each(wires: Sequence[Wire], kit: Kit, checks: tuple[Check, ...], *, forget: bool = False) -> Case:
    """One message after the other, round and round; as the first of its kind where the hub is to `forget`."""
    following = itertools.cycle(wires)

    def once() -> None:
        judged(next(following), replace(kit, patterns=Patterns()) if forget else kit, checks)

    return once


def _rest(accepted: Inspection, kit: Kit) -> None:
    run(tuple(check for check in chain.DOCUMENT if check.__name__ in CONTENT), accepted, kit)


def _one_after_the_other(floors_of_each: Sequence[Mapping[str, Case]]) -> Case:
    """All floors of one message after those of the other, round and round."""
    following = itertools.cycle([tuple(cases.values()) for cases in floors_of_each])

    def once() -> None:
        for case in next(following):
            case()

    return once


def _stage_parts(wires: Sequence[Wire], kit: Kit, checks: tuple[Check, ...]) -> list[Part]:
    """Every check by itself, in its place in the chain."""
    import statistics
    import time

    spent: dict[str, list[float]] = {}
    for wire in itertools.islice(itertools.cycle(wires), 100):
        now = kit.clock.now()
        inspection = Inspection(Arrival("bench", "ebxml_http", now, wire.headers, wire.body), now)
        for check in checks:
            begun = time.thread_time()
            check(inspection, kit)
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            spent.setdefault(name, []).append(time.thread_time() - begun)
    return [Part(name, statistics.median(each) * 1e6) for name, each in spent.items()]


def validate(kit: Kit, *, rounds: int = ROUNDS, batch: float = 0.05) -> Line:
    """Parsing within bounds and validating with a choice of schemas ÷ lxml told which schema to use."""
    raw = document(SIZE)
    bounds = xml.Bounds.for_document(kit.settings.max_message_bytes)
    schema = floors.driver(kit.schemas, floors.parsed(raw))

    def ours() -> None:
        kit.schemas.validate(cast(etree._Element, xml.parse(raw, bounds)))

    def bare() -> None:
        schema.validate(floors.parsed(raw))

    found = interleaved({"ours": ours, "bare": bare}, rounds=rounds, batch=batch)
    parts = [Part("parse + validate", found.median("ours") * 1e6, found.median("bare") * 1e6)]
    figure = Figure("20 kB", found.ratio(["ours"], ["bare"]), 1.2, 1.1)
    return Line("parse and validate a document of 20 kB ÷ lxml alone", [figure], parts, found.neighbours)


def split(bed: Bed, *, rounds: int = ROUNDS, batch: float = 0.05) -> Line:
    """P11: the standard library's email package ÷ our reader of multipart/related."""
    figures, parts, neighbours = [], [], 0.0
    for name, size, gate, goal in (("20 kB", SIZE, 50.0, 150.0), ("1 MB", 1_000_000, 30.0, 80.0)):
        wire = bed.message(document(size), "binary")
        cases: dict[str, Case] = {
            "ours": partial(mime.read, wire.headers, wire.body),
            "email": partial(_by_email, wire),
        }
        found = interleaved(cases, rounds=rounds, batch=batch)
        figures.append(Figure(name, found.ratio(["email"], ["ours"]), gate, goal, at_most=False))
        parts.append(Part(f"split, {name}", found.median("ours") * 1e6, found.median("email") * 1e6))
        neighbours = max(neighbours, found.neighbours)
    return Line("multipart split: email package ÷ ours", figures, parts, neighbours, "the floor column is the peer")


def _by_email(wire: Wire) -> list[object]:
    head = f"Content-Type: {wire.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + wire.body, policy=email.policy.HTTP)
    return [part.get_payload(decode=True) for part in message.iter_parts()]


def worst(kit: Kit, *, sizes: tuple[int, ...] = (SIZE, 200_000), rounds: int = ROUNDS, batch: float = 0.01) -> Line:
    """P20: the dearest hostile document ÷ an honest dense one of the same size, until it is refused."""
    figures, parts, neighbours = [], [], 0.0
    for size in sizes:
        cases = _hostile_cases(kit, size)
        found = interleaved(cases, rounds=rounds, batch=batch)
        neighbours = max(neighbours, found.neighbours)
        honest = found.median("honest")
        dearest = max((name for name in cases if name != "honest"), key=found.median)
        value = found.ratio([dearest], ["honest"])
        figures.append(Figure(f"{size // 1000} kB, dearest: {dearest}", value, 3.0, 1.0))
        parts += [Part(f"{size // 1000} kB {name}", found.median(name) * 1e6, honest * 1e6) for name in cases]
    what = "hostile document of size n ÷ honest dense document of size n, until it is refused"
    note = "as an envelope from anybody, and as the payload of a known partner; the floor column is the honest one"
    return Line(what, figures, parts, neighbours, note)


def _hostile_cases(kit: Kit, size: int) -> Mapping[str, Case]:
    cases: dict[str, Case] = {"honest": partial(_as_document, kit, document(size, dense=True))}
    for name, maker in hostile.DOCUMENTS.items():
        cases[f"{name} as document"] = partial(_as_document, kit, maker(size))
    for name, maker in hostile.ENVELOPES.items():
        cases[f"{name} as envelope"] = partial(_as_envelope, kit, maker(size))
    return cases


def _as_document(kit: Kit, raw: bytes) -> None:
    now = kit.clock.now()
    inspection = Inspection(Arrival("bench", "folder", now, {}, raw, "bench"), now, raw=raw)
    run(chain.SUBMISSION, inspection, kit)


def _as_envelope(kit: Kit, raw: bytes) -> None:
    judged(Wire({"Content-Type": 'text/xml; charset="UTF-8"'}, raw), kit, stages())


def verify(bed: Bed, *, rounds: int = ROUNDS, batch: float = 0.05) -> Line:
    """P4: signxml and python-xmlsec ÷ ours, parse and verify one signed envelope of 20 kB."""
    from ops.bench import peers

    raw = peers.signed_envelope(bed.sender, document(SIZE))
    cases: dict[str, Case] = {"ours": partial(peers.ours, raw), "python-xmlsec": peers.by_xmlsec(raw, bed.sender)}
    signxml = peers.by_signxml(raw, bed.sender)
    if signxml is not None:
        cases["signxml"] = signxml
    found = interleaved(cases, rounds=rounds, batch=batch)
    return _against_peers(found, cases)


def _against_peers(found: Rounds, cases: Mapping[str, Callable[[], object]]) -> Line:
    gates = {"signxml": (2.5, 3.5), "python-xmlsec": (1.6, 2.2)}
    there = [name for name in gates if name in cases]
    figures = [Figure(name, found.ratio([name], ["ours"]), *gates[name], at_most=False) for name in there]
    ours = found.median("ours") * 1e6
    parts = [Part(f"verify by {name}", ours, found.median(name) * 1e6) for name in there]
    missing = [name for name in gates if name not in cases]
    note = f"peer not installed: {', '.join(missing)}" if missing else "the floor column is the peer"
    return Line("verify a signed envelope of 20 kB: peer ÷ ours", figures, parts, found.neighbours, note)
