"""One client that talks as fast as it can, and reads all it is sent.

`python -m loadtest.flooder PORT SIZE` says lines of SIZE bytes until it is killed or closed.
"""

from __future__ import annotations

import select
import socket
import sys

from chatroom.settings import DEFAULT_HOST


def main() -> None:
    """Read the arguments, come in, flood."""
    port, size = int(sys.argv[1]), int(sys.argv[2])
    lines = (b"x" * size + b"\n") * max(1, 65_536 // (size + 1))
    with socket.create_connection((DEFAULT_HOST, port)) as client:
        client.sendall(b"/nick flooder\n")
        print("in", flush=True)
        client.setblocking(False)
        left = lines
        while True:
            readable, writable, _ = select.select([client], [client], [])
            if readable and not client.recv(65_536):
                return
            if writable:
                left = left[client.send(left) :] or lines


if __name__ == "__main__":
    main()
