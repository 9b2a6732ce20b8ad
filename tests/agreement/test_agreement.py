"""Our schemas give the official schemas' verdict, on every shared document and on spoilt copies of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agreement.bench import Bench
from tests.support.sample import Sampling
from xsd.catalogue import Catalogue, Standard

ALLOWED = 0.005
WITH_SCHEMA = [standard for standard in Catalogue.load().standards() if standard.has_schema]
each_standard = pytest.mark.parametrize("standard", WITH_SCHEMA, ids=lambda standard: standard.key)


@pytest.fixture(scope="module")
def bench(standards: Path, sampling: Sampling) -> Bench:
    """Both judges, and every shared document."""
    return Bench(standards, sampling=sampling)


@each_standard
def test_every_shared_document_gets_the_official_verdict(bench: Bench, standard: Standard) -> None:
    """Where we are more tolerant, differences.toml names the document and the reason."""
    differing = {
        document.name: verdicts
        for document in bench.of(standard)
        for verdicts in bench.verdicts(document)
        if bench.unexplained(verdicts, document.name)
    }
    assert differing == {}


@each_standard
def test_spoilt_documents_get_the_official_verdict(bench: Bench, standard: Standard, sampling: Sampling) -> None:
    """The same for at least 99.5 % of the mutants, and a reason in differences.toml for each of the others."""
    judged = bench.mutants(standard)
    differing = [one for one in judged if not one[2].equal]
    assert [one for one in differing if bench.unexplained(one[2])] == []
    assert len(differing) <= sampling.at_most(ALLOWED, len(judged))
    assert len(judged) >= 200
    assert any(one[2].official for one in judged)


def test_every_listed_difference_still_exists(bench: Bench) -> None:
    """A row of differences.toml that explains nothing any more is taken out."""
    for standard in WITH_SCHEMA:
        for document in bench.of(standard):
            for verdicts in bench.verdicts(document):
                bench.unexplained(verdicts, document.name)
        for _, _, verdicts in bench.mutants(standard):
            bench.unexplained(verdicts)
    assert [row for row in bench.rows if row not in bench.used] == []
