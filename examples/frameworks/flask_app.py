"""Flask under gunicorn with several workers: each worker ships its own errors. Sites are known by their hosts.

`hosts` of a `[[client]]` in the daemon's configuration says whose site a host is; any other host is nobody's.

Run it, and ask for a price it does not have:

    gunicorn --workers 3 flask_app:app
    curl --header 'Host: acme.example.org' 'http://127.0.0.1:8000/prices/tea?currency=EUR'
"""

from __future__ import annotations

from logging.config import dictConfig

from flask import Flask

from tocsin.handler.middleware import WsgiMiddleware, by_host

PRICES = {"coffee": 3}

dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "shop"},
        },
        "root": {"handlers": ["tocsin"]},
    }
)


app = Flask(__name__)
app.wsgi_app = WsgiMiddleware(app.wsgi_app, by_host)


@app.get("/prices/<product>")
def price(product: str) -> dict[str, int]:
    """Fails for what has no price."""
    return {product: PRICES[product]}
