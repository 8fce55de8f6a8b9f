"""A Flask view that needs its application's settings."""

from flask import Flask, current_app

app = Flask(__name__)
app.config["RATES"] = {"eur": 1.0, "chf": 0.94}


@app.get("/price/<currency>")
def price(currency: str) -> str:
    """What an article costs in a currency."""
    return str(round(100 * current_app.config["RATES"][currency.upper()], 2))


def main() -> None:
    app.testing = True
    app.test_client().get("/price/usd")
