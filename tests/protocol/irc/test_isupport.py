"""The welcome, which is made once for all, is the welcome."""

from __future__ import annotations

from chatroom.protocol.irc.isupport import isupport, welcome, welcome_text
from chatroom.protocol.irc.line import compose
from chatroom.protocol.irc.names import SERVER
from chatroom.protocol.session import Venue


def test_the_text_is_that_of_the_lines() -> None:
    for venue in (Venue("a{nick}b", since=1.0), Venue("lobby", secret=True, accounts=True)):
        for nick, names_held in (("alice", 1), ("{x}", 20)):
            lines = welcome(venue, f"{nick}!~a@b", names_held)
            composed = (compose(number, nick, *rest) for number, *rest in lines)
            text = "\r\n".join(f":{SERVER} {line}" for line in composed)
            assert welcome_text(venue, nick, f"{nick}!~a@b", names_held) == text


def test_every_line_of_005_has_room_for_its_tokens() -> None:
    for line in isupport(Venue("x" * 300)):
        assert len(line) <= 15  # with the nick that goes before them, and the text
        assert len(f":{SERVER} {compose(line[0], 'n' * 128, *line[1:])}".encode()) <= 510
