"""A server that is no SSH server, and one that hangs up: paramiko's transport logs its tracebacks line by line."""

import logging
import socket
import threading

import paramiko
from recorder import record

record()


def serve(listener, answer):
    while True:
        connection, _ = listener.accept()
        connection.recv(1024)  # Closed with something unread, it would be a reset.
        connection.sendall(answer)
        connection.close()


def connect(port):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    try:
        client.connect(
            "127.0.0.1", port=port, username="x", password="y", allow_agent=False, look_for_keys=False
        )
    except paramiko.SSHException:
        logging.getLogger("transfer").exception("no transfer to port %d", port)
    client.close()


for answer, times in ((b"HTTP/1.0 400 Bad Request\r\n\r\n", 3), (b"", 2)):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
    for _ in range(times):
        connect(listener.getsockname()[1])
