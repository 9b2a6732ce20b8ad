"""Routing rules: each kind of match, the first that fits decides, and everything says because of what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigurationError
from hub.message import Channel, RecordSystem
from hub.ports import RouteFacts
from routing.decide import APPREC, BUSINESS, URGENT, TableRouter
from routing.rule import MATCHES, Match, Rule, Then
from routing.table import read_rules

#: A Monday, 09:30 in Oslo.
FACTS = RouteFacts(
    direction="in",
    sender="8000202",
    receiver="8000402",
    receiver_local=True,
    receiver_known=True,
    type_code="HENVISNING",
    version="1.1",
    namespace="http://www.kith.no/xmlstds/henvisning/2012-02-15",
    service="S-HENVISNING",
    action="HENVISNING",
    size=20_000,
    at=datetime(2026, 3, 2, 8, 30, tzinfo=UTC),
    kind="business",
    system="sykehus",
    endpoint="",
    urgent=False,
)
HOSPITAL = RecordSystem("sykehus", frozenset({"8000402"}), Channel.FOLDER, "/inn")
REMOTE = replace(FACTS, direction="out", receiver_local=False, system="", endpoint="http://partner/ebxml")


def router(*rules: Rule) -> TableRouter:
    return TableRouter(rules, {"sykehus": HOSPITAL}.get)


def rule(name: str = "r", *, because: str = "", then: dict[str, object] | None = None, **match: object) -> Rule:
    return Rule(name=name, because=because, match=Match(**match), then=Then(**(then or {})))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("match", "hit", "miss"),
    [
        ({"direction": "in"}, {}, {"direction": "out"}),
        ({"sender": "8000202"}, {}, {"sender": "8000203"}),
        ({"sender": ["1", "8000202"]}, {}, {"sender": "2"}),
        ({"receiver": ["8000402"]}, {}, {"receiver": ""}),
        ({"receiver_local": True}, {}, {"receiver_local": False}),
        ({"receiver_local": False}, {"receiver_local": False}, {}),
        ({"system": "sykehus"}, {}, {"system": "kommune"}),
        ({"kind": "business"}, {}, {"kind": "apprec"}),
        ({"type": ["HENVISNING", "EPIKRISE"]}, {"type_code": "EPIKRISE"}, {"type_code": "SVAR_LAB"}),
        ({"version": "1.1"}, {}, {"version": "1.0"}),
        ({"namespace": FACTS.namespace}, {}, {"namespace": "urn:x"}),
        ({"service": "S-HENVISNING"}, {}, {"service": "S-EPIKRISE"}),
        ({"action": "HENVISNING"}, {}, {"action": "APPREC"}),
        ({"urgent": True}, {"urgent": True}, {}),
        ({"min_size": 20_000}, {}, {"size": 19_999}),
        ({"max_size": 20_000}, {}, {"size": 20_001}),
        ({"weekdays": ["mon", "tue"]}, {}, {"at": datetime(2026, 3, 7, 12, tzinfo=UTC)}),
        ({"from_time": "09:30"}, {}, {"at": datetime(2026, 3, 2, 8, 29, 59, tzinfo=UTC)}),
        ({"to_time": "09:30"}, {"at": datetime(2026, 3, 2, 8, 29, 59, tzinfo=UTC)}, {}),
    ],
)
def test_each_kind_of_match_hits_and_misses(
    match: dict[str, object], hit: dict[str, object], miss: dict[str, object]
) -> None:
    asked = rule(**match)
    assert asked.misses(replace(FACTS, **hit)) == ""  # type: ignore[arg-type]
    missed = asked.misses(replace(FACTS, **miss))  # type: ignore[arg-type]
    assert missed and " is " in missed


def test_every_field_of_a_match_is_looked_at() -> None:
    """A new field must come with its line in MATCHES."""
    looked = {"min_size", "max_size", "from_time", "to_time", "weekdays"}
    words = {name for name in Match.model_fields if name not in looked}
    assert len(MATCHES) == len(words) + 3  # size, clock and weekday look at the rest
    for name, field in Match.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_an_empty_match_fits_everything() -> None:
    assert rule().misses(FACTS) == rule().misses(REMOTE) == ""


@pytest.mark.parametrize(
    ("hour", "inside"), [(15, False), (16, True), (23, True), (0, True), (6, True), (7, False), (12, False)]
)
def test_a_time_may_pass_midnight(hour: int, inside: bool) -> None:
    """In Norwegian time, summer and winter."""
    night = rule(from_time="16:00", to_time="07:00")
    winter = replace(FACTS, at=datetime(2026, 1, 5, hour, tzinfo=UTC).replace(hour=(hour - 1) % 24))
    summer = replace(FACTS, at=datetime(2026, 7, 6, (hour - 2) % 24, tzinfo=UTC))
    assert [night.misses(facts) == "" for facts in (winter, summer)] == [inside, inside]


def test_the_weekday_is_norwegian_too() -> None:
    sunday_night = replace(FACTS, at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))  # 00:30 on Monday in Oslo
    assert rule(weekdays=["mon"]).misses(sunday_night) == ""


def test_the_first_rule_that_fits_decides() -> None:
    found = router(
        rule("other type", type="EPIKRISE", then={"action": "refuse"}),
        rule("first", because="ferie", type="HENVISNING", then={"action": "hold"}),
        rule("second", then={"action": "refuse"}),
    ).decide(FACTS)
    assert (found.action, found.rule, found.because) == ("hold", "first", "rule first: ferie")


def test_a_rule_without_a_channel_leaves_the_way_to_the_built_in_ones() -> None:
    found = router(rule("fast", then={"priority": 0})).decide(FACTS)
    assert (found.action, found.channel, found.address, found.priority) == ("deliver", Channel.FOLDER, "/inn", 0)
    held = router(rule("hold", then={"action": "hold"})).decide(FACTS)
    assert (held.channel, held.priority) == (Channel.FOLDER, BUSINESS)


def test_a_rule_may_send_it_another_way() -> None:
    then = {"channel": "ebxml_http", "address": "http://other/ebxml"}
    found = router(rule("elsewhere", then=then)).decide(FACTS)
    assert (found.channel, found.address) == (Channel.EBXML_HTTP, "http://other/ebxml")


def test_a_rule_cannot_deliver_to_nobody() -> None:
    lost = replace(FACTS, receiver="1", receiver_local=False, receiver_known=False, system="")
    found = router(rule("all")).decide(lost)
    assert (found.action, found.channel) == ("refuse", None)
    assert "HER-id 1 is not known here" in found.because


@pytest.mark.parametrize(
    ("facts", "action", "channel", "address", "by"),
    [
        (FACTS, "deliver", Channel.FOLDER, "/inn", "built-in: local"),
        (REMOTE, "deliver", Channel.EBXML_HTTP, "http://partner/ebxml", "built-in: remote"),
        (replace(REMOTE, endpoint=""), "refuse", None, "", "built-in: unknown"),
        (replace(FACTS, system="ukjent"), "refuse", None, "", "built-in: unknown"),
    ],
)
def test_without_rules_a_receiver_is_reached_as_usual(
    facts: RouteFacts, action: str, channel: Channel | None, address: str, by: str
) -> None:
    found = router().decide(facts)
    assert (found.action, found.channel, found.address, found.rule) == (action, channel, address, by)
    assert facts.receiver in found.because


def test_urgent_ones_go_first_then_receipts_then_all_else() -> None:
    orders = [router().decide(replace(FACTS, **more)).priority for more in ({"urgent": True}, {"kind": "apprec"}, {})]  # type: ignore[arg-type]
    assert orders == [URGENT, APPREC, BUSINESS] == sorted(orders)


def test_an_explanation_tells_every_rule_that_was_looked_at() -> None:
    table = router(rule("a", type="EPIKRISE"), rule("b", because="mandag", weekdays=["mon"]), rule("c"))
    steps = table.explain(FACTS)
    assert [(s.rule, s.matched, s.because) for s in steps] == [
        ("a", False, "type is HENVISNING"),
        ("b", True, "mandag"),
    ]
    usual = router(rule("a", type="EPIKRISE")).explain(FACTS)
    assert [(s.rule, s.matched) for s in usual] == [("a", False), ("built-in: local", True)]


@given(
    st.lists(st.sampled_from(["HENVISNING", "EPIKRISE", "SVAR_LAB"]), max_size=5),
    st.sampled_from(["HENVISNING", "EPIKRISE"]),
    st.booleans(),
)
def test_the_explanation_ends_with_the_rule_that_decides(types: list[str], type_code: str, local: bool) -> None:
    table = router(*(rule(f"{n} {name}", type=name, then={"action": "hold"}) for n, name in enumerate(types)))
    facts = replace(FACTS if local else REMOTE, type_code=type_code)
    steps = table.explain(facts)
    assert steps[-1].matched and steps[-1].rule == table.decide(facts).rule
    assert not any(step.matched for step in steps[:-1])


TABLE = """
[[rule]]
name = "Ferie"
because = "legesenteret er stengt"
match = { receiver = "8000202", from_time = 16:00:00, weekdays = ["mon"] }
then = { action = "hold" }

