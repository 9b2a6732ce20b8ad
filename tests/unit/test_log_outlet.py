"""A log that cannot be written stops nobody."""

from __future__ import annotations

import errno
import io
import logging
import sys

import pytest
import structlog

from ops.config import LogSettings
from ops.serve import logs


class Full(io.StringIO):
    """A file on a full disk, until there is room."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_line_that_cannot_be_written_is_lost_and_the_next_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks goes on: it may have committed just before."""
    disk = Full()
    monkeypatch.setattr(sys, "stderr", disk)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    before = structlog.get_config()
    try:
        logs.configure(LogSettings(form="json"))
        structlog.get_logger("store").info("lost")
        disk.full = False
        structlog.get_logger("store").info("written")
    finally:
        structlog.configure(**before)
    assert '"written"' in disk.getvalue()
    assert '"lost"' not in disk.getvalue()
