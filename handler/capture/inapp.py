"""Which code is the application's own. Pure: paths may be of any machine, no file is read."""

from __future__ import annotations

import re
import sys

_PACKAGES = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\]")
_LIBRARY = re.compile(r"[/\\]lib(?:64)?[/\\](?:python|pypy)\d+(?:\.\d+)?t?(?:\.zip)?[/\\]([^/\\]+)")
_NOTEBOOK = re.compile(r"[/\\]ipykernel_\d+[/\\]|^<ipython-input-")

# A recorded path may come from an older or newer Python than the one that judges it.
# fmt: off
_OTHER_VERSIONS = frozenset((
    "annotationlib", "compression", "asynchat", "asyncore", "distutils", "imp", "smtpd", "aifc", "audioop",
    "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib",
    "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib", "lib-dynload", "test",
))
# fmt: on
_STANDARD = sys.stdlib_module_names | _OTHER_VERSIONS


def in_app(path: str, module: str, in_app: tuple[str, ...], not_in_app: tuple[str, ...]) -> bool:
    """Is the code at `path`, of the module named `module`, the application's (grouping rule "In-app")?

    `in_app` and `not_in_app` are module prefixes by dotted parts; they win over every other rule, the longer
    match over the shorter one.
    """
    ours, theirs = _longest(module, in_app), _longest(module, not_in_app)
    if ours or theirs:
        return ours >= theirs
    if is_notebook(path):
        return True
    if not path or path.startswith("<"):
        return False
    return _PACKAGES.search(path) is None and not is_standard_library(path)


def is_notebook(path: str) -> bool:
    """A notebook cell: its file name is new on every run."""
    return _NOTEBOOK.search(path) is not None


def is_standard_library(path: str) -> bool:
    """A file of the standard library: under `lib/pythonX.Y/`, and the name there is one of the library's.

    The second half keeps an application deployed into such a directory apart.
    """
    found = _LIBRARY.search(path)
    if found is None or _PACKAGES.search(path):
        return False
    return found[1].removesuffix(".py") in _STANDARD


def _longest(module: str, prefixes: tuple[str, ...]) -> int:
    return max((len(p) for p in prefixes if p and (module == p or module.startswith(p + "."))), default=0)
