"""What a command ends with when it cannot do as asked: classes only, so that nothing else need be loaded."""

from __future__ import annotations


class Failed(Exception):
    """What was asked for failed (exit code 1); the text is for people and says what to do."""


class NotThere(Failed):
    """What was named is not there."""


class Meanwhile(Failed):
    """It is so already, or somebody else has changed what was asked for."""


class WrongUse(Exception):
    """The command or its configuration cannot be used (exit code 2); the text names the remedy."""
