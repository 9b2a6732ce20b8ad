"""Keys and the place where hubs are born: made once for all crash tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.partner.handles import Pki
from tests.crash.village import Nursery


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Example certificates."""
    return Pki.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Imports once, bears many."""
    made = Nursery(tmp_path_factory.mktemp("nursery") / "errors.txt")
    yield made
    made.close()
