"""The functions that RQ's jobs name."""


def price(sku):
    return {"tea": 3}[sku]


def total(number):
    return price(f"sku-{number}") * 2


def load(path):
    return open(path).read()
