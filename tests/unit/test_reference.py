"""The reference pages say what the code does."""

from __future__ import annotations

import re

import pytest

from ops.reference.make import FOLDER, pages
from tests.support.standards import REPO


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_is_as_the_code_makes_it(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == pages()[name], "run: python -m ops.reference.make"


@pytest.mark.parametrize("page", ["README.md", "hub/README.md", "certs-example/README.md", "adapters/queue/README.md"])
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    text = (REPO / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    broken = [link for link in links if not ((REPO / page).parent / link).exists()]
    assert not broken