[[rule]]
name = "Hastesaker"
match = { urgent = true }
then = { priority = 0 }
"""


def test_a_table_is_read_in_its_order() -> None:
    rules = read_rules(TABLE)
    assert [r.name for r in rules] == ["Ferie", "Hastesaker"]
    assert rules[0].then.action == "hold" and rules[1].then.priority == 0
    assert read_rules("") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule", ["not TOML"]),
        ("[[rule]]\nname = 'a'\n[rule.match]\ntyp = 'x'", ["rule 1 (a)", "match.typ"]),
        ("[[rule]]\nname = 'a'\nthen = { action = 'drop' }", ["rule 1 (a)", "then.action"]),
        ("[[rule]]\nmatch = {}", ["rule 1 (without a name)", "name"]),
        ("[[rule]]\nname = ''", ["rule 1"]),
        ("[[rule]]\nname = 'a'\nthen = { address = '/x' }", ["address without a channel"]),
        ("[[rule]]\nname = 'a'\nthen = { priority = 10 }", ["then.priority"]),
        ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", ["two rules are called a"]),
        ("rules = []", ["rules"]),
        ("[[rule]]\nname = 'a'\nmatch = { min_size = -1, max_size = 'x' }", ["min_size", "max_size"]),
    ],
)
def test_mistakes_are_told_all_at_once_with_their_place(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_rules(text, "ruter.toml")
    told = "\n".join(caught.value.mistakes)
    assert all(word in told for word in ["ruter.toml", *words]), told
