"""A Celery worker with several processes: each ships its own errors. Messages are files: no broker needed.

Run it, and send it a task:

    celery --app celery_app worker --concurrency 3 --loglevel INFO
    celery --app celery_app call celery_app.invoice --args '["acme", 17]'
"""

from __future__ import annotations

from logging.config import dictConfig
from pathlib import Path

from celery import Celery
from celery.utils.log import get_task_logger

import tocsin.handler

dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "invoices"},
        },
        "root": {"handlers": ["tocsin"]},
    }
)

ADDRESSES: dict[str, str] = {}
QUEUE = Path("queue")
QUEUE.mkdir(exist_ok=True)

log = get_task_logger(__name__)
app = Celery("celery_app", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(QUEUE),
    "data_folder_out": str(QUEUE),
    "control_folder": str(QUEUE / "control"),
}


@app.task
def invoice(client: str, number: int) -> None:
    """Raises, and Celery logs it."""
    with tocsin.handler.bind(client=client):
        print(f"Invoice {number} goes to {ADDRESSES[client]}")


@app.task
def reminder(client: str, number: int) -> None:
    """Logs an error itself."""
    with tocsin.handler.bind(client=client):
        log.error("invoice %d cannot be reminded of", number)
