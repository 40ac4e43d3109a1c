"""Standard input and output without a terminal's help: pipes, files, devices."""

from __future__ import annotations

import os
import select
from collections.abc import AsyncIterator

import trio

from chatroom.errors import ChatroomError
from chatroom.protocol.framing import LineSplitter, LineTooLong

STDIN = 0
STDOUT = 1

#: A line of input without end is given up here; the room refuses much shorter ones, each by itself.
LINE_BYTES = 1024 * 1024

READ_BYTES = 65536

#: What a pipe or a terminal that says it is writable takes without blocking (Linux: a page).
WRITE_BYTES = 4096


async def lines_of(fd: int) -> AsyncIterator[str]:
    """The lines of an open file, pipe, device or terminal, without ends; the last may lack its own.

    What is not UTF-8 becomes U+FFFD. Raises `ChatroomError` for a line of more than `LINE_BYTES`,
    and for what can't be read, as a directory.
    The descriptor is left in the mode in which it is: others may have it open too.
    Cancelled while it waits, nothing that could be read is lost to others.
    """
    splitter = LineSplitter(LINE_BYTES)
    while True:
        try:
            await trio.lowlevel.wait_readable(fd)
        except PermissionError:
            await trio.lowlevel.checkpoint()  # a file or a null device: always readable
        try:
            chunk = os.read(fd, READ_BYTES)
        except OSError as error:
            raise ChatroomError(f"cannot read the input: {error.strerror}") from error
        try:
            lines = splitter.feed(chunk or b"\n")
        except LineTooLong as error:
            raise ChatroomError(f"a line of the input is longer than {LINE_BYTES} bytes") from error
        if not chunk:
            lines = [line for line in lines if line]
        for line in lines:
            yield line.decode("utf-8", "replace")
        if not chunk:
            return


def can_be_read(fd: int) -> bool:
    """Whether there is input, as far as that can be told without reading it. Never blocks."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(0))


async def wait_reader_gone(fd: int) -> None:
    """Wait until nobody can read any more what is written to a pipe; for ever on a file.

    Without it a program behind which `head` has ended would notice with its next line only.
    Cancelled, nothing has changed.
    """
    with select.epoll() as errors:
        try:
            errors.register(fd, 0)  # no readiness asked for: what remains is EPOLLERR
        except PermissionError:
            await trio.sleep_forever()
        await trio.lowlevel.wait_readable(errors.fileno())


async def write(fd: int, output: bytes) -> None:
    """Write all of it, waiting while the reader is slow. Raises `OSError`, as `BrokenPipeError`.

    Cancelled, a part of it may have been written.
    """
    view = memoryview(output)
    while view:
        try:
            await trio.lowlevel.wait_writable(fd)
            size = WRITE_BYTES
        except PermissionError:
            await trio.lowlevel.checkpoint()  # a file: it takes everything
            size = len(view)
        view = view[os.write(fd, view[:size]) :]
