"""Templates of the mails: the built-in ones, and those a user puts in their place file by file.

A template of the user's that does not work is reported and the built-in one used instead: a mail is
never lost to a typing error. It runs in a sandbox: a template reads what it is given and calls nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tocsin.daemon.language import Language
from tocsin.daemon.log import log
from tocsin.daemon.settings import Organisation

BUILT_IN = Path(__file__).parent / "templates" / "mail"


class Templates:
    """The mails' templates, and the organisation that signs what clients get.

    `overrides`: directory of the user's own, None for the built-in ones alone.
    """

    def __init__(self, overrides: str | Path | None = None, organisation: Organisation | None = None) -> None:
        self.organisation = organisation or Organisation()
        self.overrides = Path(overrides).expanduser() if overrides else None
        self.problems: dict[str, str] = {}
        """File of the user's -> why it is not used; filled as mails are rendered."""

    def render(self, name: str, spoken: Language, values: Mapping[str, Any]) -> str:
        """The text of `detection.html`, `notice.txt`, ... in that language.

        Raises jinja2.TemplateError only for a built-in template.
        """
        if self.overrides is not None and self._overridden(name):
            try:
                text = (
                    _environment(str(self.overrides), spoken, sandboxed=True)
                    .get_template(name)
                    .render(values)
                )
            except Exception as error:  # whatever a user's template raises, the mail goes out
                self._report(name, f"{type(error).__name__}: {error}")
            else:
                self.problems.pop(name, None)
                return text
        return _environment(None, spoken, sandboxed=False).get_template(name).render(values)

    def _overridden(self, name: str) -> bool:
        """Whether the user replaced the template, or one it may be built on."""
        assert self.overrides is not None
        shared = [path.name for path in BUILT_IN.glob("_*")] if name.endswith(".html") else ["_layout.txt"]
        return any((self.overrides / one).is_file() for one in (name, *shared))

    def _report(self, name: str, reason: str) -> None:
        line = f"mail.templates: {name} does not work, the built-in one is used: {reason}"
        if self.problems.get(name) != line:
            self.problems[name] = line
            log.error("mail_template_unusable", template=name, reason=reason)


@lru_cache(maxsize=32)
def _environment(overrides: str | None, spoken: Language, *, sandboxed: bool) -> Environment:
    loaders: list[BaseLoader] = [FileSystemLoader(BUILT_IN)]
    if overrides is not None:
        loaders.insert(0, FileSystemLoader(overrides))
    kind = ImmutableSandboxedEnvironment if sandboxed else Environment
    environment = kind(
        loader=ChoiceLoader(loaders),
        autoescape=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(spoken.gettext, spoken.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(moment=spoken.moment, duration=spoken.duration, number=spoken.number)
    environment.filters["percent"] = spoken.percent
    return environment


def _escaped(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")
