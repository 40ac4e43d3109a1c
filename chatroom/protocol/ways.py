"""The ways in, each registered once: who is asked first whether a connection is its own."""

from __future__ import annotations

from chatroom.protocol.foreign import BinaryWay, IrcWay, TlsWay
from chatroom.protocol.jsonlines.session import JsonWay
from chatroom.protocol.plain.session import PlainWay
from chatroom.protocol.session import WayIn

#: In this order. Plain text is last: it takes what nobody else does.
WAYS: tuple[WayIn, ...] = (TlsWay(), JsonWay(), BinaryWay(), IrcWay(), PlainWay())
