"""The node's log: one JSON object a line on standard error. Identities are masked (design section 11)."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from ledger.redaction import redact


def configure(level: str) -> None:
    """Sets up structlog for the whole process; `level` is one of ledger.homes.config.LOG_LEVELS."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(handlers=[_Libraries(logging.WARNING)], force=True)


class _Libraries(logging.Handler):
    """What asyncio, gRPC and others have to say goes the same way, masks included: they quote what failed."""

    def emit(self, record: logging.LogRecord) -> None:
        """logging's hook."""
        structlog.get_logger().warning(record.getMessage(), library=record.name, exc_info=record.exc_info)


def _masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and key != "timestamp":
            event[key] = redact(value)
    return event
