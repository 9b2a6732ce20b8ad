"""With the official archive imported, every shared document gets the verdict that the collection's index gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agreement.collection import Shared, collection
from xsd import site
from xsd.archive import Found, chosen
from xsd.catalogue import Catalogue

#: Files whose outcome in the index is not a verdict by these schemas, and why.
NOT_BY_THESE_SCHEMAS = {
    "no usable schema": "ebMS 3.0 drafts: the schema needs that of SOAP 1.2, which the collection does not have",
    "valid (against WSDL schemas)": "answers of the Address Registry, checked against the types of its WSDL",
    "valid (Body child against WSDL schemas)": "the same in a SOAP 1.2 envelope",
    "CMS EnvelopedData": "encrypted",
    "not parseable CMS": "encrypted, and cut short in the collection",
    "text": "a part that is not XML",
    "–": "JSON, certificates and other files that are not XML",
}
#: Empty answers of NHN's CPPA service, of types in its WSDL: the index calls them valid, no schema here knows them.
EMPTY_ANSWERS = ("cpa/helsenorge/CPA_94867.xml", "cpa/helsenorge/CPP_94867.xml")
#: British payloads and PLO drafts: the index calls them invalid because nobody knows their elements. The hub passes
#: what it does not know, and says so.
UNKNOWN = ("ebxml-mime/nhs-integration-adaptors/", "plo-2.0-utkast/")


@pytest.fixture(scope="module")
def found(standards: Path) -> tuple[Found, ...]:
    """What the importer makes of the collection's schemas."""
    return chosen(site.unpacked(standards / "xsd"), Catalogue.load().places)


@pytest.fixture(scope="module")
def catalogue(standards: Path, found: tuple[Found, ...], tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """A catalogue of a site that has imported them."""
    folder = tmp_path_factory.mktemp("schemas")
    site.put(folder, site.unpacked(standards / "xsd"), found)
    return Catalogue.load(folder)


def test_every_document_gets_the_verdict_of_the_index(standards: Path, catalogue: Catalogue) -> None:
    """Exactly: valid, invalid or not well-formed; MIME messages part by part, each part as a document."""
    judged = [document for document in collection(standards) if _judged(document)]
    differing = {
        d.name: (d.outcome, verdict) for d in judged if (verdict := _verdict(d, catalogue)) != _told(d.outcome)
    }
    assert differing == {}
    assert len(judged) >= 890


def test_what_has_no_verdict_of_these_schemas_is_little_and_known(standards: Path) -> None:
    """Everything left out is left out for a reason that is named above."""
    left = [document for document in collection(standards) if not _judged(document)]
    assert [d.name for d in left if d.name not in EMPTY_ANSWERS and not _unknown(d) and not _reason(d)] == []
    assert len(left) < 80


def test_what_nobody_knows_is_passed_and_named(standards: Path, catalogue: Catalogue) -> None:
    """Where the index says invalid for want of a schema, the catalogue says which namespaces it cannot check."""
    strangers = [document for document in collection(standards) if _unknown(document)]
    assert len(strangers) == 5
    for document in strangers:
        root = document.root()
        assert root is not None
        assert catalogue.covers(root) != ()
        assert catalogue.validate(root) == ()


def test_the_files_of_the_collections_catalogue_are_put_in_force(standards: Path, found: tuple[Found, ...]) -> None:
    """For every namespace it names, unless the file has a DOCTYPE or does not compile: README.md says which those are."""
    lines = (standards / "xsd" / "catalog.tsv").read_text("utf-8").splitlines()
    named = {line.split("\t")[1] for line in lines if "\t" in line and not line.startswith("#")}
    refused = {one.file: one.because for one in found if one.state == "refused"}
    in_force = {one.file for one in found if one.state == "in force"}
    assert named - in_force == named & refused.keys()
    readme = (standards / "README.md").read_text("utf-8")
    for file, because in refused.items():
        assert "DOCTYPE" in because or f"| {file} |" in readme
        assert "DOCTYPE" in because or "compiles" not in readme.split(f"| {file} |")[1].split("\n")[0]


def _judged(document: Shared) -> bool:
    return document.name not in EMPTY_ANSWERS and not _unknown(document) and not _reason(document)


def _unknown(document: Shared) -> bool:
    return "No matching global" in document.outcome and any(place in document.name for place in UNKNOWN)


def _reason(document: Shared) -> str:
    return next((why for start, why in NOT_BY_THESE_SCHEMAS.items() if document.outcome.startswith(start)), "")


def _told(outcome: str) -> str:
    return outcome.partition(":")[0]


def _verdict(document: Shared, catalogue: Catalogue) -> str:
    root = document.root()
    if root is None:
        return "NOT WELL-FORMED"
    return "INVALID" if catalogue.validate(root) else "valid"
