"""Does a correction hold? A regression test is made of the error and run on the old and on the new code.

Runs in the developer's checkout, on a copy of it; never inside the daemon.
"""

from tocsin.daemon.corrections.validation.case import Call, Case, Change, case_of
from tocsin.daemon.corrections.validation.outcome import Check, Outcome, Run
from tocsin.daemon.corrections.validation.project import ProjectError
from tocsin.daemon.corrections.validation.run import Options, validate

__all__ = [
    "Call",
    "Case",
    "Change",
    "Check",
    "Options",
    "Outcome",
    "ProjectError",
    "Run",
    "case_of",
    "validate",
]
