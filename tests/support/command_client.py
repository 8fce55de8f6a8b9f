"""Usage: command_client.py SOCKET ARGUMENTS... Runs `tocsin ARGUMENTS...` in a fork of `command_server.py`."""

from __future__ import annotations

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(sys.argv[1])
    call = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)])
    socket.send_fds(server, [call.encode()], [0, 1, 2])
    sys.exit(int(server.recv(16) or 70))
