"""What a talker hears that is not to hear the room: only that it is slowed down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatroom.swarm.audit.follower import Follower
    from chatroom.swarm.audit.positions import Positions

#: It is in what the server says of that in each of the room's formats.
_WORD = b"slowed"

#: No line that says so is longer: so much is kept of what may be the beginning of one.
_LINE_BYTES = 256


class HalfEar:
    """See `chatroom.swarm.bots.bot.Ear`. Its stream is not audited."""

    def __init__(self, talker: Follower, positions: Positions) -> None:
        self._talker = talker
        self._positions = positions
        self._tail = b""

    def hear(self, at_us: int, chunk: memoryview, /) -> None:
        """Take what has come. Never raises."""
        data = self._tail + chunk
        if _WORD in data:
            for line in data.splitlines(keepends=True):
                if _WORD in line and line.endswith(b"\n"):
                    self._positions.note(self._talker, line)
        self._tail = data[data.rfind(b"\n") + 1 :][-_LINE_BYTES:]
