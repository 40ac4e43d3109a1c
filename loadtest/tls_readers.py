"""Clients that shake hands and then only read, encrypted as it comes.

`python -m loadtest.tls_readers PORT COUNT (plain|tls|plain-at-once|tls-at-once)` prints a line when
all are connected, and reads until it is killed. At once, all say their hello before any looks at an
answer, and it ends when all have one.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import sys

HOST = "127.0.0.1"


def main() -> None:
    """Read the arguments, connect, read."""
    port, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if kind == "tls-at-once":
        _storm([_newcomer(port, context) for _ in range(count)])
        return
    if kind == "plain-at-once":
        newcomers = [_connect(port) for _ in range(count)]
        for newcomer in newcomers:
            newcomer.recv(1)  # the welcome
        return
    clients = [_connect(port) for _ in range(count)] if kind == "plain" else []
    while len(clients) < count:
        clients.append(_secure(_connect(port), context, now=True))
    print("connected", flush=True)
    _read(clients)


def _connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port))


def _secure(sock: socket.socket, context: ssl.SSLContext, *, now: bool) -> ssl.SSLSocket:
    secure = context.wrap_socket(sock, do_handshake_on_connect=now)
    secure.setblocking(now)
    return secure


def _newcomer(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """It has said its hello."""
    client = _secure(_connect(port), context, now=False)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return client


def _storm(clients: list[ssl.SSLSocket]) -> None:
    waiting = {client.fileno(): client for client in clients}
    epoll = select.epoll()
    for number in waiting:
        epoll.register(number, select.EPOLLIN)
    while waiting:
        for number, _ in epoll.poll():
            with contextlib.suppress(ssl.SSLWantReadError):
                waiting[number].do_handshake()
                epoll.unregister(number)
                del waiting[number]


def _read(clients: list[socket.socket]) -> None:
    epoll = select.epoll()
    for client in clients:
        client.setblocking(False)
        epoll.register(client.fileno(), select.EPOLLIN)
    while True:
        for number, _ in epoll.poll():
            with contextlib.suppress(BlockingIOError):
                if not os.read(number, 1 << 18):
                    return


if __name__ == "__main__":
    main()
