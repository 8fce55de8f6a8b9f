"""The visitors of the shop: real HTTP and TCP requests, some of which hit a bug of the application."""

from __future__ import annotations

import json
import random
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from staging import Failed

STOREFRONTS = ("martin", "lopez")
GOOD_CARD, BAD_CARD = "4242 4242 4242 4242", "4242 4242 4242 4241"


@dataclass(frozen=True)
class Bug:
    """One genuine bug of the application.

    `marker` stands in the error's title and in what the application itself logged; `storefronts` are those
    whose visitors hit it, none for a thread that serves nobody in particular.
    """

    name: str
    service: str
    marker: str
    storefronts: tuple[str, ...]
    times: int


LABEL = Bug("label for an unlisted country", "shop", "KeyError", ("martin", "lopez"), 8)
STOCK = Bug("more ordered than in stock", "shop", "IntegrityError", ("martin",), 6)
DELIVERY = Bug("empty delivery note", "shop", "JSONDecodeError", ("lopez",), 2)
FIGURES = Bug("figures of a day without orders", "shop", "ZeroDivisionError", (), 5)
PARCEL = Bug("parcel too heavy (f-string)", "shop", "could not be shipped", ("martin",), 7)
PAYMENT = Bug("card declined (structlog)", "shop", "payment_declined", ("lopez",), 7)
SCAN = Bug("scale with a decimal comma", "warehouse", "ValueError", ("martin",), 6)
VOUCHER = Bug("voucher that does not exist", "shop", "TypeError", ("lopez",), 5)
BUGS = (LABEL, STOCK, DELIVERY, FIGURES, PARCEL, PAYMENT, SCAN, VOUCHER)


class Visitors:
    """Sends one request after the other; remembers where the services listen."""

    def __init__(self, shop_port: int, warehouse_port: int) -> None:
        self.shop_port = shop_port
        self.warehouse_port = warehouse_port
        self._random = random.Random(1856)

    def request(
        self, method: str, path: str, storefront: str, content: object = None
    ) -> tuple[int, dict[str, object]]:
        """(status, answer) of one request to the shop; `content` is sent as JSON, bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.shop_port}{path}",
            method=method,
            data=body if method == "POST" else None,
            headers={"X-Storefront": storefront},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def order(
        self, storefront: str, country: str = "FR", sku: str = "TEA-100", quantity: int = 1
    ) -> tuple[int, int]:
        """(status, order number) of a new order."""
        customer = f"customer-{self._random.randrange(10_000)}"
        wanted = {"customer": customer, "country": country, "sku": sku, "quantity": quantity}
        status, answer = self.request("POST", "/orders", storefront, wanted)
        return status, int(str(answer.get("order", 0)))

    def label(self, storefront: str, country: str) -> int:
        """Status of the answer to an order's label."""
        _, number = self.order(storefront, country)
        return self.request("GET", f"/orders/{number}/label", storefront)[0]

    def check_label(self, storefront: str, country: str) -> None:
        """A visit to the corrected page. Raises Failed when it is not well."""
        if (status := self.label(storefront, country)) != 200:
            raise Failed(f"the corrected label page answers {status}")

    def scan(self, storefront: str, kilograms: str) -> bool:
        """Whether the warehouse took a scanner's line."""
        with socket.create_connection(("127.0.0.1", self.warehouse_port), timeout=30) as connection:
            connection.sendall(
                f"{storefront};PICK;{self._random.randrange(1000)};TEA-100;{kilograms}\n".encode()
            )
            return connection.makefile("rb").readline() == b"OK\n"

    def hit(self, bug: Bug, storefront: str) -> None:
        """One visit that the bug spoils."""
        if bug is LABEL:
            self.label(storefront, self._random.choice(("CH", "NO", "CA")))
        elif bug is STOCK:
            self.order(storefront, sku="POT-1L", quantity=self._random.randrange(4, 9))
        elif bug is DELIVERY:
            self.request("POST", "/deliveries", storefront, b"")
        elif bug is FIGURES:
            self.request("POST", f"/figures/2001-01-{self._random.randrange(10, 29)}", storefront)
        elif bug is PARCEL:
            _, number = self.order(storefront, sku="CHEST-40")
            self.request("POST", f"/orders/{number}/ship", storefront)
        elif bug is PAYMENT:
            _, number = self.order(storefront)
            payment = {"card": BAD_CARD, "amount": self._random.randrange(100, 9000)}
            self.request("POST", f"/orders/{number}/payment", storefront, payment)
        elif bug is SCAN:
            self.scan(storefront, f"0,{self._random.randrange(100, 999)}")
        elif bug is VOUCHER:
            self.request("GET", f"/vouchers/TEA-{self._random.randrange(20, 99)}", storefront)

    def visit_well(self, storefront: str) -> None:
        """One visit without any trouble."""
        self.buy(storefront)
        self.scan(storefront, "0.120")

    def buy(self, storefront: str) -> None:
        """An order that is paid and shipped."""
        _, number = self.order(storefront)
        self.request("GET", "/products", storefront)
        self.request("GET", f"/orders/{number}/label", storefront)
        self.request("POST", f"/orders/{number}/payment", storefront, {"card": GOOD_CARD, "amount": 890})
        self.request("POST", f"/orders/{number}/ship", storefront)

    def shop_goes_on(self) -> Crowd:
        """Visitors who buy once a second, and ask for the day's figures, until they are told to end."""
        today = date.today().isoformat()
        figures = partial(self.request, "POST", f"/figures/{today}", STOREFRONTS[0])
        crowd = Crowd([partial(self.buy, STOREFRONTS[0]), figures], pace=0.5, forever=True)
        crowd.start()
        return crowd

    def again_and_again(self, bug: Bug) -> Crowd:
        """Visitors who hit the bug once a second, until they are told to end."""
        crowd = Crowd([partial(self.hit, bug, bug.storefronts[0])], pace=1.0, forever=True)
        crowd.start()
        return crowd

    def day(self) -> list[Callable[[], object]]:
        """Every visit of the demo's main part, in an order that is the same in each run."""
        visits: list[Callable[[], object]] = []
        for bug in BUGS:
            fronts = bug.storefronts or STOREFRONTS
            visits += [partial(self.hit, bug, fronts[number % len(fronts)]) for number in range(bug.times)]
        visits += [partial(self.visit_well, STOREFRONTS[number % 2]) for number in range(20)]
        self._random.shuffle(visits)
        return visits


class Crowd(threading.Thread):
    """Sends visits in the background, `pace` seconds apart, until they are through or it is told to end."""

    def __init__(self, visits: Sequence[Callable[[], object]], pace: float, *, forever: bool = False) -> None:
        super().__init__(name="crowd", daemon=True)
        self.done = 0
        self.total = len(visits)
        self.problem: Exception | None = None
        self._visits = visits
        self._pace = pace
        self._forever = forever
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                for visit in self._visits:
                    visit()
                    self.done += 1
                    if self._ended.wait(self._pace):
                        return
                if not self._forever:
                    return
        except (OSError, ValueError, Failed) as problem:
            self.problem = problem

    def end(self) -> None:
        self._ended.set()
        self.join()

    def has_sent(self, share: float) -> bool:
        """Whether that share of the visits is through. Raises Failed when something stopped them."""
        if self.problem:
            raise Failed(f"the visitors cannot go on: {self.problem!r}") from self.problem
        return self.done >= share * self.total
