"""Where each code is seen, as hub.seen says: what makes it agrees, and what ends something is on a list and in a metric.

What really stands there is looked up in tests/bad_input/test_codes_seen.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from hub import seen
from hub.codes import REASONS
from hub.seen import METRICS, Seen

REPO = Path(__file__).resolve().parents[2]
#: Verdicts and outcomes that a module makes → the list on which what ends so stands, by what was driven above.
MADE = {
    ("hub/checks/", "Refuse"): Seen.ARRIVALS,
    ("hub/checks/", "Retry"): Seen.ARRIVALS,
    ("hub/checks/", "Hold"): Seen.HELD,
    ("hub/submission.py", "Refuse"): Seen.ARRIVALS,
    ("hub/bus.py", "Refuse"): Seen.ARRIVALS,
    ("hub/questions.py", "Refuse"): Seen.ARRIVALS,
    ("hub/seal.py", "Refuse"): Seen.DEAD,
    ("hub/seal.py", "Retry"): Seen.DEAD,
    ("hub/bus_parcel.py", "Refuse"): Seen.DEAD,
    ("hub/retry.py", "GiveUp"): Seen.DEAD,
    ("hub/judgement.py", "GiveUp"): Seen.DEAD,
    ("hub/following.py", "Gone"): Seen.DEAD,
    ("adapters/", "Outcome"): Seen.DEAD,
}


#: What is accepted all the same; it is written as a refusal that is only a warning.
REMARKS = {code for code, row in REASONS.items() if row.text.startswith("accepted")}


def made() -> Iterator[tuple[str, Seen, str]]:
    """(code, the list it must stand on, where it is made) for each that is made of a code in so many words."""
    for path in sorted(REPO.glob("hub/**/*.py")) + sorted(REPO.glob("adapters/**/*.py")):
        own = path.relative_to(REPO).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "")
            at = 1 if name == "Outcome" else 0
            given = node.args[at] if len(node.args) > at else None
            where = next((to for (begin, what), to in MADE.items() if own.startswith(begin) and what == name), None)
            if where is not None and isinstance(given, ast.Constant) and given.value:
                yield given.value, where, f"{own}:{node.lineno}"


def test_the_register_says_of_each_code_where_it_stands() -> None:
    """What a check, a sender or a rule ends something by is on that list; what is nobody's fault ends nothing."""
    found = list(made())
    assert len(found) > 80
    wrong = [
        f"{code} ({at}) ends on {where}, and hub.seen says {', '.join(seen.seen(code))}"
        for code, where, at in found
        if where not in seen.seen(code) and REASONS[code].blame != "nobody" and code not in REMARKS
    ]
    assert wrong == []
    assert REASONS.keys() >= seen.CODES


def test_what_ends_something_is_on_a_list_and_in_a_metric() -> None:
    """And what is on none of the lists is nobody's to do, or has been told to who asked and has it still."""
    lists = set(Seen) - {Seen.JOURNAL, Seen.ANSWER}
    for code, row in REASONS.items():
        where = seen.seen(code)
        if lists & set(where):
            assert Seen.JOURNAL not in where and Seen.ANSWER not in where, code
            assert any(METRICS[one] for one in where), code
        elif where == (Seen.ANSWER,):
            assert row.http >= 400, f"{code} answers nobody"
