"""The contract of a client's transports."""

from __future__ import annotations

from typing import Protocol

#: Read so much at a time: what a socket's buffer usually has when events come fast.
READ_BYTES = 65536


class Transport(Protocol):
    """A connection that carries whole lines both ways. One task receives, one sends."""

    @property
    def bytes_received(self) -> int:
        """So far, with all that is around the lines."""

    @property
    def replies_due(self) -> bool:
        """Whether something below the lines, such as a pong, waits for the next `send`."""

    @property
    def here(self) -> bool:
        """Whether the other end is on this machine."""

    @property
    def ending(self) -> str:
        """Why there is nothing more, in words, once `receive` has returned None."""

    async def receive(self) -> list[bytes] | None:
        """The lines that came next, without their ends; perhaps none yet. None at the end.

        Raises `LineTooLong` or `BadLine` for what is no protocol, and `trio.BrokenResourceError`.
        Cancelled, nothing that came is lost.
        """

    async def send(self, lines: bytes) -> None:
        """Send whole lines with their ends, or, if there are none, only what is due.

        Raises `trio.BrokenResourceError` or `trio.ClosedResourceError`. Cancelled, a part may have
        been sent: close it then.
        """

    async def aclose(self) -> None:
        """Close at once, without a word. Never waits, though it is a checkpoint; cancelled, it is
        closed all the same.
        """
