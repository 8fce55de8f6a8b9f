"""What a command ends with when it cannot do as asked: classes only, so that nothing else need be loaded."""

from __future__ import annotations


class Failed(Exception):
    """What was asked for failed (exit code 1); the text is for people and says what to do.

    As a string it is English: `text` with its facts filled in for `%(name)s`. `reason.failed` gives it in another
    language. A fact may be another failure.
    """

    def __init__(self, text: str = "", /, **facts: object) -> None:
        super().__init__(text % facts if facts else text)
        self.text = text
        self.facts = facts


class NotThere(Failed):
    """What was named is not there."""


class Meanwhile(Failed):
    """It is so already, or somebody else has changed what was asked for."""


class WrongUse(Exception):
    """The command or its configuration cannot be used (exit code 2); the text names the remedy."""
