"""Web applications on servers with several workers: 20 errors, 20 counted, each its client's."""

from __future__ import annotations

import base64
import os
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar

import pytest
from support.example_programs import EXAMPLES, ExamplesDaemon, RunningProgram, commands
from support.running import until

OF_HOST = {"acme.example.org": "acme"}
"""Whose site a host is, as the daemon is configured."""
SERVED = ("GET", "/prices/tea")
SECRETS = ("s3cret", "4111111111111111", "k-4711")
"""What requests carry and no database may hold."""
FOUR = ("--workers", "4")
ANY_PORT = ("--bind", "127.0.0.1:0")
Ask = Callable[[str], int]
BOOTED = "Booting worker"


def asking(url: str, headers: Mapping[str, str] = {}) -> Ask:
    """Requests one page and returns the answer's status."""

    def ask(page: str) -> int:
        request = urllib.request.Request(url + page, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    return ask


def five_errors(server: RunningProgram, worker: int, ask: Ask) -> None:
    """The worker answers five requests with an error."""
    pages = [f"/prices/tea?page={n}&token=s3cret" for n in range(4)] + ["/prices/4111111111111111"]
    with server.only(worker):
        assert [ask(page) for page in pages] == [500] * 5


def four_of_gunicorn(server: RunningProgram) -> list[int]:
    """The pids of all its workers, once they are there."""
    assert server.says(BOOTED, 4), server.said()
    return server.children()


def assert_counted(tocsin: ExamplesDaemon, service: str, client: str, workers: list[int]) -> None:
    assert until(lambda: tocsin.clients(service) == {client: 20}), tocsin.clients(service)
    assert tocsin.logged_by(service) == dict.fromkeys(workers, 5)


def assert_bound_and_scrubbed(tocsin: ExamplesDaemon, service: str) -> None:
    events = tocsin.events(service)
    contexts = [event.context or {} for event in events]
    assert SERVED in [(context.get("method"), context.get("path")) for context in contexts]
    named = {OF_HOST.get(event.client or "", event.client) for event in events}
    assert named == set(tocsin.clients(service))
    frames = [frame for event in events if event.exception for frame in event.exception.frames]
    assert frames
    assert not [frame for frame in frames if frame.module.startswith("tocsin")]
    written = b"".join(path.read_bytes() for path in tocsin.place.glob("state/tocsin.db*"))
    assert b"/prices/tea" in written
    assert not [secret for secret in SECRETS if secret.encode() in written]


def test_flask_under_gunicorn_with_a_worker_killed(tocsin: ExamplesDaemon) -> None:
    (command, _) = commands(EXAMPLES / "flask_app.py")
    with tocsin.serving(*command, *FOUR, *ANY_PORT) as server:
        workers = four_of_gunicorn(server)
        ask = asking(server.url, {"Host": "acme.example.org"})
        for worker in workers:
            five_errors(server, worker, ask)
            if worker == workers[0]:
                os.kill(worker, signal.SIGKILL)
                assert server.says(BOOTED, 5), server.said()
        assert_counted(tocsin, "shop", "acme", workers)
    assert_bound_and_scrubbed(tocsin, "shop")


def test_gunicorns_own_word_of_a_killed_worker(alone: ExamplesDaemon) -> None:
    (command,) = commands(EXAMPLES / "gunicorn_conf.py")
    with alone.serving(*command, *FOUR, *ANY_PORT) as server:
        workers = four_of_gunicorn(server)
        os.kill(workers[0], signal.SIGKILL)
        assert until(lambda: alone.clients("shop") == {"": 1}), server.said()


def test_fastapi_under_uvicorn(tocsin: ExamplesDaemon) -> None:
    (command, _, _) = commands(EXAMPLES / "fastapi_app.py")
    patience = ("--timeout-worker-healthcheck", "60")
    with tocsin.serving(*command, *FOUR, *patience, "--port", "0") as server:
        url = server.url
        assert server.says("Application startup complete", 4), server.said()
        # Seen once it has settled, which a busy machine puts off.
        assert until(lambda: len(tocsin.present("prices") & set(server.children())) == 4), server.said()
        workers = [pid for pid in server.children() if pid in tocsin.present("prices")]
        ask = asking(url, {"X-Api-Key": "k-4711"})
        for worker in workers:
            five_errors(server, worker, ask)
        assert_counted(tocsin, "prices", "acme", workers)
    assert_bound_and_scrubbed(tocsin, "prices")


def test_fastapi_under_hypercorn_with_a_worker_killed(alone: ExamplesDaemon) -> None:
    (_, command, _) = commands(EXAMPLES / "fastapi_app.py")
    with alone.serving(*command, *FOUR, *ANY_PORT) as server:
        url = server.url
        assert server.says("Running on", 4), server.said()
        assert until(lambda: len(alone.present("prices")) == 4), server.said()
        workers = sorted(alone.present("prices"))
        ask = asking(url, {"X-Api-Key": "k-4711"})
        server.children()
        for worker in workers:
            five_errors(server, worker, ask)
        # Starlette answers before the server logs, and what is killed while it prints has not logged yet: one that
        # answers again has. The whole server ends with one worker that was killed.
        assert server.says("KeyError", 20), server.said()
        with server.only(workers[-1]):
            assert ask("/openapi.json") == 200
        os.kill(workers[-1], signal.SIGKILL)
    assert alone.counts("prices", {"acme": 20}), alone.clients("prices")
    assert alone.logged_by("prices") == dict.fromkeys(workers, 5)
    assert_bound_and_scrubbed(alone, "prices")


@pytest.fixture(scope="module")
def logged_in(tocsin: ExamplesDaemon) -> Iterator[Callable[[str], Ask]]:
    """Django's database with a user; from the server's URL to that user's browser."""
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = "s3cret-of-martin"
    (migrate, create, _) = commands(EXAMPLES / "django_site" / "settings.py")
    tocsin.run(*migrate, under="django_site")
    tocsin.run(*create, "--email", "martin@example.org", "--noinput", under="django_site")

    def log_in(url: str) -> Ask:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        page = url + "/admin/login/"
        opener.open(page, timeout=60).close()
        token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
        form = {"username": "martin", "password": "s3cret-of-martin", "csrfmiddlewaretoken": token}
        opener.open(page + "?next=/prices/coffee", urllib.parse.urlencode(form).encode(), timeout=60).close()
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
        return asking(url, {"Cookie": cookies})

    yield log_in
    del os.environ["DJANGO_SUPERUSER_PASSWORD"]


def test_django_under_gunicorn(tocsin: ExamplesDaemon, logged_in: Callable[[str], Ask]) -> None:
    command = commands(EXAMPLES / "django_site" / "settings.py")[-1]
    with tocsin.serving(*command, *FOUR, *ANY_PORT, under="django_site") as server:
        workers = four_of_gunicorn(server)
        ask = logged_in(server.url)
        for worker in workers:
            five_errors(server, worker, ask)
        assert_counted(tocsin, "site", "martin", workers)
    assert_bound_and_scrubbed(tocsin, "site")


def test_django_rest_framework_under_gunicorn_with_a_worker_killed(
    tocsin: ExamplesDaemon, logged_in: Callable[[str], Ask]
) -> None:
    settings = tocsin.examples / "django_site" / "settings.py"
    text = settings.read_text().replace('"service": "site"', '"service": "api"')
    settings.with_name("api_settings.py").write_text(text)
    command = commands(EXAMPLES / "django_site" / "settings.py")[-1]
    django = ("env", "DJANGO_SETTINGS_MODULE=api_settings", *command)
    password = base64.b64encode(b"martin:s3cret-of-martin").decode()
    with tocsin.serving(*django, *FOUR, *ANY_PORT, under="django_site") as server:
        workers = four_of_gunicorn(server)
        ask = asking(server.url + "/api", {"Authorization": f"Basic {password}"})
        for worker in workers:
            five_errors(server, worker, ask)
            if worker == workers[0]:
                os.kill(worker, signal.SIGKILL)
                assert server.says(BOOTED, 5), server.said()
        assert_counted(tocsin, "api", "martin", workers)


def test_asynchronous_django_asks_for_the_user_in_a_thread(
    tocsin: ExamplesDaemon, logged_in: Callable[[str], Ask]
) -> None:
    settings = tocsin.examples / "django_site" / "settings.py"
    settings.with_name("elsewhere.py").write_text(
        settings.read_text().replace('"service": "site"', '"service": "elsewhere"')
    )
    command = ("env", "DJANGO_SETTINGS_MODULE=elsewhere", "uvicorn", "--port", "0", "--factory")
    with tocsin.serving(*command, "django.core.asgi:get_asgi_application", under="django_site") as server:
        assert [logged_in(server.url)("/prices/tea") for _ in range(3)] == [500] * 3
        assert asking(server.url)("/prices/tea") == 500
        assert until(lambda: tocsin.clients("elsewhere") == {"martin": 3, "": 1}), tocsin.clients("elsewhere")
