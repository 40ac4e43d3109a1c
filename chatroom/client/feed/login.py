"""Asking a server where its feed is, and by which keys it is opened: a short log-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from chatroom.client.errors import RoomClosed, Unreachable, from_code
from chatroom.client.handshake import HANDSHAKE_SECONDS
from chatroom.protocol.answers import Bye, Error, Feed
from chatroom.protocol.framing import LineTooLong
from chatroom.protocol.jsonlines.parse import BadLine, parse
from chatroom.protocol.jsonlines.write import hello_line

if TYPE_CHECKING:
    from chatroom.client.options import ConnectOptions
    from chatroom.client.transport.contract import Transport


async def ask_for_feed(options: ConnectOptions) -> Feed:
    """Where the feed is, with its keys if it is sealed. Nobody comes into the room for that.

    Raises `Unreachable` if no chatroom server answers within `HANDSHAKE_SECONDS`, and the
    `RoomError` of a refusal, as `LoginNeeded` or `Banned`. Cancelled or failed, it leaves no
    connection behind.
    """
    where = str(options.address)
    with trio.move_on_after(HANDSHAKE_SECONDS):
        transport = await options.address.connect()
        try:
            await transport.send(hello_line({"feed": True, **options.credentials}))
            return await _answer(transport, where)
        except (BadLine, LineTooLong) as error:
            raise Unreachable(f"what answers at {where} knows no feed: {error}") from error
        except (trio.BrokenResourceError, OSError) as error:
            raise Unreachable(f"the connection to {where} broke at once") from error
        finally:
            await transport.aclose()
    raise Unreachable(f"no answer from {where} within {HANDSHAKE_SECONDS:.0f} s")


async def _answer(transport: Transport, where: str) -> Feed:
    while (lines := await transport.receive()) is not None:
        for line in lines:
            if not line.startswith(b"{"):
                continue  # a notice in plain text, from before the server read the hello
            answer = parse(line)
            if isinstance(answer, Feed):
                return answer
            if isinstance(answer, Error):
                raise from_code(answer.code, answer.text)
            if isinstance(answer, Bye):
                raise RoomClosed(answer.text, code=answer.reason)
    raise Unreachable(f"{where} closed the connection without an answer")
