"""A job that cron runs: it logs, ends, and says goodbye. Declare it in tocsin.toml: `kind = "batch"`.

Run it:

    python cron_job.py
"""

from __future__ import annotations

import logging

from tocsin.handler import TocsinHandler

log = logging.getLogger("nightly")


def main() -> None:
    """Twenty rows cannot be read."""
    logging.basicConfig(handlers=[TocsinHandler(service="nightly", client="acme", level=logging.ERROR)])
    for row in range(20):
        log.error("row %d cannot be read", row)


if __name__ == "__main__":
    main()
