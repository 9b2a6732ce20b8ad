"""What nobody foresaw, and what the caller must be told in so many words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

#: So many errors are looked at for what an error came of: what lies deeper tells nobody anything.
MOST_CAUSES = 100


class HubError(Exception):
    """Something is not as it should be; the text says what, where and what to do."""


class ConfigurationError(HubError):
    """The configuration has mistakes: all of them at once, each with a hint."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class StoreUnavailable(HubError):
    """The store cannot be written now; nothing was promised."""


class ContentLost(StoreUnavailable):
    """Bytes that are kept are missing or damaged: our fault, until somebody hands them over again or they are restored."""


class NotFound(HubError):
    """No such thing here."""


class NotAllowed(HubError):
    """Known, but not possible from where it stands, or not for this caller."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


def place(error: BaseException) -> str:
    """Module and line of an error, without its text: that may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else "?"


def bare(error: BaseException) -> str:
    """An error that nobody foresaw, in words without content: its kind and its place."""
    return f"{type(error).__name__} at {place(error)}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of, nearest first: each once, and no more than MOST_CAUSES.

    As Python tells it: the cause that was named, else what was being handled unless that was set aside; and the members
    of a group. Libraries make these links, and one that raises the same object in two places may close them to a circle.
    """
    waiting, seen = deque([error]), {id(error)}
    for _ in range(MOST_CAUSES):
        if not waiting:
            return
        link = waiting.popleft()
        yield link
        for behind in _behind(link):
            if id(behind) not in seen:
                seen.add(id(behind))
                waiting.append(behind)


def _behind(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is not None:
        yield cause
    if isinstance(error, BaseExceptionGroup):
        yield from islice(error.exceptions, MOST_CAUSES)
