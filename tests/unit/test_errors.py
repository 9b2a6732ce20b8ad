"""What an error came of: found however its links lie, for others made them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import MOST_CAUSES, causes

#: For each error of a heap: the number of its cause, of its context (either may be its own or lie outside: none), and
#: whether its context is set aside.
Heap = list[tuple[int, int, bool]]
HEAPS = st.integers(1, 60).flatmap(
    lambda size: st.lists(
        st.tuples(st.integers(-1, size), st.integers(-1, size), st.booleans()), min_size=size, max_size=size
    )
)


def tied(heap: Heap) -> list[Exception]:
    """Errors with these links."""
    made: list[Exception] = [ValueError(number) for number in range(len(heap))]
    for error, (cause, context, aside) in zip(made, heap, strict=True):
        error.__cause__ = made[cause] if 0 <= cause < len(made) else None
        error.__context__ = made[context] if 0 <= context < len(made) else None
        error.__suppress_context__ = aside
    return made


def expected(heap: Heap) -> list[int]:
    """The numbers from the first on, by the links that Python itself would tell."""
    found, at = list[int](), 0
    while 0 <= at < len(heap) and at not in found:
        found.append(at)
        cause, context, aside = heap[at]
        at = cause if 0 <= cause < len(heap) else -1 if aside else context
    return found


@given(HEAPS)
def test_each_is_found_once_whatever_circles_they_form(heap: Heap) -> None:
    """Causes, contexts, either leading anywhere, back to itself as well."""
    assert [error.args[0] for error in causes(tied(heap)[0])] == expected(heap)


@pytest.mark.parametrize("length", [1, 2, 3, MOST_CAUSES - 1, MOST_CAUSES, MOST_CAUSES + 1, 50_000])
@pytest.mark.parametrize("link", ["__cause__", "__context__"])
@pytest.mark.parametrize("circle", [False, True])
def test_no_chain_is_too_long_and_no_circle_too_wide(length: int, link: str, circle: bool) -> None:
    """So many are looked at, and no more."""
    made = [OSError(number) for number in range(length)]
    for here, behind in zip(made, [*made[1:], made[0]] if circle else made[1:], strict=False):
        setattr(here, link, behind)
    assert list(causes(made[0])) == made[:MOST_CAUSES]
    for one in made:  # a chain that long is not taken down by recursion
        one.__cause__ = one.__context__ = None


def test_what_was_set_aside_is_none() -> None:
    """`raise … from None`."""
    with pytest.raises(ValueError) as told:
        try:
            raise OSError
        except OSError:
            raise ValueError from None
    assert list(causes(told.value)) == [told.value]


@pytest.mark.parametrize("members", [1, 3, 10_000])
def test_members_of_a_group_are_causes_too(members: int) -> None:
    """With what they came of themselves, the nearest first, and a circle through the group."""
    inner = [OSError(number) for number in range(members)]
    group = ExceptionGroup("together", inner)
    inner[0].__cause__ = group
    outer = ValueError()
    outer.__cause__ = group
    assert list(causes(outer)) == [outer, group, *inner][:MOST_CAUSES]
