"""How the running hub speaks: structured lines with ids, codes and times, to standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog

from ops.config import LogSettings

#: What these say of a lost connection, with its trace and each time anew, we say ourselves, in words and once.
TOLD_BY_US = ("aio_pika", "aiormq")


class _Outlet:
    """A stream that stops nobody: a line that cannot be written (disk full, reader gone) is lost, the journal has it all.

    What speaks after a commit must not fail: it would be taken for the commit's own failure.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(line)
        return len(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure(settings: LogSettings) -> None:
    """Sets up structlog; called once by the command, never at import. Other libraries speak from warning upward."""
    text = settings.form == "text" or (settings.form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Outlet(sys.stderr))),  # a line in one write
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s", stream=sys.stderr, force=True)
    for name in ("aio_pika", "aiormq"):  # a line at every try to connect; what matters of it we tell ourselves
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for library in TOLD_BY_US:
        logging.getLogger(library).setLevel(logging.CRITICAL)
