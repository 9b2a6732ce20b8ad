"""Writes ops/reference/conformance.md: `python -m tests.acceptance.report` plays every official case and says what came of it."""

from __future__ import annotations

import ast
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from hub.checks.content.chain import RULES
from hub.codes import REASONS
from ops.partner.aside import Aside
from ops.partner.handles import Pki
from ops.reference.make import FOLDER, table
from tests.acceptance.cases import cases, expected
from tests.acceptance.hall import Hall, Happened
from tests.support.standards import REPO, STANDARDS

PAGE = FOLDER / "conformance.md"
TESTS = REPO / "tests/unit/test_content_rules.py"
SENT = {
    "": "to its receiver",
    "copy": "to the copy receiver",
    "both": "to receiver and copy receiver, one installation",
    "twice": "the same envelope twice",
    "level 1": "to the organisation; the unit or person is not ours",
    "unknown": "to a HER-id that is not ours",
}


def page(happened: Mapping[str, Happened]) -> str:
    """The whole page."""
    return "\n".join(["# Conformance\n", _counts(happened), _rules(), _cases(happened)])


def _counts(happened: Mapping[str, Happened]) -> str:
    grave = sum(1 for rule in RULES if rule.severity == "error")
    by = Counter(one.case.expected.by for one in happened.values())
    kept = sum(1 for one in happened.values() if one.reaction == one.case.expected.reaction)
    stand_ins = sum(1 for one in happened.values() if one.case.stands_in)
    return (
        "Made by `python -m tests.acceptance.report`; needs the official samples (`SAMHUB_STANDARDS`).\n\n"
        f"- {len(RULES)} content rules: {grave} refuse, {len(RULES) - grave} are remarked; each is broken by a test of its own.\n"
        f"- {kept} of {len(happened)} official acceptance cases get the reaction that a message handler owes:"
        f" {by['message handler']} are its own, {by['record system']} are handed on because only a record system can"
        f" judge them, {by['both']} are remarked here and judged there.\n"
        f"- {stand_ins} of the cases name a party without HER-id; there a party of ours stands in the envelope.\n"
        "- The rules of HITS 1172 and HIS 1037, row by row: [RULES-HITS1172.md](../../hub/RULES-HITS1172.md)."
        " The schemas: `tests/agreement`, [standards.md](standards.md).\n\n"
        "Not played: the acceptance cases of standards that have no schema here (EPJ content, kjernejournal), and those"
        " for *sending* systems, which are about a record system's screens. A case marked *record system* shows only that"
        " the document arrives whole and is accepted; what its criterion asks (a warning that the patient has no record, a"
        " cancellation that finds its original) is for the record system to show.\n"
    )


def _rules() -> str:
    tested = by_rule()
    rows = [
        (
            r.id,
            r.severity,
            r.clause,
            REASONS[r.code].apprec if r.severity == "error" else "",
            REASONS[r.code].ebms if r.severity == "error" else "",
            ", ".join(f"`{name}`" for name in tested[r.id]),
        )
        for r in RULES
    ]
    head = ("rule", "severity", "clause", "AppRec", "ebXML", "its tests (tests/unit/test_content_rules.py)")
    return "## Content rules\n\nIn words: [content-rules.md](content-rules.md).\n\n" + table(head, rows)


def by_rule() -> dict[str, list[str]]:
    """Rule → tests that name it; a table at the top belongs to the test that walks through it."""
    tree = ast.parse(TESTS.read_text("utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    tables = {target: words for node in tree.body for target, words in _table(node)}
    found: dict[str, list[str]] = {rule.id: [] for rule in RULES}
    for test in tests:
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        said = _words(test) | {word for name in names & tables.keys() for word in tables[name]}
        for rule in found.keys() & said:
            found[rule].append(test.name)
    return found


def _table(node: ast.stmt) -> Iterable[tuple[str, set[str]]]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, _words(node)


def _words(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _cases(happened: Mapping[str, Happened]) -> str:
    folders: dict[str, list[Happened]] = {}
    for one in happened.values():
        folders.setdefault(one.case.expected.case.rpartition("/")[0], []).append(one)
    parts = [
        "## Official acceptance cases\n\nThe criterion is its number in KITH's document, or the scenario's name.\n"
    ]
    head = ("case", "criterion", "sent", "expected", "came", "whose task", "because")
    for folder in sorted(folders):
        rows = [_row(one) for one in sorted(folders[folder], key=lambda one: one.case.expected.case)]
        parts.append(f"### {folder}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _row(one: Happened) -> tuple[str, ...]:
    row = one.case.expected
    stand_in = f" (stand-in: {one.case.stands_in})" if one.case.stands_in else ""
    wanted = f"{row.reaction}, remark {row.remark}" if row.remark else row.reaction
    came = [one.reaction, f"handed on {len(one.handed)}×" if one.handed else "", _versions(one)]
    name = row.case.rpartition("/")[2]
    return name, row.criterion, SENT[row.sent] + stand_in, wanted, ", ".join(filter(None, came)), row.by, row.because


def _versions(one: Happened) -> str:
    """How many AppRecs, and of which version."""
    years = Counter("1.0" if b"apprec/2004-11-21" in apprec.raw else "1.1" for apprec in one.apprecs)
    return ", ".join(f"AppRec {version}" + (f" ×{count}" if count > 1 else "") for version, count in years.items())


def main() -> None:
    """Plays, and writes the page."""
    from tests.acceptance.conftest import quiet

    aside = Aside()
    with tempfile.TemporaryDirectory() as name, quiet():
        hall = Hall(Path(name), Pki.made(Path(name) / "pki"), aside)
        PAGE.write_text(page(hall.play(cases(STANDARDS, expected()))), "utf-8")
        hall.close()
    aside.close()
    print(PAGE)


if __name__ == "__main__":
    main()
