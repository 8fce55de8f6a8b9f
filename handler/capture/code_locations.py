"""What the source says of the places that events name. Runs in the shipping thread, not in the application's.

Reads regular files only, each once, and only when they are no newer than the process: else the text on disk
is not what runs. A file that only a text names is read where it is a loaded module's: whoever can have a text
logged must not choose what is read. Nothing here raises; what cannot be known stays None.
"""

from __future__ import annotations

import linecache
import os
import stat
import sys
from collections import OrderedDict
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source
from types import ModuleType

from tocsin.handler.capture.inapp import in_app, is_notebook
from tocsin.handler.capture.mentions import Mention
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.source import Lines, Source, canonical, parsed, statement_of, template_of
from tocsin.handler.capture.templates import compiled
from tocsin.handler.protocol.event import CodeLocation

__all__ = ["NOTEBOOK", "CodeLocations", "canonical", "module_of", "statement_of", "template_of"]

NOTEBOOK = "<notebook>"
FILE_LIMIT = 2 * 1024 * 1024
"""Bytes of a source file that is read, at most."""
AROUND = 5
"""Source lines kept before and after the place, for people."""
LINE_LIMIT = 200
_PLACES = 4096
_FILES = 32
_CHARACTERS = 8 * 1024 * 1024
"""Characters of parsed source held, over all files."""

_dict_of = ModuleType.__getattribute__


class CodeLocations:
    """The places of one session. `live`: this process is the one that logs, so its memory may be asked."""

    def __init__(
        self,
        *,
        started_at: float,
        in_app: tuple[str, ...],
        not_in_app: tuple[str, ...],
        sys_path: tuple[str, ...],
        live: bool,
        scrub: tuple[str, ...] = (),
    ) -> None:
        self._scrub = Scrubber(scrub)
        self._started_at = started_at
        self._in_app = in_app
        self._not_in_app = not_in_app
        self._roots = tuple(
            sorted({_slashed(one).rstrip("/") for one in sys_path if one}, key=len, reverse=True)
        )
        self._live = live
        self._places: OrderedDict[tuple[str, int, str | None], CodeLocation] = OrderedDict()
        self._files: OrderedDict[str, tuple[Source | Lines | None, int]] = OrderedDict()
        self._held = 0
        self._modules: dict[str, str] = {}
        self._modules_seen = -1

    def of_mention(self, mention: Mention) -> CodeLocation:
        """The place that an event mentions."""
        if not mention.quoted or mention.path in self._loaded_files():
            return self.of(mention.path, mention.line, mention.module)
        name = self._module_at(mention.path)
        ours = in_app(mention.path, name, self._in_app, self._not_in_app)
        return CodeLocation(mention.path, mention.line, in_app=ours, module=name)

    def of(self, path: str, line: int, module: str | None = None) -> CodeLocation:
        """The place; `module` is the frame's `__name__` where it is known."""
        key = (path, line, module)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._look(path, line, module)
            if len(self._places) > _PLACES:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end(key)
        return place

    def _look(self, path: str, line: int, module: str | None) -> CodeLocation:
        if self._live and (made := compiled(path, line)):
            name = self._module_at(made.path) if made.path else ""
            ours = in_app(path, name, self._in_app, self._not_in_app)
            shown = (self._scrub.code(made.text[:LINE_LIMIT]),)
            return CodeLocation(path, line, in_app=ours, first=line, source=shown, module=name)
        # Jinja names a template's module after the template's file.
        named = module if module != path else None
        name = module_of(path, named) if named else self._module_at(path)
        ours = in_app(path, name, self._in_app, self._not_in_app)
        source = self._source(path) if line > 0 else None
        if source is None or line > len(source.lines):
            return CodeLocation(path, line, in_app=ours, module=name)
        template, scrub = source.template(line), self._scrub
        first = max(1, line - AROUND)
        statement = source.statement(line)
        return CodeLocation(
            path,
            line,
            statement=scrub.code(statement) if statement else statement,
            template=scrub.literal(template.text) if template else None,
            in_app=ours,
            first=first,
            source=scrub.lines([text[:LINE_LIMIT] for text in source.lines[first - 1 : line + AROUND]]),
            module=name,
            translated=template is not None and template.translated,
        )

    def _module_at(self, path: str) -> str:
        """The module whose file this is: by `sys.modules`, else by the longest entry of `sys.path`."""
        if is_notebook(path):
            return NOTEBOOK
        if name := self._loaded_files().get(path):
            return module_of(path, name)
        slashed = _slashed(path)
        for root in self._roots:
            if slashed.startswith(root + "/"):
                return _dotted(slashed[len(root) + 1 :])
        return module_of(path, "__main__")

    def _loaded_files(self) -> dict[str, str]:
        """File → name of what this process has imported, where it is the one that logs."""
        if self._live and len(sys.modules) != self._modules_seen:
            self._modules_seen = len(sys.modules)
            self._modules = _loaded()
        return self._modules

    def _source(self, path: str) -> Source | Lines | None:
        held = self._files.get(path)
        if held is not None:
            self._files.move_to_end(path)
            return held[0]
        text = self._read(path)
        source = None if text is None else parsed(text) or Lines(text)
        size = len(text) if source is not None and text is not None else 0
        self._files[path] = source, size
        self._held += size
        while len(self._files) > 1 and (len(self._files) > _FILES or self._held > _CHARACTERS):
            self._held -= self._files.popitem(last=False)[1][1]
        return source

    def _read(self, path: str) -> str | None:
        if os.path.isabs(path) and (data := _regular(path, self._started_at)) is not None:
            try:
                return decode_source(data)
            except (SyntaxError, ValueError):
                return None
        # A notebook's cells exist in memory only. An entry of another shape would read a file: left alone.
        entry = linecache.cache.get(path) if self._live and _absent(path) else None
        if entry is None or len(entry) != 4:
            return None
        return "".join(entry[2])[:FILE_LIMIT]


def module_of(path: str, name: str) -> str:
    """The module's name as grouping knows it: `__main__` is its file's stem, a notebook cell `<notebook>`."""
    if is_notebook(path):
        return NOTEBOOK
    if name != "__main__":
        return name
    return _slashed(path).rpartition("/")[2].removesuffix(".py") or name


def _slashed(path: str) -> str:
    return path.replace("\\", "/")


def _dotted(relative: str) -> str:
    return relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _absent(path: str) -> bool:
    try:
        return not os.path.exists(path)
    except (OSError, ValueError):
        return True


def _regular(path: str, newest: float) -> bytes | None:
    """The bytes of a regular file not modified after `newest`; never waits for a FIFO or a device."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > FILE_LIMIT or found.st_mtime > newest:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(FILE_LIMIT + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _loaded() -> dict[str, str]:
    """File → name of what is imported. Asks module dictionaries only: an attribute could import more."""
    names: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        # By its real type: a foreign object in sys.modules may say of itself that it is a module.
        if not issubclass(type(module), ModuleType):
            continue
        facts = _dict_of(module, "__dict__")
        file, own, loader = facts.get("__file__"), facts.get("__name__"), facts.get("__loader__")
        if file is None and type(loader) is SourceFileLoader:
            file = loader.path  # A script that has come to its end: its module forgets its file.
        if isinstance(file, str):
            names.setdefault(
                file.removesuffix("c") if file.endswith(".pyc") else file,
                own if isinstance(own, str) else name,
            )
    return names
