"""The hub that is written to, and the one that writes."""

from tests.support.fixtures import aside, keys, new_world, world

__all__ = ["aside", "keys", "new_world", "world"]
