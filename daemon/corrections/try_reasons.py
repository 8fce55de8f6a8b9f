"""Why a coding agent's try did not end as a tested correction: a code and its facts, worded here. Pure.

A runner elsewhere sends the code: no text of its own is ever a template.
"""

from __future__ import annotations

import re

from msgspec import Struct

from tocsin.daemon.failure import Failed
from tocsin.daemon.reason import Reason
from tocsin.handler.capture.values import clean

FACT = 2000
"""Characters of one fact, at most."""
_NAME = re.compile(r"%\((\w+)\)s")

TEXTS = {
    "empty": "the agent changed nothing",
    "outside": "%(path)s is outside the project",
    "protected": "%(path)s is protected (agent.protected: %(pattern)s)",
    "link": "%(path)s is a link: what it leads to is not the project's",
    "repository": "%(path)s is a repository of its own within the project",
    "binary": "%(path)s is no text",
    "large": "%(path)s is larger than %(limit)s",
    "many": "%(count)s files were changed, of at most %(limit)s (agent.files)",
    "tests_only": "only tests were changed: the error would still happen",
    "tests_weakened": "lines were taken out of the tests in %(path)s",
    "time": "the agent was ended after %(minutes)s minutes (agent.minutes)",
    "output": "the agent printed more than %(megabytes)s MB (agent.output)",
    "exit": "the agent ended with exit code %(exit_code)s",
    "missing": "the agent's program cannot be started: %(error)s",
    "failed": "the tests failed: %(summary)s",
    "unproved": "the tests prove nothing: %(summary)s",
    "own_tests": "the project's own tests fail: %(summary)s",
    "gone": "%(function)s is gone, so that nothing can show whether the error is",
    "emptied": "%(function)s does nothing any more",
    "swallowed": "%(function)s catches every exception and does nothing about it",
    "only_removed": "code was only taken out, none put in its place",
    "broken": "Tocsin could not do its part: %(error)s",
    "stopped": "the runner was stopped",
    "lost": "its runner was not heard of any more",
}
"""Each with `%(name)s` for what differs; `daemon/locale` has the French."""


class Because(Struct, frozen=True):
    """One reason, as it is sent."""

    code: str
    facts: dict[str, str] = {}


class UnknownReason(Failed):
    """The code is not known, or its facts are others."""


def because(code: str, **facts: object) -> Because:
    """A reason with its facts, each cut to a bounded length."""
    return Because(code, {name: str(value)[:FACT] for name, value in facts.items()})


def reason(given: Because) -> Reason:
    """The reason as people read it. Raises UnknownReason."""
    text = TEXTS.get(given.code)
    if text is None or set(_NAME.findall(text)) != given.facts.keys():
        raise UnknownReason(f"reason {given.code!r} with {sorted(given.facts)} is not known")
    return Reason(text, **{name: clean(value)[:FACT] for name, value in given.facts.items()})
