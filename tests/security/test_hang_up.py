"""A peer that fills its queue and hangs up while nobody reads ends neither the daemon nor an application.

With ZMTP heartbeats libzmq 4.3.5 aborts the process at the next ping (stream_engine_base.cpp, `!_io_error`).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LISTENING = """
import sys, threading, zmq
from tocsin.daemon.ingest.exchange import Exchange
from tocsin.daemon.ingest.intake import Intake

intake, exchange = Intake([sys.argv[1]]), Exchange()
with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
    peer.linger = 0
    peer.connect(sys.argv[1])
    for _ in range(500):
        peer.send(b"x" * 20_000)
    intake._sockets[0].poll(5000)
threading.Event().wait(2.5)  # The scenario: longer than a ping's interval and time-out.
while intake.step(exchange, 0.1):
    pass
print("dropped", intake.malformed > 0)
intake.close()
"""

SHIPPING = """
import sys, threading, zmq
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.wire import Heartbeat
from tocsin.handler.settings import resolve_settings
from tocsin.handler.shipping.connection import Connection

with zmq.Context() as context, context.socket(zmq.ROUTER) as daemon:
    daemon.linger, daemon.sndhwm = 0, 5000
    daemon.bind(sys.argv[1])
    connection = Connection((sys.argv[1],), None, None)
    connection.open()
    while not connection.connected:
        connection.wait(0.1, -1, connecting=True)
    connection.send(Heartbeat("s" * 32, 0, 0.0))
    peer = daemon.recv_multipart()[0]
    for _ in range(4000):
        daemon.send_multipart([peer, b"x" * 20_000])
    connection.wait(5, -1)
threading.Event().wait(2.5)  # The scenario: longer than a ping's interval and time-out.
print("read", sum(1 for _ in connection.received()))
connection.close()
"""


@pytest.mark.parametrize("program", [LISTENING, SHIPPING], ids=["the daemon", "an application"])
def test_a_full_queue_whose_peer_hangs_up_ends_nobody(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, f"ipc://{tmp_path}/s"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(("dropped True", "read "))
