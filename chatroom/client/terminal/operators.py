"""The commands of operators, and the topic, at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chatroom.client.errors import from_code
from chatroom.protocol.plain.operators import OPERATOR_COMMANDS
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules
from chatroom.room.visible import visible

if TYPE_CHECKING:
    from chatroom.client.request import Fields
    from chatroom.client.room import Room
    from chatroom.client.terminal.commands import Typed
    from chatroom.protocol.answers import Banned

#: The server judges lengths by its own rules.
_ANY_LENGTH = TextRules(2**20, 2**20)


async def operate(room: Room, typed: Typed) -> list[str]:
    """Ask for what was typed; what came of it, as lines. Raises `RoomError`. Cancelled, it may be
    done or not.
    """
    if typed.command == "bans":
        bans = await room.operating.bans()
        return [_ban_line(ban) for ban in bans] or ["nobody is banned"]
    try:
        request = OPERATOR_COMMANDS[f"/{typed.command}"](typed.argument, _ANY_LENGTH)
    except Refused as refused:
        raise from_code(refused.code, refused.text) from None
    fields: Fields = {
        name: value
        for name, value in msgspec.structs.asdict(request).items()
        if value and name != "kind"
    }
    if request.kind == "topic":
        fields["text"] = request.text  # also an empty one
    done = await room.operating.ask(request.kind, fields)
    return [visible(done)] if done else []


def _ban_line(ban: Banned) -> str:
    until = f" until {ban.until}" if ban.until else ""
    text = f": {ban.text}" if ban.text else ""
    return visible(f"{ban.mask}{until}, by {ban.by}{text}")
