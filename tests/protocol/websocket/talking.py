"""A WebSocket on paper, after its handshake."""

from __future__ import annotations

import json

from chatroom.protocol.requests import Draft, Ending, Reply, Speaks
from chatroom.protocol.silent import Silent
from chatroom.protocol.websocket.session import WebSocketSession
from tests.protocol.test_sessions import RULES, Talk
from tests.protocol.websocket.framing import CLOSE, TEXT, Got, read_frames


class SocketTalk(Talk):
    """A client's frames in, drafts and frames out."""

    def __init__(self) -> None:
        super().__init__()
        self.session = WebSocketSession(RULES)

    @property
    def sent(self) -> list[Got]:
        """The frames that it was sent."""
        return read_frames(b"".join(draft.data for draft in self.drafts if type(draft) is Reply))

    @property
    def asked(self) -> list[Draft]:
        """What is for the room."""
        return [draft for draft in self.drafts if type(draft) is not Reply]

    def broken_with(self) -> int | None:
        """The code that it was closed with, as a client that broke the protocol is: the bye, the
        close frame, and nothing heard or said after them.
        """
        *_, bye, close = self.sent
        assert (bye.opcode, close.opcode) == (TEXT, CLOSE)
        said = json.loads(bye.payload)
        assert said.pop("text")
        assert said == {"kind": "bye", "reason": "protocol_error"}
        assert close.reason == "protocol_error"
        silent, ending = self.asked[-2:]
        assert silent == Speaks(Silent("websocket"))
        assert type(ending) is Ending
        assert ending.reason == "protocol_error"
        return close.code


def socket_talk(*chunks: bytes) -> SocketTalk:
    """One in which that was said."""
    talk = SocketTalk()
    talk.feed(*chunks)
    return talk
