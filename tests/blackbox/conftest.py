"""Keys, and a site to begin with: `async with new_site(partners=["hang"]) as here`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from ops.partner.handles import Pki
from ops.servers.databases import database
from tests.support.site import Here, site

NewSite = Callable[..., AbstractAsyncContextManager[Here]]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Example certificates."""
    return Pki.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def new_site(tmp_path: Path, pki: Pki) -> NewSite:
    """Makes a site in the test's own folder; what may be told: tests.support.site.site."""
    return partial(site, tmp_path, pki)


@pytest.fixture
def store_url() -> Iterator[str]:
    """An empty place in a PostgreSQL."""
    with database() as url:
        yield url
