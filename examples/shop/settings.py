"""Where the shop keeps its data and how it logs."""

from __future__ import annotations

import json
import logging
import logging.config
import os
from pathlib import Path

import structlog

DATA = Path(os.environ.get("SHOP_DATA", "data"))


class JsonLines(logging.Formatter):
    """One JSON object a line, for the error log."""

    def format(self, record: logging.LogRecord) -> str:
        raised = record.exc_info[0] if record.exc_info else None
        return json.dumps(
            {
                "time": record.created,
                "logger": record.name,
                "message": record.getMessage(),
                "exception": raised.__name__ if raised else None,
                "storefront": getattr(record, "storefront", None),
            }
        )


def configure_logging(service: str, add_storefront: logging.Filter) -> None:
    """Requests to standard error, errors to a file of their own and to Tocsin."""
    DATA.mkdir(parents=True, exist_ok=True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"storefront": {"()": lambda: add_storefront}},
            "formatters": {
                "plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
                "json": {"()": JsonLines},
            },
            "handlers": {
                "console": {"class": "logging.StreamHandler", "formatter": "plain"},
                "errors": {
                    "class": "logging.FileHandler",
                    "filename": str(DATA / f"{service}.errors.jsonl"),
                    "level": "ERROR",
                    "formatter": "json",
                    "filters": ["storefront"],
                },
                "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": service},
            },
            "root": {"level": "INFO", "handlers": ["console", "errors", "tocsin"]},
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
