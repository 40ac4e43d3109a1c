"""From an address to a place in the room: the connection, the hello and the welcome."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import trio

from chatroom.client.errors import RoomClosed, RoomError, Unreachable, from_code
from chatroom.client.lines import MAX_LINE_BYTES, BadLine, parse
from chatroom.protocol.answers import Bye, Error, Welcome
from chatroom.protocol.framing import LineSplitter, LineTooLong

#: A server on any network answers sooner; one that hangs is given up, and tried again later.
HANDSHAKE_SECONDS = 10.0

READ_BYTES = 65536


@dataclass(slots=True)
class Entrance:
    """A connection whose welcome has been read, and the lines that came with it."""

    stream: trio.abc.Stream
    splitter: LineSplitter
    welcome: Welcome
    lines: list[bytes]


async def enter(host: str, port: int, hello: dict[str, object]) -> Entrance:
    """Connect to a server and say hello.

    Raises `Unreachable` if nothing answers there as a chatroom server does within
    `HANDSHAKE_SECONDS`, and the `RoomError` of its refusal, as `NickTaken`. Cancelled or failed,
    it leaves no connection behind.
    """
    where = f"{host}:{port}"
    with trio.move_on_after(HANDSHAKE_SECONDS):
        stream = await _dial(host, port, where)
        try:
            return await greet(stream, hello, where)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
    raise Unreachable(f"no answer from {where} within {HANDSHAKE_SECONDS:.0f} s")


async def _dial(host: str, port: int, where: str) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(host, port)
    except ConnectionRefusedError as error:
        raise _nothing_listens(where) from error
    except (OSError, UnicodeError) as error:
        # With several addresses Trio raises an OSError from a group of one error for each.
        group = error.__cause__
        if isinstance(group, BaseExceptionGroup) and group.subgroup(ConnectionRefusedError):
            raise _nothing_listens(where) from error
        raise Unreachable(f"cannot connect to {where}: {error}") from error


def _nothing_listens(where: str) -> Unreachable:
    return Unreachable(f"nothing listens at {where}: start a room there with `chatroom serve`")


async def greet(stream: trio.abc.Stream, hello: dict[str, object], where: str) -> Entrance:
    """Say hello on a connected stream and read up to the welcome. Raises as `enter` does.

    Cancelled, the stream is in no known state: close it.
    """
    splitter = LineSplitter(MAX_LINE_BYTES)
    try:
        await stream.send_all(b"/json " + msgspec.json.encode(hello) + b"\n")
        while chunk := await stream.receive_some(READ_BYTES):
            lines = splitter.feed(bytes(chunk))
            for index, line in enumerate(lines):
                welcome = _welcome(line)
                if welcome is not None:
                    return Entrance(stream, splitter, welcome, lines[index + 1 :])
    except (BadLine, LineTooLong) as error:
        raise Unreachable(f"what answers at {where} is no chatroom server: {error}") from error
    except (trio.BrokenResourceError, OSError) as error:
        raise Unreachable(f"the connection to {where} broke at once") from error
    raise Unreachable(f"{where} closed the connection without a welcome")


def _welcome(line: bytes) -> Welcome | None:
    """The welcome, if this line is it. Raises the `RoomError` if it is a refusal."""
    if not line.startswith(b"{"):
        return None  # a notice in plain text, from before the server read the hello
    answer = parse(line)
    if isinstance(answer, Error):
        raise from_code(answer.code, answer.text)
    if isinstance(answer, Bye):
        raise RoomClosed(answer.text, code=answer.reason)
    return answer if isinstance(answer, Welcome) else None


#: Refusals of a hello that a later try can overcome; the others would only be repeated.
PASSING = frozenset({"unreachable", "nick_taken", "room_full", "too_fast", "lost", "shutdown"})


def may_pass(error: RoomError) -> bool:
    """Whether trying again later makes sense."""
    return error.code in PASSING
