"""The page about webhooks: its ten lines verify what the hub signs, and refuse everything else; its tables are true."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.webhook import wire

PAGE = (Path(__file__).parents[2] / "docs" / "webhook.md").read_text("utf-8")
BODY, SECRET, OTHER = b'{"id":"1"}', b"s" * 32, b"o" * 32


def verified(*args: Any, **given: Any) -> bool:
    """As the page has it."""
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found.group(1), names)
    return bool(names["verified"](*args, **given))


def signed(*secrets: bytes, ago: float = 0, body: bytes = BODY) -> str:
    return wire.signature(body, secrets, datetime.now(UTC) - timedelta(seconds=ago))


def test_what_the_hub_signs_is_verified() -> None:
    assert verified(signed(SECRET), BODY, SECRET)


@pytest.mark.parametrize("secret", [SECRET, OTHER], ids=["the first", "the second"])
def test_in_roll_over_either_secret_verifies(secret: bytes) -> None:
    """The first one signs first."""
    header = signed(SECRET, OTHER)
    assert verified(header, BODY, secret)
    at = header.partition(",")[0]
    assert header == f"{signed(SECRET)},{signed(OTHER).partition(',')[2]}" and at.startswith("t=")


FORGED = {
    "another secret": lambda: (signed(OTHER), BODY, SECRET),
    "another body": lambda: (signed(SECRET), BODY + b" ", SECRET),
    "too old": lambda: (signed(SECRET, ago=301), BODY, SECRET),
    "of the future": lambda: (signed(SECRET, ago=-302), BODY, SECRET),
    "another time": lambda: (signed(SECRET, ago=9).replace("t=", "t=1"), BODY, SECRET),
    "no time": lambda: (signed(SECRET).partition(",")[2], BODY, SECRET),
    "no signature": lambda: (f"t={int(time.time())}", BODY, SECRET),
    "another scheme": lambda: (signed(SECRET).replace("v1=", "v0="), BODY, SECRET),
    "nothing": lambda: ("", BODY, SECRET),
    "no header": lambda: ("t=,v1=", BODY, SECRET),
    "letters that are none": lambda: ("t=1,v1=ø", BODY, SECRET),
}


@pytest.mark.parametrize("name", FORGED)
def test_all_else_is_refused(name: str) -> None:
    assert not verified(*FORGED[name]())


def test_every_member_stands_on_the_page() -> None:
    """And the page's example has just those."""
    told = re.findall(r"^\| (`.*?`) \|", PAGE.partition("| member |")[2].partition("\n\n")[0], re.MULTILINE)
    members = [name for cell in told for name in re.findall(r"`(\w+)`", cell)]
    example = re.search(r'^\{"id".*\}$', PAGE, re.MULTILINE)
    assert example is not None and re.findall(r'"(\w+)":', example.group()) == members
    assert len(members) == 10
