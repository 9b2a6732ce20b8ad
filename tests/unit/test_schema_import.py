"""A site imports an archive of schemas: what is put in force, what is refused, and that nothing else is ever read."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner, Result

from hub.errors import ConfigurationError
from ops import config as configurations
from ops.cli.app import app
from ops.schemas import catalogue
from xsd import site
from xsd.archive import Found, chosen
from xsd.catalogue import Catalogue

DIALOG = "http://www.kith.no/xmlstds/dialog/2013-01-23"
FELLES = "http://www.kith.no/xmlstds/felleskomponent1"
NEW = "urn:example:new"
USER = '<xs:element xmlns:b="urn:b" name="a" type="b:Number"/>'  # needs a type of urn:b


def schema(namespace: str, content: str, *links: str) -> bytes:
    """A schema of the namespace (prefix t)."""
    target = f'xmlns:t="{namespace}" targetNamespace="{namespace}"' if namespace else ""
    text = "".join(links) + content
    head = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {target} elementFormDefault="qualified">'
    return f"{head}{text}</xs:schema>".encode()


def element(name: str, kind: str = "xs:string") -> str:
    """A global element."""
    return f'<xs:element name="{name}" type="{kind}"/>'


def by_file(texts: dict[str, bytes]) -> dict[str, Found]:
    """What becomes of each file."""
    return {one.file: one for one in chosen(texts, Catalogue.load().places)}


def loaded(folder: Path, texts: dict[str, bytes], first: str = "imported") -> Catalogue:
    """The catalogue of a site that has imported these."""
    site.put(folder, texts, chosen(texts, Catalogue.load().places))
    return Catalogue.load(folder, first=first)  # type: ignore[arg-type]


def document(namespace: str, name: str, content: str = "") -> etree._Element:
    """A small document."""
    return etree.fromstring(f'<{name} xmlns="{namespace}">{content}</{name}>')


def test_an_imported_schema_is_asked_for_its_namespace(tmp_path: Path) -> None:
    """A document nobody knew is checked, and no longer named as unchecked."""
    right, wrong = document(NEW, "number", "1"), document(NEW, "number", "one")
    assert Catalogue.load().covers(wrong) == (NEW,)
    assert Catalogue.load().validate(wrong) == ()
    checked = loaded(tmp_path, {"new.xsd": schema(NEW, element("number", "xs:int"))})
    assert checked.covers(wrong) == ()
    assert checked.validate(right) == ()
    assert checked.validate(wrong) != ()


def test_a_standard_known_by_name_gets_a_schema_by_import(tmp_path: Path) -> None:
    """Its row keeps name and AppRec version, and no longer says that its documents pass unchecked."""
    row = next(s for s in Catalogue.load().standards() if not s.has_schema)
    checked = loaded(tmp_path, {"a.xsd": schema(row.namespace, element(row.root))})
    found = checked.find(row.namespace)
    assert found is not None
    assert found.has_schema
    assert (found.key, found.apprec) == (row.key, row.apprec)


def test_the_imported_schema_goes_before_ours_unless_told_otherwise(tmp_path: Path) -> None:
    """The setting `first` decides; for what only one of them has, it is that one."""
    texts = {"d.xsd": schema(DIALOG, element("OnlyImported")), "n.xsd": schema(NEW, element("number", "xs:int"))}
    imported, ours = loaded(tmp_path, texts), loaded(tmp_path, texts, "ours")
    assert imported.validate(document(DIALOG, "OnlyImported")) == ()
    assert ours.validate(document(DIALOG, "OnlyImported")) != ()
    assert imported.validate(document(NEW, "number", "x")) != ()
    assert ours.validate(document(NEW, "number", "x")) != ()


def test_imports_lead_to_the_namespace_whatever_their_location_says(tmp_path: Path) -> None:
    """Locations in the archive are mostly dead names: to another file of the archive, or to a schema of ours."""
    links = (
        '<xs:import namespace="urn:b" schemaLocation="file:///nowhere/else.xsd"/>',
        '<xs:import namespace="http://www.kith.no/xmlstds" schemaLocation="C:\\\\standarder\\\\kith.xsd"/>',
    )
    content = (
        '<xs:element name="a"><xs:complexType><xs:sequence><xs:element ref="b:b" xmlns:b="urn:b"/>'
        '<xs:element name="code" type="k:CS" xmlns:k="http://www.kith.no/xmlstds"/></xs:sequence></xs:complexType></xs:element>'
    )
    texts = {"deep/down/a.xsd": schema("urn:a", content, *links), "b.xsd": schema("urn:b", element("b", "xs:int"))}
    checked = loaded(tmp_path, texts)
    assert checked.validate(document("urn:a", "a", '<b xmlns="urn:b">1</b><code V="1"/>')) == ()
    assert checked.validate(document("urn:a", "a", '<b xmlns="urn:b">x</b><code V="1"/>')) != ()
    assert checked.validate(document("urn:a", "a", '<b xmlns="urn:b">1</b><code W="1"/>')) != ()


def test_includes_are_relative_and_their_letters_may_be_norwegian(tmp_path: Path) -> None:
    """A part is put beside the file that includes it, and is not in force by itself."""
    texts = {
        "fødsel/melding.xsd": schema(NEW, element("a", "t:Å"), '<xs:include schemaLocation="deler/æøå.xsd"/>'),
        "fødsel/deler/æøå.xsd": schema("", '<xs:simpleType name="Å"><xs:restriction base="xs:int"/></xs:simpleType>'),
    }
    assert {name: one.state for name, one in by_file(texts).items()} == {
        "fødsel/melding.xsd": "in force",
        "fødsel/deler/æøå.xsd": "part",
    }
    assert loaded(tmp_path, texts).validate(document(NEW, "a", "x")) != ()


def test_of_several_files_the_catalog_of_the_archive_says_which_is_meant() -> None:
    """Without a catalog it is the latest version; the other is told of."""
    texts = {name: schema(NEW, element("a")) for name in ("new-v1.9.xsd", "new-v1.10.xsd", "old/new-v2.xsd")}
    assert by_file(texts)["new-v1.10.xsd"].state == "in force"
    catalog = (
        '<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">'
        f'<public publicId="{NEW}" uri="new-v1.9.xsd"/><uri name="{NEW}" uri="new-v1.10.xsd"/></catalog>'
    )
    states = by_file({**texts, "catalog.xml": catalog.encode()})
    assert {name: one.state for name, one in states.items()} == {
        "new-v1.9.xsd": "in force",
        "new-v1.10.xsd": "other",
        "old/new-v2.xsd": "other",
    }
    assert states["new-v1.10.xsd"].because == "the namespace has another file"


def test_what_does_not_compile_is_told_and_not_put_in_force() -> None:
    """Nor is what needs it; but an older file of the same namespace, or ours, takes its place."""
    texts = {
        "broken.xsd": schema("urn:b", element("a", "t:Absent")),
        "user.xsd": schema("urn:user", USER, '<xs:import namespace="urn:b"/>'),
        "two-v1.xsd": schema(NEW, element("a")),
        "two-v2.xsd": schema(NEW, element("a", "t:Absent")),
        "good.xsd": schema("urn:good", element("a")),
        "syntax.xsd": b"<xs:schema",
        "other.xsd": b"<note/>",
    }
    found = by_file(texts)
    assert {name for name, one in found.items() if one.state == "in force"} == {"two-v1.xsd", "good.xsd"}
    assert {name for name, one in found.items() if one.state == "refused"} == texts.keys() - {"two-v1.xsd", "good.xsd"}
    assert "Absent" in found["broken.xsd"].because
    assert found["other.xsd"].because == "not an XML schema"


def test_a_file_is_not_blamed_for_what_it_imports() -> None:
    """Where the imported file has a twin that compiles, both are put in force."""
    number = '<xs:simpleType name="Number"><xs:restriction base="xs:int"/></xs:simpleType>'
    texts = {
        "user.xsd": schema("urn:user", USER, '<xs:import namespace="urn:b"/>'),
        "b-v1.xsd": schema("urn:b", number),
        "b-v2.xsd": schema("urn:b", element("b", "t:Absent")),
    }
    assert {n: o.state for n, o in by_file(texts).items()} == {
        "user.xsd": "in force",
        "b-v1.xsd": "in force",
        "b-v2.xsd": "refused",
    }


def test_a_schema_of_ours_that_does_not_fit_an_imported_one_keeps_to_ours(tmp_path: Path) -> None:
    """An imported common schema without the types that ours use does not stop our documents from being checked."""
    checked = loaded(tmp_path, {"felles.xsd": schema(FELLES, element("Something"))})
    assert checked.validate(document(DIALOG, "Dialogmelding")) == ()
    assert checked.validate(document(DIALOG, "Dialogmelding", "<Unknown/>")) != ()
    assert checked.validate(document(FELLES, "Something")) == ()


def test_a_doctype_is_refused() -> None:
    """Whether it declares entities or only names a DTD."""
    body = schema(NEW, element("a"))
    texts = {
        "entity.xsd": b'<!DOCTYPE schema [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + body,
        "plain.xsd": b'<!DOCTYPE schema PUBLIC "-//W3C//DTD XMLSCHEMA 200102//EN" "XMLSchema.dtd">' + body,
    }
    assert {(one.state, one.because) for one in by_file(texts).values()} == {
        ("refused", "a schema with a DOCTYPE is not read")
    }


@pytest.mark.parametrize("location", ["../../../../etc/hostname", "/etc/hostname", "%2e%2e/%2e%2e/x.xsd"])
def test_an_include_that_leads_out_of_the_archive_is_refused(location: str) -> None:
    """Nothing outside the archive is read, however it is written."""
    found = by_file({"a.xsd": schema(NEW, element("a"), f'<xs:include schemaLocation="{location}"/>')})
    assert found["a.xsd"].state == "refused"
    assert "outside" in found["a.xsd"].because


def test_the_network_is_never_asked(tmp_path: Path) -> None:
    """A location at a server that would answer is not asked, on import or on use."""
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        links = [f'<xs:import namespace="urn:far" schemaLocation="{url}/far.xsd"/>']
        texts = {
            "a.xsd": schema(NEW, element("a"), *links),
            "b.xsd": schema("urn:b", element("b"), f'<xs:include schemaLocation="{url}/part.xsd"/>'),
        }
        checked = loaded(tmp_path, texts)
        checked.validate(document(NEW, "a"))
        server.shutdown()
    assert asked == []
    assert by_file(texts)["b.xsd"].state == "refused"


def test_a_second_import_leaves_in_force_what_it_has_nothing_for(tmp_path: Path) -> None:
    """And takes the place of the first where both have something; a running hub still finds the first one's files."""
    first = loaded(tmp_path, {"a.xsd": schema("urn:a", element("a")), "b.xsd": schema("urn:b", element("b"))})
    both = loaded(tmp_path, {"a.xsd": schema("urn:a", element("other"))})
    assert both.validate(document("urn:a", "other")) == ()
    assert both.validate(document("urn:b", "b")) == ()
    assert first.validate(document("urn:a", "a")) == ()


