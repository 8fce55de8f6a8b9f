"""What an agent is told: its task and its limits, what was tried before, and the report of the error. Pure.

It names no database, no console and no command of ours: the agent's part is to edit files.
"""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.daemon.corrections.handoff.markdown import fenced, markdown, span
from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.tries import TryFacts
from tocsin.daemon.settings import Agent

_TASK = """\
# Correct error {number}

You are in a copy of the project at commit {revision}. Find the cause of the error below and correct it in the
files of this directory. When you end, what is different in the files is looked at and tested: the call that
failed is made again, with the old code and with yours, and the project's own tests are run. You need not commit,
nor record anything.

- Correct the cause. Code that only takes out what failed, or catches every exception, is not accepted as tested.
- Tests may be added; no line of theirs may go, and tests alone correct nothing.
- At most {files} files may change, and none of: {protected}.
- You have {minutes} minutes.
"""


def instructions(error: ErrorDetail, agent: Agent, revision: str, tries: Sequence[TryFacts]) -> str:
    """The report for the agent's standard input. `tries`: those at this error that failed, oldest first."""
    protected = ", ".join(f"`{pattern}`" for pattern in agent.protected)
    head = _TASK.format(
        number=error.id,
        revision=revision[:12],
        files=agent.files,
        minutes=agent.minutes,
        protected=f"`.git*`, {protected}" if protected else "`.git*`",
    )
    before: list[str] = []
    for row in tries:
        before += ["", f"Tried before by {span(row.agent)}, and not accepted:", ""]
        before += fenced("\n".join(row.reasons) or row.state)
    if before:
        before = ["", "## Earlier tries", *before]
    return "\n".join([head, *before, "", markdown(error, command=None)])
