"""What a client has beyond one connection."""

from __future__ import annotations

from dataclasses import dataclass

from chatroom.client.inbox import Inbox
from chatroom.client.items import Item
from chatroom.client.options import ConnectOptions
from chatroom.client.pending import PendingRequests
from chatroom.client.resume import ResumeState
from chatroom.client.servers import Servers


@dataclass(slots=True)
class Counts:
    """What `Room.statistics` tells, as it grows."""

    events: int = 0
    acked: int = 0
    refused: int = 0
    bytes_received: int = 0
    reconnects: int = 0
    missed: int = 0
    left_out: int = 0


class ClientState:
    """What outlives a connection, and every connection works on."""

    def __init__(self, options: ConnectOptions) -> None:
        self.options = options
        self.servers = Servers(options.addresses)
        self.resume = ResumeState(options)
        self.pending = PendingRequests()
        self.inbox = Inbox[Item](options.inbox_limit_bytes)
        self.counts = Counts()
