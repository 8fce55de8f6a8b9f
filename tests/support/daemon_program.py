"""`tocsin`, with room for an error per record, so that tests can tell each record from every other."""

from __future__ import annotations

from tocsin.daemon.__main__ import main
from tocsin.daemon.ingest import new_errors

if __name__ == "__main__":
    new_errors.ERRORS_PER_PLACE = new_errors.ERRORS_PER_SERVICE = 10**9
    main()
