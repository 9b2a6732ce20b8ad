"""What a hub that runs works with, exchanged under it: for those who live long, and for the pieces of work that begin now."""

from __future__ import annotations

from hub.kit import Kit


def exchange(kit: Kit, **parts: object) -> None:
    """From now on its work is done with these `parts` (fields of Kit), until its register is read anew."""
    for one in (kit, kit.present()):
        for name, part in parts.items():
            object.__setattr__(one, name, part)
