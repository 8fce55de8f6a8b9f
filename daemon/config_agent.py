"""What is right for `[agent]`, and which words its commands may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.settings import Agent

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_WORDS = {
    "command": ("project", "report", "tmp"),
    "sandbox": ("project", "report", "tmp"),
    "pull_request": ("branch", "title", "body"),
}
OURS = ("TOCSIN_", "SMTP_", "PG")
"""Beginnings of the variables that hold secrets or addresses of ours."""


def check(agent: Agent) -> None:
    """Raises ConfigError, with the key's name, for what cannot be."""
    for key, known in _WORDS.items():
        words: list[str] = getattr(agent, key)
        for word in words:
            for name in _PLACEHOLDER.findall(word):
                if name not in known:
                    right = ", ".join(f"{{{one}}}" for one in known)
                    raise ConfigError(f"agent.{key} = {word!r}: {{{name}}} is not known; known are {right}")
    if agent.sandbox and not agent.command:
        raise ConfigError("agent.sandbox is put before agent.command, which is not set")
    for name in agent.environment:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigError(f"agent.environment: {name!r} is no variable's name; write the name alone")
        if name.upper().startswith(OURS):
            raise ConfigError(
                f"agent.environment: {name!r} is Tocsin's or the database's; no agent is given it"
            )
    for pattern in agent.protected:
        if not pattern.strip("/ ") or pattern.startswith("/"):
            raise ConfigError(
                f'agent.protected: {pattern!r}: write a name ("conftest.py"), a directory ("migrations/") or a '
                "path below the project"
            )


def name(agent: Agent) -> str:
    """Who the agent's corrections are by."""
    return agent.name.strip() or (PurePath(agent.command[0]).name if agent.command else "agent")


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The words with what `{name}` stands for; other braces stay."""
    return [_PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), word) for word in words]
