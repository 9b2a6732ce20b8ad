"""Makes the reference pages anew: `python -m ops.reference.make` writes them beside this file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hub import judgement, norwegian, states
from hub.checks.content.chain import RULES
from hub.codes import REASONS
from hub.events import Event
from hub.formats.schema_words import PHRASES
from hub.seen import METRICS, Seen, seen
from ops import config
from ops.partner.behaviours import BY_MAIL, HTTP_ONLY, RECEIVING, SENDING
from ops.partner.peers import MANNERS, PEERS
from routing.rule import Match, Then
from xsd.catalogue import Catalogue

FOLDER = Path(__file__).parent


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {name: f"# {title}\n\n{made()}" for name, (title, made) in _PAGES.items()}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _codes() -> str:
    rows = [(f"`{r.code}`", r.text, r.hint, r.blame, _seen(r.code), r.ebms, r.apprec, r.http) for r in REASONS.values()]
    head = ("code", "what", "what to do", "whose fault", "seen in", "ebXML errorCode", "AppRec (8221)", "HTTP")
    lists = "".join(f"| `{w}` | {f'`{m}`' if m else ''} |\n" for w, m in METRICS.items() if w not in _NO_LIST)
    return (
        "One register: a code means the same at every door, in the journal and in the metrics.\n\n"
        "Whatever ends with a code stands on a list of people, as its code or as the cause behind it, and is counted by a"
        " metric. *Journal*: it ends nothing; it stands in `samhub message trace` and is counted by `samhub_events_total`."
        " *Answer*: nothing was taken; who asked or handed over was told so at once, and has it still. A document that a"
        " partner sent and that is refused is answered by a negative AppRec; where none may be sent, it stands on the list"
        " of arrivals.\n\n| list | metric |\n|---|---|\n" + lists + "\n" + table(head, rows)
    )


#: What is no list.
_NO_LIST = (Seen.JOURNAL, Seen.ANSWER)


def _seen(code: str) -> str:
    return ", ".join(str(where) if where in _NO_LIST else f"`{where}`" for where in seen(code))


def _rules() -> str:
    intro = (
        "What is asked of a document beyond its schema. An *error* is answered by a negative AppRec with the code named"
        ' (or passed and remarked, with `hub.content_rules = "warn"`); a *warning* refuses nothing (HIS 80415 3.3.2).\n\n'
    )
    rows = [
        (
            r.id,
            r.severity,
            REASONS[r.code].apprec if r.severity == "error" else "",
            r.clause,
            r.text,
            norwegian.RULES[r.id][0],
        )
        for r in RULES
    ]
    return intro + table(("rule", "severity", "AppRec", "clause", "English", "norsk"), rows)


def _mistakes() -> str:
    intro = "How a breach of a schema is said; names are those of the standard.\n\n"
    rows = [(f"`schema:{k}`", *said, *norwegian.MISTAKES[k]) for k, said in PHRASES.items()]
    return intro + table(("rule", "what is wrong", "what to do", "hva er feil", "hva gjøres"), rows)


def _states() -> str:
    needs = ", ".join(f"`{s}`" for s in sorted(states.NEEDS_A_PERSON))
    drawn = f"```mermaid\n{states.diagram()}```\n\n"
    rows = [(f"`{m}`", ", ".join(f"`{s}`" for s in sorted(a)), f"`{z}`") for m, (a, z) in states.MOVES.items()]
    return f"{drawn}These ask for a person: {needs}.\n\n" + table(("move", "from", "to"), rows)


def _judgements() -> str:
    intro = (
        "What an attempt met, and what follows: the one table that decides (`hub/judgement.py`). An empty cell fits everything;"
        " exactly one row fits each combination. Where several moves stand, the delivery decides: *finish* where no AppRec is"
        " due, *hand_over* where it has been handed over before.\n\n"
        "- *reached*: `no` nothing was handed over; `maybe` all of it went out and no answer came; `yes` the other side"
        " answered.\n"
        "- *receipt*: `here` a proven receipt, or a refusal of ours, came in the answer; `missing` one is due and did not come,"
        " or cannot be taken; `none due` the hand-over is all there is to hear.\n"
        "- *held*: the other side has had it or has spoken of it, or we stumbled behind the hand-over: no sooner than agreed."
        "\n- *next try*: `back-off` `hub.backoff_first_seconds`, doubled each time up to `hub.backoff_longest_seconds`;"
        " `minutes` `hub.lost_answer_minutes` within the agreed RetryInterval, all of which count as one of its Retries;"
        " `as agreed` the RetryInterval. What asks to be left alone (Retry-After) is, for at most an hour. Retries,"
        " PersistDuration and TimeToLive end them all: then it is given up, or expires, and a person has it.\n\n"
        f"```mermaid\n{judgement.diagram()}```\n\n"
    )
    head = (
        "channel",
        "delivery",
        "reached",
        "receipt",
        "for good",
        "held",
        "move",
        "next try",
        "whose turn",
        "because",
    )
    return intro + table(head, (_judgement(row) for row in judgement.ROWS))


def _judgement(row: judgement.Row) -> tuple[str, ...]:
    sets = (", ".join(sorted(some)) for some in (row.roads, row.whats, row.reached, row.receipts))
    flags = ("" if flag is None else "yes" if flag else "no" for flag in (row.permanent, row.as_agreed))
    return (*sets, *flags, ", ".join(f"`{m}`" for m in row.moves), row.when, row.turn, row.because)


def _events() -> str:
    return "Everything that the journal of a message can say.\n\n" + "".join(f"- `{event}`\n" for event in Event)


def _partner() -> str:
    parts = []
    chapters: tuple[tuple[dict[Any, str], str], ...] = (
        (RECEIVING, "With what it gets"),
        (BY_MAIL, "When it is reached by mail"),
        (SENDING, "How it sends"),
    )
    for sentences, words in chapters:
        rows = [(f"`{b}`", sentence) for b, sentence in sentences.items()]
        parts.append(f"## {words}\n\n" + table(("behaviour", "what it does"), rows))
    only = ", ".join(f"`{b}`" for b in sorted(HTTP_ONLY))
    parts[1] += (
        f"\nThese besides the others, without {only} and `half-request`. A partner is reached by mail in `samhub simulate`"
        " when its endpoint is `mailto:` and `relay.host` is this machine; in the pytest plug-in by"
        ' `samhub_partner(by="mail")`.\n'
    )
    return (
        "Partners for `samhub simulate`, `samhub demo --faults` and the pytest plug-in.\n\n"
        + "\n".join(parts)
        + _peers()
        + "\n## Control interface of `samhub simulate`\n\n"
        + table(
            ("call", "does"),
            [
                ("`GET /`", "all partners, and every behaviour with its sentence"),
                ("`GET /partners/HER`", "one partner, and the ids of what it has received"),
                (
                    "`PUT /partners/HER`",
                    '`{"receiving": "down", "slow_seconds": 2, "late_seconds": 5, "peer": "hermes -gzip"}`: from now on',
                ),
                (
                    "`POST /partners/HER/send`",
                    '`{"to": HER, "kind": "epikrise", "how": "duplicate"}`, or `"document"` in base64 instead of `kind`',
                ),
            ],
        )
    )


def _peers() -> str:
    """Handlers that were met, and what makes them."""
    heads = [f"`{name}`" for name in PEERS]
    rows = [
        (f"`{manner}`", *("x" if manner in kind.manners else "" for kind in PEERS.values()), sentence)
        for manner, sentence in MANNERS.items()
    ]
    return (
        "\n## Handlers that were met\n\n"
        "A partner that is reached by HTTP can be one of them: `samhub simulate --peer HER=hermes`, `PUT /partners/HER`, and"
        ' `samhub_partner(peer="hermes")` in the pytest plug-in. Each is a set of manners; others are put together from'
        ' names and manners, with `-` before what is taken away: `"hermes -gzip"`. What they compare is the agreement (CPA)'
        " between the two, which the site has in its folder `agreements`, and which `samhub_agreement` makes for a test.\n\n"
        + table(("peer", "who"), [(f"`{name}`", kind.sentence) for name, kind in PEERS.items()])
        + "\n"
        + table(("manner", *heads, "what it does"), rows)
    )


def _standards() -> str:
    rows = [
        (
            s.name,
            s.version,
            s.his,
            f"`{s.namespace}`",
            f"`{s.file}`" if s.file else "(none: passes unchecked)",
            s.apprec,
        )
        for s in Catalogue.load().standards()
    ]
    return "Every standard that is known here, from `xsd/index.toml`.\n\n" + table(
        ("standard", "version", "HIS", "namespace", "schema", "AppRec"), rows
    )


def _routing() -> str:
    parts = []
    for model, words in ((Match, "What a rule may look at (`match`)"), (Then, "What it decides (`then`)")):
        rows = [(f"`{name}`", info.description or "") for name, info in model.model_fields.items()]
        parts.append(f"## {words}\n\n" + table(("field", "what"), rows))
    return (
        "`routes.toml` is a list of `[[rule]]` with `name`, `because`, `match` and `then`; the first that fits decides.\n\n"
        + "\n".join(parts)
    )


_PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "settings.md": ("Settings", config.docs),
    "codes.md": ("Codes", _codes),
    "content-rules.md": ("Content rules", _rules),
    "schema-mistakes.md": ("Schema mistakes in plain words", _mistakes),
    "states.md": ("States of a delivery", _states),
    "judgements.md": ("Judgements of an attempt", _judgements),
    "events.md": ("Events of the journal", _events),
    "partners.md": ("Simulated partners", _partner),
    "standards.md": ("Standards", _standards),
    "routing.md": ("Routing tables", _routing),
}


def write() -> list[Path]:
    """Writes every page that has changed, and returns those."""
    changed = []
    for name, text in pages().items():
        target = FOLDER / name
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")
            changed.append(target)
    return changed


if __name__ == "__main__":
    for page in write():
        print(page)
