"""`tocsin` without the time that its imports take: each call is a fork of one process that has made them.

Usage: command_server.py SOCKET. A call comes from `command_client.py`, with its directory, environment, input
and outputs.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback

from tocsin.daemon.cli import main

MOST = 1 << 20
"""Bytes of a call: arguments and environment."""


def serve(path: str) -> None:
    """Until it is killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                caller.send(str(become(caller)).encode())
                os._exit(0)
            caller.close()


def become(caller: socket.socket) -> int:
    """Is the command that was asked for; its exit code."""
    asked, descriptors, *_ = socket.recv_fds(caller, MOST, 3)
    arguments, directory, environ = json.loads(asked)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["tocsin", *arguments]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
