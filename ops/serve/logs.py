"""How the running hub speaks: structured lines with ids, codes and times, to standard error."""

from __future__ import annotations

import logging
import sys

import structlog

from ops.config import LogSettings


def configure(settings: LogSettings) -> None:
    """Sets up structlog; called once by the command, never at import. Other libraries speak from warning upward."""
    text = settings.form == "text" or (settings.form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line in one write
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s", stream=sys.stderr, force=True)
