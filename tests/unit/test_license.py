"""The licence is whole: the text as the SPDX list has it, and the name of it where packages look."""

from __future__ import annotations

import hashlib
import tomllib

from tests.support.standards import REPO

#: Of EUPL-1.2 as spdx-license-list 6.12.0 (npm) carries it, with one line end at its end; its articles agree word for word
#: with those of licensedcode-data 32.1.0 (PyPI).
DIGEST = "57fb42fbcd0b037ce528ed8f72f1ec095d67bc6825ecf1448ff39be1fe68a4b4"


def test_it_is_the_text_of_the_spdx_list() -> None:
    """Not a letter more or less."""
    assert hashlib.sha256((REPO / "LICENSE").read_bytes()).hexdigest() == DIGEST


def test_the_package_names_it() -> None:
    """By its SPDX identifier, and with its file."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("EUPL-1.2", ["LICENSE"])
