"""One connection, from the welcome to its end: reading, writing, and noticing that it is dead."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from chatroom.client.errors import RoomError, from_code
from chatroom.client.handshake import READ_BYTES, Entrance
from chatroom.client.inbox import Inbox
from chatroom.client.ledger import Ledger, Request
from chatroom.client.lines import BadLine, HistoryPage, Skipped, parse
from chatroom.client.standing import Connected, Disconnected, Standing, Wishes
from chatroom.event import Event, Gap
from chatroom.protocol.answers import Ack, Bye, Error, Help, Members, Pong, Presence, Welcome
from chatroom.protocol.framing import LineTooLong

Item = Event | Gap | Connected | Disconnected | Presence | Error

_ANSWERS: dict[type, str] = {Members: "who", HistoryPage: "history", Pong: "ping"}

#: Looking for statements that got no ack stops after this many pages of history: 100,000 events.
LOOK_UP_PAGES = 100

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended; the words are the protocol's close reasons."""

    reason: str
    text: str


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


@dataclass(slots=True)
class Desk:
    """What outlives a connection, and every connection works on."""

    wishes: Wishes
    standing: Standing
    ledger: Ledger
    inbox: Inbox[Item]
    counts: Counts


class Connection:
    """Moves lines between a stream and the desk. `run` it once."""

    def __init__(self, desk: Desk, entrance: Entrance, connected: Connected) -> None:
        self._desk = desk
        self._stream = entrance.stream
        self._splitter = entrance.splitter
        self._early_lines = entrance.lines
        self._same_log = not connected.new_log
        welcome = entrance.welcome
        self._asked_after = welcome.after if isinstance(welcome.after, int) else desk.standing.after
        self._untold = (
            connected.missed
        )  # until the first replayed line shows where they are missing
        self._ending = Ending("lost", "the server went away")
        self._work = trio.Event()
        self._reading_since = trio.current_time()
        self._paused = False

    def notify(self) -> None:
        """There is something to send, and an answer to wait for."""
        self._work.set()
        self._desk.inbox.interrupt()

    async def run(self) -> Ending:
        """Serve the connection until it ends, and say why it did. Closes the stream."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, nursery.cancel_scope)
                nursery.start_soon(self._watch, nursery.cancel_scope)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            await trio.aclose_forcefully(self._stream)
        return self._ending

    # Reading

    async def _read(self) -> None:
        desk = self._desk
        try:
            self._take(self._early_lines)
            while chunk := await self._stream.receive_some(READ_BYTES):
                self._reading_since = trio.current_time()
                desk.counts.bytes_received += len(chunk)
                self._take(self._splitter.feed(bytes(chunk)))
                while desk.inbox.full and not len(desk.ledger):
                    self._paused = True
                    await desk.inbox.wait_space()
                    self._paused = False
                    self._reading_since = trio.current_time()
        except (BadLine, LineTooLong) as error:
            self._ending = Ending("lost", str(error))
        except (trio.BrokenResourceError, OSError):
            pass  # `lost`, unless a bye came before

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            item = parse(line)
            if isinstance(item, Event):
                self._take_event(item)
            elif item is not None:
                self._take_other(item)

    def _take_event(self, event: Event) -> None:
        desk = self._desk
        standing = desk.standing
        if self._untold:
            self._tell_missed(event.seq)
        ours = desk.ledger.unconfirmed > 0 and desk.ledger.look_up(event)
        # What is not new was asked for once more to find what became of a statement.
        if not standing.arrived(event.seq) or (ours and not desk.wishes.echo):
            return
        desk.counts.events += 1
        if desk.wishes.receive:
            # Without a question the reader stops after this chunk, so the inbox is over by one.
            desk.inbox.append_event(event, may_leave_out=len(desk.ledger) > 0)

    def _take_other(self, item: object) -> None:
        desk = self._desk
        match item:
            case Ack():
                self._acked(item)
            case Members() | HistoryPage() | Pong():
                self._answer(item.id, item)
            case Error():
                self._refused(item)
            case Gap():
                self._untold = 0
                self._miss(item.first, item.last)
            case Skipped():
                desk.standing.arrived(item.seq)
            case Presence():
                self._tell(item)
            case Bye():
                self._ending = Ending(item.reason, item.text)
            case Welcome() | Help() | _:
                pass

    def _miss(self, first: int, last: int) -> None:
        """Tell of a hole, but for what of it was told before."""
        desk = self._desk
        first = max(first, desk.standing.after + 1)
        if first <= last:
            desk.standing.arrived(last)
            desk.counts.missed += last - first + 1
            self._tell(Gap(first, last))

    def _tell_missed(self, first_replayed: int) -> None:
        """Say what a partial replay lacks at its beginning, if the server did not say it itself."""
        untold, self._untold = self._untold, 0
        last = min(first_replayed - 1, self._asked_after + untold)
        self._miss(self._asked_after + 1, last)

    def _tell(self, item: Item) -> None:
        if self._desk.wishes.receive:
            self._desk.inbox.append(item)

    def _answer(self, identity: str | None, answer: Members | HistoryPage | Pong) -> None:
        request = self._desk.ledger.answered(identity, (_ANSWERS[type(answer)],))
        if request is not None:  # else who asked was cancelled meanwhile
            request.resolve(answer)

    def _acked(self, ack: Ack) -> None:
        desk = self._desk
        desk.standing.acked(ack.seq)
        desk.counts.acked += 1
        request = desk.ledger.acked(ack.id, ack.seq)
        if request is not None:
            if request.kind == "rename":
                desk.standing.nick = str(request.fields["to"])
                desk.standing.nick_chosen = True
            request.resolve(ack.seq)

    def _refused(self, error: Error) -> None:
        request = self._desk.ledger.answered(error.id)
        self._desk.counts.refused += 1
        if request is not None:
            request.fail(from_code(error.code, error.text))
        else:
            self._tell(error)

    # Writing

    async def _write(self, scope: trio.CancelScope) -> None:
        ledger = self._desk.ledger
        try:
            if ledger.unconfirmed:
                await self._settle()
            while True:
                while ledger.queued:
                    await self._stream.send_all(ledger.take(self._desk.standing.after))
                self._work = trio.Event()
                await self._work.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            # What the server said before it closed is still to be read: a bye, say. The reader
            # sees the end of the stream, or, if the peer is gone without one, the watch does.
            await trio.sleep_forever()

    async def _settle(self) -> None:
        """Find out which statements of the last connection the room has."""
        standing, ledger = self._desk.standing, self._desk.ledger
        heard: bool | None = None
        after = ledger.lowest_unconfirmed()
        if after is not None and self._same_log:
            heard = await self._search(after, standing.welcome.seq if standing.welcome else 0)
        ledger.settle(heard=heard)

    async def _search(self, after: int, last: int) -> bool | None:
        """Look through the history up to `last`: False if it has no hole, None if it has one."""
        ledger = self._desk.ledger
        for _ in range(LOOK_UP_PAGES):
            if after >= last or not ledger.unconfirmed:
                return False
            page = await self._page_after(after)
            for event in page.events if page is not None else []:
                if isinstance(event, Gap) or event.seq != after + 1:
                    return None
                after = event.seq
                if ledger.look_up(event):
                    self._desk.standing.acked(event.seq)
            if page is None or not page.events:
                return None
        return None

    async def _page_after(self, after: int) -> HistoryPage | None:
        request = self._desk.ledger.add("history", after=after, limit=PAGE)
        await self._stream.send_all(self._desk.ledger.take_only(request))
        await request.answered.wait()
        return request.answer if isinstance(request.answer, HistoryPage) else None

    # Noticing that nobody is there

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Ask when nothing came for a while; end the connection when that is not answered."""
        interval = self._desk.wishes.heartbeat_seconds
        while True:
            silent_since = self._reading_since
            await trio.sleep_until(silent_since + interval)
            if self._paused or self._reading_since != silent_since:
                if self._paused:
                    await trio.sleep(interval)
                continue
            request = self._desk.ledger.add("ping")
            self.notify()
            await trio.sleep(interval)
            self._desk.ledger.withdraw(request)
            if self._reading_since == silent_since and not self._paused:
                self._ending = Ending("lost", f"the server has been silent for {2 * interval:g} s")
                scope.cancel()


async def asked(desk: Desk, request: Request) -> object:
    """Wait for the answer of a queued request. Raises its `RoomError`.

    Cancelled: a question is forgotten; a statement that waits in the queue is taken back and
    nobody hears it; one that was handed to the socket may be heard, and is not said again.
    """
    try:
        await request.answered.wait()
    except trio.Cancelled:
        desk.ledger.withdraw(request)
        raise
    error: RoomError | None = request.error
    if error is not None:
        raise error
    return request.answer
