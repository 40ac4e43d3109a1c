"""The ways in, each registered once: who is asked first whether a connection is its own."""

from __future__ import annotations

from chatroom.protocol.foreign import BinaryWay, TlsWay
from chatroom.protocol.http.way import HttpWay
from chatroom.protocol.irc.session import IrcWay
from chatroom.protocol.jsonlines.session import JsonWay
from chatroom.protocol.plain.session import PlainWay
from chatroom.protocol.session import WayIn

#: In this order: who can tell by its first bytes is asked before who needs the whole line, so that
#: how they were cut does not matter. Plain text is last: it takes what nobody else does.
WAYS: tuple[WayIn, ...] = (TlsWay(), JsonWay(), BinaryWay(), HttpWay(), IrcWay(), PlainWay())
