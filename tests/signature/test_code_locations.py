from __future__ import annotations

import linecache
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tocsin.handler.capture import code_locations as module
from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import Mention

TEXT = "import logging\n\n\ndef f(x):\n    logging.error('Order %s failed', x)\n"


def read(root: Path, **changed: Any) -> CodeLocations:
    known: dict[str, Any] = {"started_at": time.time() + 60, "in_app": (), "not_in_app": (), "live": False}
    return CodeLocations(**{**known, "sys_path": (str(root), str(root.parent)), **changed})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "orders.py"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def test_a_place_has_statement_template_module_and_the_lines_around(tmp_path: Path, file: Path) -> None:
    place = read(tmp_path).of(str(file), 5)
    assert (place.statement, place.template) == ('logging.error("Order %s failed",x)', "Order * failed")
    assert (place.module, place.in_app, place.first) == ("shop.orders", True, 1)
    assert place.source[4] == "    logging.error('Order %s failed', x)"


def test_names_given_to_the_handler_hide_their_values_in_the_lines_around(tmp_path: Path, file: Path) -> None:
    file.write_text("kundennummer = 'K-4711'\n" + TEXT)
    assert "K-4711" not in str(read(tmp_path, scrub=("kundennummer",)).of(str(file), 6))


def test_a_file_newer_than_the_process_is_not_trusted(tmp_path: Path, file: Path) -> None:
    place = read(tmp_path, started_at=file.stat().st_mtime - 1).of(str(file), 5)
    assert (place.statement, place.template, place.source) == (None, None, ())
    assert (place.module, place.in_app) == ("shop.orders", True)


def test_a_file_is_read_once(tmp_path: Path, file: Path) -> None:
    places = read(tmp_path)
    places.of(str(file), 5)
    file.unlink()
    assert places.of(str(file), 4).statement == "def f(x):"


def test_a_fifo_or_a_device_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    for path in (str(tmp_path / "pipe.py"), "/dev/zero", str(tmp_path)):
        assert read(tmp_path).of(path, 1).statement is None


@pytest.mark.parametrize(
    "path", ["", "<string>", "a\0b", "/nowhere/x.py", "relative.py", "/" + "x" * 5000, "\udc80"]
)
def test_odd_paths_never_raise(tmp_path: Path, path: str) -> None:
    assert read(tmp_path).of(path, 1).statement is None


@pytest.mark.parametrize("text", ["def f(:\n", "x = (\0)", "# coding: nonsense\nx = 1\n", "(" * 5000])
def test_a_file_that_cannot_be_parsed_has_no_statement(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert read(tmp_path).of(str(tmp_path / "a.py"), 1).statement is None


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n" * (module.FILE_LIMIT // 6 + 1))
    assert read(tmp_path).of(str(tmp_path / "a.py"), 1).statement is None


def test_another_encoding_is_read_as_declared(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    assert read(tmp_path).of(str(tmp_path / "a.py"), 2).statement == 'x="é"'


def test_a_module_of_this_process_is_known_by_its_name(tmp_path: Path) -> None:
    assert (
        read(tmp_path, live=True, sys_path=()).of(str(module.__file__), 1).module
        == "tocsin.handler.capture.code_locations"
    )


def test_an_object_that_claims_to_be_a_module_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Claims:
        @property
        def __class__(self) -> type:
            return type(sys)

    monkeypatch.setitem(sys.modules, "claims", Claims())
    places = read(tmp_path, live=True, sys_path=())
    assert places.of(str(module.__file__), 1).module == "tocsin.handler.capture.code_locations"


def test_main_is_the_stem_of_its_file(tmp_path: Path, file: Path) -> None:
    assert read(tmp_path).of(str(file), 5, "__main__").module == "orders"


def test_a_notebook_cell_is_read_from_memory(tmp_path: Path) -> None:
    path = "/tmp/ipykernel_1/77.py"
    linecache.cache[path] = (9, None, ["df.head()\n"], path)
    try:
        place = read(tmp_path, live=True).of(path, 1, "__main__")
    finally:
        del linecache.cache[path]
    assert (place.statement, place.module, place.in_app) == ("df.head()", "<notebook>", True)


def test_settings_decide_what_is_in_app(tmp_path: Path, file: Path) -> None:
    assert not read(tmp_path, not_in_app=("shop",)).of(str(file), 5).in_app


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLACES", 10)
    monkeypatch.setattr(module, "_FILES", 3)
    places = read(tmp_path)
    for number in range(40):
        (tmp_path / f"m{number}.py").write_text("x = 1\n")
        places.of(str(tmp_path / f"m{number}.py"), 1)
    assert (len(places._places), len(places._files), places._held) == (10, 3, 18)


def quoted(path: Path | str, line: int = 1) -> Mention:
    return Mention(str(path), line, quoted=True)


def test_a_file_that_only_a_text_names_is_not_read(tmp_path: Path, file: Path) -> None:
    place = read(tmp_path, live=True).of_mention(quoted(file, 5))
    assert (place.statement, place.source) == (None, ())
    assert (place.module, place.in_app) == ("shop.orders", True)


def test_a_loaded_modules_file_is_read_though_only_a_text_names_it(tmp_path: Path) -> None:
    assert read(tmp_path, live=True).of_mention(quoted(str(module.__file__))).source


def test_the_file_of_a_syntax_error_is_not_read(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_regular", lambda path, newest: pytest.fail(f"read {path}"))
    assert read(tmp_path).of_mention(Mention(str(file), 0)).module == "shop.orders"
