"""The content rules in their order; every one is a row of the reference page and has a sentence in both languages."""

from __future__ import annotations

from hub.checks.content import addressing, attachments, head, lists, patient, wrapping
from hub.checks.content.rule import Rule

RULES: tuple[Rule, ...] = (
    *head.RULES,
    *addressing.RULES,
    *patient.RULES,
    *attachments.RULES,
    *lists.RULES,
    *wrapping.RULES,
)
#: Those that are not asked by a check of their own before the schema (MsgId, and the addresses of the envelope).
LATER: tuple[Rule, ...] = tuple(r for r in RULES if r not in (head.MSG_ID, *addressing.SAME_AS_ENVELOPE))
