"""The hub that is shot at."""

from tests.support.fixtures import aside, keys, new_world, world

__all__ = ["aside", "keys", "new_world", "world"]
