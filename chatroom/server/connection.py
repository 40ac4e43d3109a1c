"""One client's connection: what the room knows of it, whichever mode serves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from chatroom.event import CloseReason
from chatroom.protocol.jsonlines import JsonLines
from chatroom.protocol.plain import Plain
from chatroom.protocol.requests import Ending

if TYPE_CHECKING:
    import socket
    import threading

    import trio

    from chatroom.protocol.reader import RequestReader
    from chatroom.room import Member
    from chatroom.server.broadcaster import Broadcaster
    from chatroom.server.fanout import Audience

Format = type[Plain] | type[JsonLines]

#: Called in Trio's thread with a sentence that says why: has a slow reader closed.
ReportSlow = Callable[["Connection", str], None]


def ending_at_eof(failure: OSError | None) -> Ending:
    """How a client ended whose stream is at its end; `failure` is its outbox's.

    The kernel tells once that a peer is gone, to whoever asks first. If that was a send, the next
    read is an end of the stream like that of a client that closed in good order. (EPIPE says that
    it did: it is what comes of sending to it after that.)
    """
    if failure is None or isinstance(failure, BrokenPipeError):
        return Ending(CloseReason.QUIT, "")
    return Ending(CloseReason.LOST, str(failure))


class Outbox(Protocol):
    """A member's outgoing bytes. Its contract, in both modes:

    1. `push` never waits and never raises because of the peer.
    2. Bytes leave in the order in which they came; a line is never torn by a second writer.
    3. It holds at most `outbox_limit_bytes`, and what it holds leaves within
       `write_deadline_seconds`; else the member is closed with `slow_reader`, everyone else
       unhurt.
    """

    #: What sending to the peer failed with, once it has.
    failure: OSError | None

    @property
    def send(self) -> Callable[[bytes], int]:
        """The straight way out, for the fan-out's loop: the socket's own `send` while nothing is
        kept. Takes whole lines and returns how many bytes it took; the caller hands the rest to
        `keep`, and an error other than BlockingIOError to `give_up`.
        """

    def push(self, lines: bytes) -> None:
        """Send, or keep, whole lines. In Trio's thread only."""

    def keep(self, lines: bytes, sent_bytes: int) -> None:
        """`send` took only `sent_bytes` of the lines: the rest leaves later."""

    def give_up(self, failure: OSError | None = None) -> None:
        """The peer takes nothing more: drop what is kept. `failure` is what sending came to; the
        reading side asks for it after it has read what the peer may have said before.
        """

    def close(self, last_line: bytes, *, abrupt: bool) -> None:
        """`last_line` is the last; pushes after it do nothing. `abrupt`: what waits is dropped,
        because the reader does not take it.
        """

    async def wait_empty(self) -> None:
        """Wait until nothing is kept, or nothing will leave any more."""

    async def wait_drained(self) -> None:
        """Wait until no more than `settings.DRAINED_BYTES` are kept, or nothing will leave any
        more: who does not read the answers need not ask more.
        """


class Mode(Protocol):
    """How the clients' sockets are served; the room behind it is the same."""

    name: str

    def attach(self, sock: socket.socket, connection: Connection, report_slow: ReportSlow) -> None:
        """Give `connection` its outbox and the means to stop its reading. Never blocks."""

    async def serve(
        self,
        sock: socket.socket,
        connection: Connection,
        reader: RequestReader,
        broadcaster: Broadcaster,
    ) -> None:
        """Read what the client says until it ends, then let its outbox empty. Closes the socket,
        also when cancelled.
        """


class Connection:
    """A client, from its accept to its last line."""

    __slots__ = (
        "__weakref__",
        "audience",
        "close_reason",
        "echo",
        "format",
        "id",
        "member",
        "outbox",
        "peer",
        "presence",
        "reading",
        "replay_after",
        "slot",
        "stop_reading",
        "stopped",
    )

    def __init__(self, number: int, peer: str) -> None:
        self.id = number
        self.peer = peer
        self.format: Format = Plain
        self.presence = True
        self.echo = False
        self.member: Member | None = None
        #: Set by the fan-out while this connection hears the room.
        self.audience: Audience | None = None
        self.slot = -1  #: its place in the audience's lists
        #: It has been welcomed and does not hear the room yet: events after this number come first.
        self.replay_after: int | None = None
        #: Set once, by the broadcaster: the connection has ended and only its outbox lives on.
        self.close_reason: CloseReason | None = None
        self.outbox: Outbox
        #: In the epoll mode: what is cancelled to stop reading.
        self.reading: trio.CancelScope
        #: In the thread mode: what is set to stop reading.
        self.stopped: threading.Event
        #: Ends the waiting for more of this client's bytes; set by the mode that serves it.
        self.stop_reading: Callable[[], None]
