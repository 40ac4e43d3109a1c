"""A room as a program sees it: something to say things in, and to iterate over."""

from __future__ import annotations

import trio

from chatroom.client.items import Item, Items
from chatroom.client.operating import Operating
from chatroom.client.reading import Reading
from chatroom.client.reconnecting import Reconnector
from chatroom.client.request import Fields, PendingRequest
from chatroom.client.state import ClientState
from chatroom.client.statistics import RoomStatistics
from chatroom.event import Event, Gap
from chatroom.protocol.answers import Members
from chatroom.protocol.jsonlines.parse import HistoryPage

PAGE = 1000


class Receipt:
    """A statement on its way; the `seq` of its event once the room has it."""

    def __init__(self, room: Room, request: PendingRequest) -> None:
        self._room = room
        self._request = request

    async def wait(self) -> int:
        """Wait for the ack and return the event's `seq`. Raises as `Room.say` does.

        Cancelled: as with `Room.say`.
        """
        return await self._room._seq_of(self._request)

    def seq_nowait(self) -> int | None:
        """As `wait`, but None if there is no answer. Never blocks."""
        if self._request.error is not None:
            raise self._request.error
        seq = self._request.answer
        assert seq is None or isinstance(seq, int)
        return seq


class Room:
    """One's place in a room. `chatroom.connect` makes it.

    Iterate over it for what happens there, in order: `Event`s and, where events are missing, a
    `Gap`. Both have `kind`, `nick` and `text`. One task iterates; any number may say things.
    Iteration ends when the room was left or shut down; it raises `RoomClosed` when it is lost
    for good. What is not read is kept within `inbox_limit_bytes`; then the server is no longer
    read from, until somebody reads here.
    """

    def __init__(self, state: ClientState, reconnector: Reconnector) -> None:
        self._state = state
        self._reconnector = reconnector
        self._reading = Reading(state, self._page_after, lambda: reconnector.closed)

    # What is true here

    @property
    def name(self) -> str:
        """What the server calls the room."""
        welcome = self._state.resume.welcome
        return welcome.room if welcome is not None else ""

    @property
    def nick(self) -> str:
        """One's own nick, as the room knows it."""
        return self._state.resume.nick

    @property
    def session(self) -> str:
        """The log that numbers count in; kept with `seq`, it lets a later run resume."""
        return self._state.resume.session or ""

    @property
    def seq(self) -> int:
        """The newest number that has arrived here, read or not."""
        return self._state.resume.after

    @property
    def members(self) -> list[str]:
        """At most 100 members at the time of the latest welcome, the latest speakers first."""
        welcome = self._state.resume.welcome
        return list(welcome.members) if welcome is not None else []

    @property
    def member_count(self) -> int:
        """How many were here at the time of the latest welcome."""
        welcome = self._state.resume.welcome
        return welcome.member_count if welcome is not None else 0

    @property
    def text_limit_bytes(self) -> int:
        """The longest text that the room takes, in bytes of UTF-8."""
        welcome = self._state.resume.welcome
        return welcome.limits.text if welcome is not None else 0

    @property
    def topic(self) -> str:
        """What the room was about at the time of the latest welcome; empty: it had no topic."""
        welcome = self._state.resume.welcome
        return welcome.topic if welcome is not None else ""

    @property
    def role(self) -> str:
        """What one may do, as of the latest welcome: member, listener or operator."""
        welcome = self._state.resume.welcome
        return welcome.role if welcome is not None else "member"

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._reconnector.connected

    @property
    def waiting(self) -> int:
        """Items that can be read without waiting, at least."""
        return len(self._reading)

    def statistics(self) -> RoomStatistics:
        """What has happened so far. Never blocks."""
        counts, state = self._state.counts, self._state
        return RoomStatistics(
            events=counts.events,
            acked=counts.acked,
            refused=counts.refused,
            bytes_received=counts.bytes_received,
            reconnects=counts.reconnects,
            missed=counts.missed,
            left_out=counts.left_out,
            waiting=self.waiting,
            outstanding=len(state.pending),
        )

    # Saying things

    async def say(self, text: str) -> int:
        """Say a line and return the `seq` of its event, once the server has acked it.

        Waits for the ack, over a reconnect too: what may have been said on the old connection is
        looked up in the room's history and said again only if it is not there.

        Raises `TextTooLong`, `TextEmpty`, `TooFast` or another `RoomError` if the room refuses
        it; `NotStored` if the room heard it but its disk did not take it; `Unconfirmed` if the
        connection broke and the history can't tell whether it was heard; `RoomClosed` if it was
        not sent and never will be.

        Cancelled before it was handed to the socket, nobody hears it. Cancelled later, it may be
        heard; it is never said twice.
        """
        return await self._seq_of(await self._ask("message", text=text))

    async def act(self, text: str) -> int:
        """Do something, as in `* alice waves`. Otherwise as `say`, also when it is cancelled."""
        return await self._seq_of(await self._ask("action", text=text))

    def say_nowait(self, text: str) -> Receipt:
        """Queue a line behind those before it; never blocks. `await receipt.wait()` for its ack.

        For programs that keep many in flight, in order. Raises `trio.WouldBlock` with 4,096
        requests outstanding, and `RoomClosed`.
        """
        self._state.pending.take_place_nowait()
        return Receipt(self, self._queue("message", text=text))

    async def rename(self, nick: str) -> int:
        """Take another nick and return the `seq` of that event. Raises `NickTaken`, `NickInvalid`.

        `room.nick` is then the nick as the room has it, which may be written another way. If the
        connection breaks before the answer comes, and the room has heard of it, the client comes
        back under the new nick; `NickTaken` if somebody else has taken it meanwhile.

        Otherwise as `say`. Cancelled before it was handed to the socket, it does not happen;
        cancelled later, it may, and `room.nick` follows.
        """
        return await self._seq_of(await self._ask("rename", to=nick))

    async def _seq_of(self, request: PendingRequest) -> int:
        seq = await self._answer(request)
        assert isinstance(seq, int)
        return seq

    @property
    def operating(self) -> Operating:
        """What operators may do, and the topic."""
        return Operating(self._ask_and_wait)

    # Asking

    async def who(self) -> list[str]:
        """Every member's nick, however many there are. Raises `RoomClosed`.

        In a room that changes meanwhile one may be missing or named twice. Cancelled, nothing
        has changed.
        """
        return [nick for nick, _ in await self.whereabouts()]

    async def whereabouts(self) -> list[tuple[str, str]]:
        """As `who`, each nick with the name of the server that it is on; empty in a room that is
        on one. Raises `RoomClosed`. Cancelled, nothing has changed.
        """
        found: list[tuple[str, str]] = []
        while True:
            answer = await self._answer(await self._ask("who", offset=len(found), limit=PAGE))
            assert isinstance(answer, Members)
            servers = answer.servers or [""] * len(answer.members)
            found += zip(answer.members, servers, strict=False)
            if not answer.more or not answer.members:
                return found

    async def history(
        self, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """Events that were: the first above `after`, or the last below `before`, oldest first.

        At most `limit`, and at most 1,000, of them; `more` says that there are others. Without
        either, the newest. Raises `RoomError`. Cancelled, nothing has changed.
        """
        bounds = {"after": after, "before": before, "limit": limit}
        given = {key: value for key, value in bounds.items() if value is not None}
        answer = await self._answer(await self._ask("history", **given))
        assert isinstance(answer, HistoryPage)
        return answer

    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> HistoryPage:
        """Messages and actions that were and have the words of `text`: the last below `before`,
        or the newest, oldest first.

        What can be searched for, such as `deploy*`, the server says. At most `limit`, and at most
        1,000, of them; `more` says that there are older ones. Raises `RoomError`. Cancelled,
        nothing has changed.
        """
        fields: dict[str, str | int] = {"text": text, "limit": limit}
        if before is not None:
            fields["before"] = before
        answer = await self._answer(await self._ask("search", **fields))
        assert isinstance(answer, HistoryPage)
        return answer

    async def ping(self) -> float:
        """The seconds until the server has answered. Raises `RoomClosed`. Cancelled, nothing has
        changed.
        """
        began = trio.current_time()
        await self._answer(await self._ask("ping"))
        return trio.current_time() - began

    async def _ask(self, kind: str, **fields: str | int) -> PendingRequest:
        await self._state.pending.take_place()
        return self._queue(kind, **fields)

    async def _ask_and_wait(self, kind: str, fields: Fields) -> object:
        return await self._answer(await self._ask(kind, **fields))

    def _queue(self, kind: str, **fields: str | int) -> PendingRequest:
        """Queue a request that has its place."""
        if self._reconnector.closed is not None:
            self._state.pending.return_place()
            raise self._reconnector.closed
        request = self._state.pending.add(kind, fields, placed=True)
        self._reconnector.notify()
        return request

    async def _answer(self, request: PendingRequest) -> object:
        """Wait for the answer of a queued request. Raises its `RoomError`.

        Cancelled: a question is forgotten; a statement that waits in the queue is taken back and
        nobody hears it; one that was handed to the socket may be heard, and is not said again.
        """
        try:
            return await request.result()
        except trio.Cancelled:
            self._state.pending.withdraw(request)
            raise

    # Reading

    def __aiter__(self) -> Room:
        return self

    async def __anext__(self) -> Event | Gap:
        """The next event or gap. Cancelled, nothing is lost: it comes next time."""
        while True:
            item = await self.next_item()
            if isinstance(item, Event | Gap):
                return item

    def items(self) -> Items:
        """Iterate over everything, the state of the connection too.

        That is, besides events and gaps: `Connected` (the first item), `Disconnected`, the
        protocol's `Presence` (whether joins and leaves are announced), its `Slowed` (the server
        takes what one says more slowly from here on; nothing is lost, acks come later) and errors
        that answer no request.
        """
        return Items(self.next_item)

    async def next_item(self) -> Item:
        """The next item of `items`. Raises `StopAsyncIteration` at the end, and `RoomClosed`.

        Raises `trio.BusyResourceError` if another task is reading. Cancelled, nothing is lost.
        """
        return await self._reading.next()

    async def _page_after(self, seq: int) -> HistoryPage:
        return await self.history(after=seq, limit=PAGE)
