"""Is ingest slowed by a broken mail server? The real daemon, new errors, and a mail server of each fault.

`make mail-storm`, or `python benchmarks/mail_outage.py [ERRORS] [ROUNDS]`. Each error is new, so that each
opens a ticket and queues two mails. Prints events acknowledged a second, the median of the rounds; exits 1
when a broken server costs more than a third of the rate with none set.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.faulty_mail_server import FAULTS, broken
from support.mailing import MailingDaemon
from support.running import short_place

NONE = "no mail server"
SETTINGS = '[mail]\nadmin = ["ops@example.org"]\nper_hour = 20\n'


@contextlib.contextmanager
def mail_server(fault: str) -> Iterator[int | None]:
    if fault == NONE:
        yield None
        return
    with broken(fault) as server:
        yield server.port


def rate(fault: str, errors: int) -> float:
    """Events acknowledged a second."""
    with mail_server(fault) as port, short_place() as place:
        daemon = MailingDaemon(place, port, SETTINGS)
        try:
            daemon.up()
            took = daemon.fail([f"error {number}" for number in range(errors)], patience=600)
            if not took["delivered"] or daemon.total() != errors:
                raise SystemExit(f"{fault}: {daemon.total()} of {errors} errors were counted")
        finally:
            daemon.close()
    return errors / float(took["seconds"])


def main() -> int:
    errors = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for fault in (NONE, *FAULTS):
            rates[fault].append(rate(fault, errors))
            print(f"{fault:40} {rates[fault][-1]:8.0f} errors/s", flush=True)
    floor = statistics.median(rates[NONE])
    print(f"\n{'median of ' + str(rounds):40} {'errors/s':>8}  of {NONE}")
    for fault, found in rates.items():
        print(f"{fault:40} {statistics.median(found):8.0f}  {statistics.median(found) / floor:6.0%}")
    return int(any(statistics.median(found) < floor * 2 / 3 for found in rates.values()))


if __name__ == "__main__":
    sys.exit(main())
