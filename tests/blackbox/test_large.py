"""What a large document costs a hub of its own process: bytes, not time."""

from __future__ import annotations

import pytest

from ops.bench import large


@pytest.mark.parametrize("door", large.DOORS)
async def test_a_submission_costs_no_more_than_three_times_its_document(door: str) -> None:
    """Issue 14: at most three; two are usual. Sealed and sent it may be there a little more often, in other forms."""
    taken, sent = await large.memory(door, 20_000_000)
    assert taken <= 3.0
    assert sent <= 4.5