def test_schemas_compile_when_first_needed(tmp_path: Path) -> None:
    """A folder of imported files is listed, not read, when the hub starts."""
    loaded(tmp_path, {"a.xsd": schema(NEW, element("a"))})
    for file in tmp_path.rglob("*.xsd"):
        file.unlink()
    checked = Catalogue.load(tmp_path)
    assert checked.validate(document(DIALOG, "Dialogmelding")) == ()
    with pytest.raises((etree.XMLSchemaParseError, OSError)):
        checked.validate(document(NEW, "a"))


def test_a_hub_does_not_start_on_schemas_that_are_not_what_was_imported(home: Path, zipped: Path) -> None:
    """The configuration check names the file, and what to do."""
    samhub("import", zipped, "--config", home)
    (file,) = (home / "official").rglob("new.xsd")
    file.unlink()
    with pytest.raises(ConfigurationError, match=r"new\.xsd: gone; import it again"):
        catalogue(configurations.load(home / "samhub.toml"))


def test_a_list_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """With the file's name and what to do."""
    (tmp_path / "in-force.toml").write_text("schema = 1")
    with pytest.raises(ValueError, match="import them again"):
        Catalogue.load(tmp_path)


@pytest.fixture
def zipped(tmp_path: Path) -> Iterator[Path]:
    """A ZIP file with one good schema, one that does not compile, and something else."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("skjema/new.xsd", schema(NEW, element("number", "xs:int")))
        archive.writestr("skjema/broken.xsd", schema("urn:broken", element("a", "t:Absent")))
        archive.writestr("les.txt", "text")
    yield path


@pytest.mark.parametrize(
    "name", ["../out.xsd", "/out.xsd", "a/../../out.xsd", "C:/out.xsd", "..\\out.xsd", "../out.txt"]
)
def test_a_zip_that_leads_out_of_itself_is_refused_whole(tmp_path: Path, zipped: Path, name: str) -> None:
    """Also when only one entry does, and when that entry is no schema."""
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr(name, schema("urn:out", element("a")))
    with pytest.raises(site.BadArchive, match="nothing is taken"):
        site.unpacked(zipped)


@pytest.mark.parametrize("spoilt", [b"", b"PK\x03\x04 not really"])
def test_what_is_no_zip_is_refused_in_words(tmp_path: Path, spoilt: bytes) -> None:
    """Neither a folder nor a ZIP file."""
    (tmp_path / "x.zip").write_bytes(spoilt)
    with pytest.raises(site.BadArchive, match="neither a folder nor a ZIP"):
        site.unpacked(tmp_path / "x.zip")


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link may lead anywhere."""
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret.xsd").write_bytes(schema(NEW, element("a")))
    (source / "link.xsd").symlink_to(tmp_path / "secret.xsd")
    assert site.unpacked(source) == {}


