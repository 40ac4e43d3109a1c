"""The one fault after which a room does not go on."""

from __future__ import annotations

from chatroom.errors import ChatroomError


class InDoubtError(ChatroomError):
    """A turn did not come to its end: nobody can say what was told to whom. The server is to end;
    its next life has what was acked, and says a gap where something is missing.
    """

    def __init__(self) -> None:
        super().__init__(
            "a fault in the server, perhaps for want of memory, has left the room in doubt: "
            "start it again"
        )
