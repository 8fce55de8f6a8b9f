"""RQ: its settings hold the logging, so that the worker has the handler before it starts its first job.

Run the workers (Redis must be there), and give them a job:

    rq worker-pool --config rq_settings --num-workers 3
    rq enqueue --config rq_settings rq_jobs.pack acme 17
"""

import os

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
QUEUES = ["default"]
DICT_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "packing"},
        "console": {"class": "logging.StreamHandler"},
    },
    "root": {"handlers": ["tocsin", "console"], "level": "INFO"},
}
