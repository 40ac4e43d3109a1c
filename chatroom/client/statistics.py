"""What a client has counted."""

from __future__ import annotations

import msgspec


class RoomStatistics(msgspec.Struct, frozen=True):
    """A snapshot of what went over the connections of one `connect`."""

    events: int  #: received, each once
    acked: int  #: statements that the room has
    refused: int  #: errors that the server answered
    bytes_received: int
    reconnects: int
    missed: int  #: events that are known to be lost for this client
    left_out: int  #: events that did not fit the inbox and were asked for again
    waiting: int  #: items in the inbox
    outstanding: int  #: requests without an answer
