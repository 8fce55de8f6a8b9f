"""The receiver in docs and examples takes what Tocsin sends and nothing else."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.daemon.config_channels import Target
from tocsin.daemon.outgoing import webhook
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.runtime import clock

from .conftest import SECRET

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "webhook_receiver.py"
BODY = b'{"type": "test", "subject": "hello"}'


@pytest.fixture
def example(secret_file: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, str(EXAMPLE), secret_file, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline().rpartition(" ")[2])
        process.terminate()


def send(port: int, name: str, at: float, secret: bytes = SECRET) -> None:
    target = Target("hook", webhook=f"http://127.0.0.1:{port}/", secret=secret, own_network=True)
    webhook.post(target, name, BODY, at)


def test_a_message_of_ours_is_taken_and_handled_once_under_its_id(example):
    process, port = example
    now = clock.now()
    for name in ("id-1", "id-1", "id-2"):
        send(port, name, now)
    process.terminate()
    assert process.stdout.read() == "test hello\n" * 2


@pytest.mark.parametrize(("secret", "age"), [(b"x" * 32, 0), (SECRET, 3600)])
def test_one_signed_by_another_or_long_ago_is_refused(example, secret, age):
    with pytest.raises(SendError, match="401"):
        send(example[1], "id-1", clock.now() - age, secret)


def test_one_without_a_signature_is_refused(example):
    connection = http.client.HTTPConnection("127.0.0.1", example[1], timeout=30)
    connection.request("POST", "/", BODY)
    assert connection.getresponse().status == 401


def test_the_documentation_shows_the_example_s_own_verification():
    code = EXAMPLE.read_text("utf-8")
    verify = code[code.index("def verify") : code.index("def read_secret")].strip()
    assert verify in (ROOT / "docs" / "channels.md").read_text("utf-8")
