"""None, where a customer was expected."""

CUSTOMERS = {"martin": {"name": "Martin SA"}}


def greeting(customer_id: str) -> str:
    """The first line of a letter."""
    customer = CUSTOMERS.get(customer_id)
    return "Dear " + (customer["name"] if customer else "customer")


def main() -> None:
    greeting("dupont")
