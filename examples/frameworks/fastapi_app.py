"""FastAPI under uvicorn or hypercorn with several workers: each ships its own errors. A key says who asks.

Run it, and ask for a price it does not have:

    uvicorn --workers 3 fastapi_app:app
    hypercorn --workers 3 fastapi_app:app
    curl --header 'X-Api-Key: k-4711' 'http://127.0.0.1:8000/prices/tea?currency=EUR'
"""

from __future__ import annotations

from logging.config import dictConfig
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException

import tocsin.handler
from tocsin.handler.middleware import AsgiMiddleware

CLIENTS = {"k-4711": "acme"}
PRICES = {"coffee": 3}

dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "prices"},
        },
        "root": {"handlers": ["tocsin"]},
    }
)

app = FastAPI()
app.add_middleware(AsgiMiddleware)


async def client(x_api_key: Annotated[str, Header()]) -> str:
    """Who asks; what is logged from here on is theirs."""
    if x_api_key not in CLIENTS:
        raise HTTPException(401)
    tocsin.handler.bind(client=CLIENTS[x_api_key])
    return CLIENTS[x_api_key]


@app.get("/prices/{product}")
def price(product: str, client: Annotated[str, Depends(client)]) -> dict[str, int]:
    """Fails for what has no price."""
    return {product: PRICES[product]}
