"""From what a user writes to a log that can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chatroom.errors import ChatroomError
from chatroom.order.address import parse_address

if TYPE_CHECKING:
    from chatroom.order.store import Store


def open_store(
    url: str, room: str, *, password_file: Path | None = None, power: bool = False
) -> Store:
    """The log of a room at that address; `power`: only if it survives a power failure.

    Blocks for half a second, for the library that is needed for this alone. Raises `ChatroomError`
    if that is not installed, if `url` is none, or the file cannot be read.
    """
    address = parse_address(url, password_file)
    try:
        from chatroom.order.redis import RedisStore  # noqa: PLC0415 - the half second
    except ImportError:
        raise ChatroomError(
            "--cluster needs more than is installed: pip install 'chatroom[cluster]'"
        ) from None
    return RedisStore(address, room, power=power)
