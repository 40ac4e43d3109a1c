"""The contract of a transport: what an outbox sends by and a conversation reads from."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol


class Transport(Protocol):
    """A connected byte stream on one descriptor. Nothing of it waits in the epoll mode; in the
    thread mode the same calls block, as its socket does.
    """

    #: How many of the next bytes have begun to leave although they are not taken: they have to be
    #: offered again as they are. Always 0 where a socket takes what it takes.
    begun_bytes: int

    @property
    def sock(self) -> socket.socket:
        """For `trio.lowlevel.wait_readable` and `wait_writable`."""

    def send(self, records: bytes, /) -> int:
        """Takes bytes, returns how many it took; the rest has to be offered again, first. Raises
        BlockingIOError when it takes nothing now, another OSError when it never will. A bound
        function of the lowest layer, because the fan-out calls it for every reader.
        """

    def send_some(self, buffers: Sequence[bytes | memoryview], *, wait: bool = True) -> int:
        """As `send`, for several buffers in order. `wait=False`: not even in the thread mode."""

    def receive(self, limit_bytes: int) -> bytes:
        """What has come, at most `limit_bytes` (16 KiB or more, as TLS has in a record); empty at
        the end of the stream. Raises BlockingIOError when there is nothing now.
        """

    def set_patience(self, seconds: float | None) -> None:
        """In the thread mode: `receive` blocks so long at most; None is for ever, 0 not at all."""

    def let_last_in(self) -> None:
        """Lift the bounds on what the kernel keeps unsent, so that a slow reader's last record
        still fits. Never raises.
        """

    def shut_write(self) -> None:
        """Say that nothing more will be sent. Raises OSError."""

    def close(self) -> None:
        """Let go of the descriptor. Never raises."""
