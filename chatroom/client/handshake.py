"""From an address to a place in the room: the connection, the hello and the welcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import trio

from chatroom.client.errors import RoomClosed, Unreachable, from_code
from chatroom.client.transport.address import Address
from chatroom.client.transport.contract import Transport
from chatroom.protocol.answers import Bye, Error, Welcome
from chatroom.protocol.framing import LineTooLong
from chatroom.protocol.jsonlines.parse import BadLine, parse
from chatroom.protocol.jsonlines.write import hello_line

#: A server on any network answers sooner; one that hangs is given up, and tried again later.
HANDSHAKE_SECONDS = 10.0

Hello = Mapping[str, object]


@dataclass(slots=True)
class Entered:
    """A connection whose welcome has been read, and the lines that came with it."""

    transport: Transport
    welcome: Welcome
    lines: list[bytes]


async def enter(address: Address, hello: Hello, seconds: float = HANDSHAKE_SECONDS) -> Entered:
    """Connect to a server and say hello.

    Raises `Unreachable` if nothing answers there as a chatroom server does within `seconds`, and
    the `RoomError` of its refusal, as `NickTaken`. Cancelled or failed,
    it leaves no connection behind.
    """
    with trio.move_on_after(seconds):
        transport = await address.connect()
        try:
            return await greet(transport, hello, str(address))
        except BaseException:
            await transport.aclose()
            raise
    raise Unreachable(f"no answer from {address} within {seconds:.0f} s")


async def greet(transport: Transport, hello: Hello, where: str) -> Entered:
    """Say hello and read up to the welcome. Raises as `enter` does.

    Cancelled, the transport is in no known state: close it.
    """
    try:
        await transport.send(hello_line(hello))
        while (lines := await transport.receive()) is not None:
            for index, line in enumerate(lines):
                welcome = _welcome(line)
                if welcome is not None and _answers(welcome, hello):
                    return Entered(transport, welcome, lines[index + 1 :])
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


def _answers(welcome: Welcome, hello: Hello) -> bool:
    """Whether a welcome is for this hello. Over a WebSocket a hello that is slow to arrive finds a
    guest, who has been welcomed already.
    """
    if "after" in hello and welcome.resumed is msgspec.UNSET:
        return False
    return not ("nick" in hello and welcome.nick.startswith("guest"))
