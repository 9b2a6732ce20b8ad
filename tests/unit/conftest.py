"""How examples are invented here: as many as by default, and without a clock, since the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
