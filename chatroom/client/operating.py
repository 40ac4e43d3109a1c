"""What operators ask a room for, and the topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatroom.protocol.answers import Banned, Bans, Done

if TYPE_CHECKING:
    from chatroom.client.request import Fields

#: A page of bans.
PAGE = 100

#: Asks for something of a kind and waits for the answer.
Ask = Callable[[str, "Fields"], Awaitable[object]]


class Operating:
    """`room.operating`: every method raises `RoomError` if the room refuses; with the code
    `not_operator` where one may not.

    Each waits for the answer, over a reconnect too: it may then be done twice. Cancelled, it may
    be done or not.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def ask(self, kind: str, fields: Fields) -> str:
        """A request of the protocol; what is done, in words."""
        answer = await self._ask(kind, fields)
        return answer.text if isinstance(answer, Done) else ""

    async def topic(self, text: str) -> None:
        """Say what the room is about; an empty text removes the topic."""
        await self.ask("topic", {"text": text})

    async def kick(self, nick: str, text: str = "") -> None:
        """Close somebody's connection; `text` is the reason."""
        await self.ask("kick", {"nick": nick, "text": text})

    async def ban(self, mask: str, *, seconds: int | None = None, text: str = "") -> None:
        """Show out, and keep out, a nick, an address, a network or `account:NAME`."""
        fields: Fields = {"mask": mask, "text": text}
        await self.ask("ban", fields if seconds is None else {**fields, "seconds": seconds})

    async def unban(self, mask: str) -> None:
        """Lift a ban."""
        await self.ask("unban", {"mask": mask})

    async def bans(self) -> list[Banned]:
        """All bans, the oldest first."""
        bans: list[Banned] = []
        while True:
            answer = await self._ask("bans", {"offset": len(bans), "limit": PAGE})
            assert isinstance(answer, Bans)
            bans += answer.bans
            if not answer.more or not answer.bans:
                return bans

    async def mute(self, nick: str, *, seconds: int | None = None) -> None:
        """Let a name, and whoever has it, listen only."""
        await self.ask("mute", {"nick": nick} if seconds is None else _for(nick, seconds))

    async def unmute(self, nick: str) -> None:
        """Let it talk again."""
        await self.ask("unmute", {"nick": nick})

    async def moderate(self, *, on: bool = True) -> None:
        """Let nobody talk but operators and who has voice; or everybody again."""
        await self.ask("moderate" if on else "unmoderate", {})

    async def voice(self, nick: str, *, on: bool = True) -> None:
        """Let somebody talk though the room is moderated; or no more."""
        await self.ask("voice" if on else "unvoice", {"nick": nick})

    async def redact(self, seq: int, text: str = "") -> None:
        """Have what was said in an event given out no more; `text` is the reason."""
        await self.ask("redact", {"of": seq, "text": text} if text else {"of": seq})


def _for(nick: str, seconds: int) -> Fields:
    return {"nick": nick, "seconds": seconds}
