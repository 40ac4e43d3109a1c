"""After a close frame there is no other, whatever else the same turn has for that client."""

from __future__ import annotations

import pytest

from chatroom.protocol.requests import Request
from tests.protocol.websocket.framing import (
    BINARY,
    CLOSE,
    TEXT,
    closes,
    masked,
    read_frames,
    says,
    unmasked,
)
from tests.protocol.websocket.talking import SocketTalk
from tests.server.paper import PaperRoom, enters


@pytest.mark.parametrize(
    "last", [closes(1000), unmasked(TEXT), masked(BINARY), masked(TEXT, b"\xff"), says("x" * 9000)]
)
def test_what_others_say_in_the_same_turn_comes_before_it_or_not_at_all(last: bytes) -> None:
    room = PaperRoom(2)
    talk = SocketTalk()
    talk.feed(says('{"nick":"web"}'), last)
    entering, ending = talk.drafts[:2], talk.drafts[2:]
    room.turn([(0, enters("bob")), (1, entering)])
    say = Request("message", "hello")
    room.turn([(0, [say]), (1, ending), (0, [say])])
    room.turn([(0, [say])])
    outbox = room.outboxes[1]
    *before, close = read_frames(outbox.text + (outbox.last or b""))
    assert close.opcode == CLOSE
    assert sum(line.count('"hello"') for frame in before for line in frame.lines) == 1
    assert not room.connections[1].inside
