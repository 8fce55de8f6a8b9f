"""gunicorn's own errors too: a worker that was killed, took too long or could not start.

Run it:

    gunicorn --config gunicorn_conf.py flask_app:app
"""

workers = 3
logconfig_dict = {
    "handlers": {
        "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "shop"},
        "console": {"class": "logging.StreamHandler", "formatter": "generic"},
    },
    "root": {"handlers": ["tocsin", "console"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"propagate": True}},
}
