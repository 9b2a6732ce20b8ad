"""What nobody foresaw, and what the caller must be told in so many words."""

from __future__ import annotations


class HubError(Exception):
    """Something is not as it should be; the text says what, where and what to do."""


class ConfigurationError(HubError):
    """The configuration has mistakes: all of them at once, each with a hint."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class StoreUnavailable(HubError):
    """The store cannot be written now; nothing was promised."""


class NotFound(HubError):
    """No such thing here."""


class NotAllowed(HubError):
    """Known, but not possible from where it stands, or not for this caller."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)
