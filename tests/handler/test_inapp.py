"""Which code counts as the application's own, for paths of any machine."""

import pytest

from tocsin.handler.capture.inapp import in_app


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("/srv/app/shop/orders.py", "shop.orders"),
        ("shop/orders.py", "shop.orders"),
        ("/home/u/lib/python3.11/shop/orders.py", "shop.orders"),
        ("/tmp/ipykernel_811/123.py", "__main__"),
        ("<ipython-input-3-1a2b>", "__main__"),
        ("/srv/lib/json/views.py", "json.views"),
    ],
)
def test_application_code_and_notebook_cells_are_in_app(path: str, module: str) -> None:
    assert in_app(path, module, (), ())


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("/usr/lib/python3.11/asyncio/selector_events.py", "asyncio.selector_events"),
        ("/usr/lib64/python3.13t/json/__init__.py", "json"),
        ("/usr/lib/python312.zip/json/__init__.py", "json"),
        ("/usr/lib/python3.11/runpy.py", "__main__"),
        ("/usr/lib/python3.11/asyncore.py", "asyncore"),
        ("/opt/cpython-3.12.1-linux/lib/python3.12/threading.py", "threading"),
        ("/usr/lib/python3/site-packages/uvicorn/p.py", "uvicorn.p"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "yaml"),
        ("/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", "celery.app.trace"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap"),
        ("<string>", "__main__"),
        ("", ""),
    ],
)
def test_libraries_and_generated_code_are_not_in_app(path: str, module: str) -> None:
    assert not in_app(path, module, (), ())


def test_a_setting_brings_an_installed_application_in() -> None:
    assert in_app("/usr/lib/python3/site-packages/shop/orders.py", "shop.orders", ("shop",), ())


def test_a_setting_names_whole_dotted_parts() -> None:
    assert not in_app("/usr/lib/python3/site-packages/shopping/x.py", "shopping.x", ("shop",), ())


def test_a_setting_keeps_vendored_code_out() -> None:
    assert not in_app("/srv/app/shop/vendor/x.py", "shop.vendor.x", ("shop",), ("shop.vendor",))


def test_the_longer_setting_wins() -> None:
    assert in_app("/srv/app/shop/x/y.py", "shop.x.y", ("shop.x",), ("shop",))
