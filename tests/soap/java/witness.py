"""Clients in Java: classes that Apache CXF and the JAX-WS reference implementation generate from the WSDL as it is served.

`make interop` runs it, where a JDK (17 or later) and Maven are; it is no part of `make test`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soap.stand import DOCTORS, NURSES, Stand
from tests.support.world import DOCTOR, NURSING

HERE = Path(__file__).parent
TOOLKITS = ("cxf", "ri")
#: Ways of calling: SOAP 1.1 or 1.2, base64 or MTOM, Basic or UsernameToken, with or without WS-Addressing.
WAYS = tuple(
    (wsdl, ",".join((*proof, *form, *more)) or "plain")
    for wsdl in ("wsdl", "wsdl=12")
    for form in ((), ("mtom",))
    for proof in ((), ("token",))
    for more in ((), ("addressing",))
)


@pytest.fixture(scope="session", params=TOOLKITS)
def toolkit(request: Any, stand: Stand, tmp_path_factory: Any) -> Iterator[tuple[str, str]]:
    """A toolkit's generated classes and the program that uses them, compiled; its name and class path."""
    for program, what in (("mvn", "maven"), ("java", "default-jdk-headless")):
        assert shutil.which(program), f"{program} is missing: install it (Debian: apt-get install {what})"
    name, made = request.param, tmp_path_factory.mktemp(request.param)
    given = [f"-Dmade={made}", f"-Dsources={HERE / 'src'}", f"-Dwsdl={stand.door}?wsdl"]
    pom = str(HERE / name / "pom.xml")
    _ran(["mvn", "-q", "-B", "-f", pom, *given, "compile"])
    listed = made / "classpath"
    _ran(["mvn", "-q", "-B", "-f", pom, *given, "dependency:build-classpath", f"-Dmdep.outputFile={listed}"])
    yield name, f"{made / 'classes'}:{listed.read_text().strip()}"


def _ran(command: list[str], seconds: float = 600) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("wsdl", "how"), WAYS, ids=lambda value: value)
def test_java_speaks_it(toolkit: tuple[str, str], stand: Stand, wsdl: str, how: str, tmp_path: Path) -> None:
    """Every operation, the same bytes, the fault typed."""
    document = tmp_path / "document.xml"
    document.write_bytes(stand.document().document + "<!-- æøå -->\r\n".encode())
    proofs = [f"{system}\n{stand.key(system)}" for system in (NURSES, DOCTORS)]
    out = _ran(
        ["java", "-cp", toolkit[1], "Witness", f"{stand.door}?{wsdl}", DOCTOR.her_id, NURSING.her_id, *proofs, str(document), how],
        120,
    )  # fmt: skip
    seen = dict(line.removeprefix("seen ").split("=", 1) for line in out.splitlines() if line.startswith("seen "))
    assert seen == {
        "system": NURSES,
        "duplicate": "false",
        "same": "true",
        "listed": "true",
        "confirmed": "1",
        "state": "Acknowledged",
        "answered": "true",
        "events": "true",
        "fault": "not-found 1010",
    }
