"""The bounds on answers out of history."""

from __future__ import annotations

import trio

from chatroom.settings import ANSWERS_AT_ONCE


class Answering:
    """How long one answer may be, and how many are made at one time."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes  #: no answer to one client has more
        self.at_once = trio.Semaphore(ANSWERS_AT_ONCE)
        #: Held while one is put into bytes, piece by piece: in each turn of Trio's loop one piece.
        self.rendering = trio.Lock()
