"""Flask under gunicorn with several workers: each worker ships its own errors. Clients have subdomains.

Run it, and ask for a price it does not have:

    gunicorn --workers 3 flask_app:app
    curl --header 'Host: acme.example.org' 'http://127.0.0.1:8000/prices/tea?currency=EUR'
"""

from __future__ import annotations

from logging.config import dictConfig
from typing import Any

from flask import Flask

from tocsin.handler.integrations.middleware import WsgiMiddleware

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


def client(environ: dict[str, Any]) -> str:
    """acme.example.org is the client acme's."""
    return environ["HTTP_HOST"].partition(".")[0]


app = Flask(__name__)
app.wsgi_app = WsgiMiddleware(app.wsgi_app, client)


@app.get("/prices/<product>")
def price(product: str) -> dict[str, int]:
    """Fails for what has no price."""
    return {product: PRICES[product]}
