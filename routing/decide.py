"""Decides: the table's first matching rule, then the built-in ones that know how a receiver is usually reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hub.message import BUS, Decision, RecordSystem, channel_to
from hub.ports import RouteFacts
from routing.rule import Rule

URGENT, APPREC, BUSINESS = 1, 3, 5


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was looked at, for `samhub route explain`."""

    rule: str
    matched: bool
    because: str


class TableRouter:
    """hub.ports.Router over a table of rules."""

    def __init__(self, rules: Sequence[Rule], system: Callable[[str], RecordSystem | None]) -> None:
        """`system` finds a local record system by its id."""
        self._rules, self._system = tuple(rules), system

    def decide(self, facts: RouteFacts) -> Decision:
        """One decision for one receiver; always one, if only to refuse."""
        found = next((rule for rule in self._rules if not rule.misses(facts)), None)
        decision = self._usual(facts) if found is None else self._by_rule(found, facts)
        return replace(decision, urgent=True) if facts.urgent else decision

    def explain(self, facts: RouteFacts) -> list[Step]:
        """Every rule looked at until one decided, and why the others did not."""
        steps = []
        for rule in self._rules:
            missed = rule.misses(facts)
            steps.append(Step(rule.name, not missed, missed or rule.because or "everything it asks for fits"))
            if not missed:
                return steps
        usual = self._usual(facts)
        return [*steps, Step(usual.rule, True, usual.because)]

    def _by_rule(self, rule: Rule, facts: RouteFacts) -> Decision:
        """A rule that delivers without naming a channel leaves the way to the built-in rules."""
        then, usual = rule.then, self._usual(facts)
        because = f"rule {rule.name}: {rule.because}" if rule.because else f"rule {rule.name}"
        priority = usual.priority if then.priority is None else then.priority
        if then.action == "refuse" or usual.action == "refuse":
            reason = because if then.action == "refuse" else usual.because
            return Decision(facts.receiver, "refuse", None, "", reason, rule.name, priority)
        channel, address = (then.channel, then.address) if then.channel else (usual.channel, usual.address)
        return Decision(facts.receiver, then.action, channel, address, because, rule.name, priority)

    def _usual(self, facts: RouteFacts) -> Decision:
        """Local: to its record system. Remote: to its message handler. Unknown: refused."""
        priority = APPREC if facts.kind == "apprec" else URGENT if facts.urgent else BUSINESS
        if facts.receiver_local:
            system = self._system(facts.system)
            if system is not None:
                because = f"HER-id {facts.receiver} is served by {system.id}"
                return Decision(
                    facts.receiver, "deliver", system.channel, system.address, because, "built-in: local", priority
                )
        if facts.endpoint:
            channel = channel_to(facts.endpoint)
            by = "the message bus" if channel in BUS else "ebXML"
            because = f"HER-id {facts.receiver} is reached over {by} at {facts.endpoint}"
            return Decision(facts.receiver, "deliver", channel, facts.endpoint, because, "built-in: remote", priority)
        text = "has no address here" if facts.receiver_known else "is not known here"
        because = f"HER-id {facts.receiver or '(none)'} {text}"
        return Decision(facts.receiver, "refuse", None, "", because, "built-in: unknown", priority)