def samhub(*arguments: object) -> Result:
    """Runs a command."""
    return CliRunner().invoke(app, ["schemas", *map(str, arguments)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A site."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "samhub.toml").write_text('[standards]\nschemas = "official"\n')
    return tmp_path / "site"


def test_the_command_tells_each_file_and_puts_it_in_force(home: Path, zipped: Path) -> None:
    """State, digest, namespace and reason for every file; `list` then says who checks what."""
    done = samhub("import", zipped, "--config", home, "--json")
    rows = {row["file"]: row for row in map(json.loads, done.output.splitlines())}
    assert done.exit_code == 0
    assert rows["skjema/new.xsd"]["state"] == "in force"
    assert rows["skjema/new.xsd"]["namespace"] == NEW
    assert rows["skjema/new.xsd"]["sha256"] == hashlib.sha256(schema(NEW, element("number", "xs:int"))).hexdigest()
    assert rows["skjema/broken.xsd"]["state"] == "refused"
    listed = {
        row["namespace"]: row for row in map(json.loads, samhub("list", "-c", home, "--json").output.splitlines())
    }
    assert (listed[NEW]["whose"], listed[NEW]["state"]) == ("imported", "good")
    assert (listed[DIALOG]["whose"], listed[DIALOG]["standard"]) == ("ours", "Dialogmelding 1.1")
    assert (home / "official" / listed[NEW]["file"]).is_file()


def test_the_command_speaks_to_people_too(home: Path, zipped: Path) -> None:
    """With the numbers at the end."""
    done = samhub("import", zipped, "--config", home)
    assert done.output.splitlines()[-1] == "1 in force, 0 part, 0 other, 1 refused"


def test_list_tells_of_files_that_were_changed_or_are_gone(home: Path, zipped: Path) -> None:
    """And ends with 1, so that a watch can ask."""
    samhub("import", zipped, "--config", home)
    (file,) = (home / "official").rglob("new.xsd")
    file.write_bytes(schema(NEW, element("other")))
    changed = samhub("list", "--config", home, "--json")
    assert (changed.exit_code, '"state": "changed since' in changed.output) == (1, True)
    file.unlink()
    gone = samhub("list", "--config", home, "--json")
    assert (gone.exit_code, '"state": "gone"' in gone.output) == (1, True)


def test_an_archive_without_anything_useful_ends_with_one(home: Path, tmp_path: Path) -> None:
    """And leaves what is in force as it was."""
    (tmp_path / "empty").mkdir()
    done = samhub("import", tmp_path / "empty", "--config", home)
    assert (done.exit_code, "no schema" in done.output) == (1, True)
    assert not (home / "official").exists()


def test_validate_asks_the_schemas_of_the_site(home: Path, zipped: Path, tmp_path: Path) -> None:
    """What nobody knew before the import is checked after it."""
    samhub("import", zipped, "--config", home)
    (tmp_path / "wrong.xml").write_bytes(etree.tostring(document(NEW, "number", "one")))
    done = CliRunner().invoke(
        app, ["validate", str(tmp_path / "wrong.xml"), "--config", str(home), "--json", "--schema-only"]
    )
    assert json.loads(done.output)["valid"] is False
