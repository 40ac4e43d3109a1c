"""One connection, from the welcome to its end: reading, writing, and noticing that it is dead."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from chatroom.client.errors import NickTaken, NotStored, RoomError, from_code
from chatroom.client.handshake import Entered
from chatroom.client.items import Connected, Item
from chatroom.client.request import OPERATIONS, shown_nick
from chatroom.client.state import ClientState
from chatroom.event import Event, Gap
from chatroom.protocol.answers import (
    Ack,
    Bans,
    Bye,
    Done,
    Error,
    Help,
    Members,
    Pong,
    Presence,
    Slowed,
    Welcome,
)
from chatroom.protocol.framing import LineTooLong
from chatroom.protocol.jsonlines.parse import BadLine, HistoryPage, Skipped, parse

#: The requests that an answer can be of.
_ANSWERS: dict[type, tuple[str, ...]] = {
    Members: ("who",),
    HistoryPage: ("history", "search"),
    Pong: ("ping",),
    Done: tuple(OPERATIONS),
    Bans: ("bans",),
}

#: Looking for statements that got no ack stops after this many pages of history: 100,000 events.
LOOK_UP_PAGES = 100

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended; the words are the protocol's close reasons."""

    reason: str
    text: str


class Connection:
    """Moves lines between a transport and the state. `run` it once."""

    def __init__(self, state: ClientState, entered: Entered, connected: Connected) -> None:
        self._state = state
        self._transport = entered.transport
        self._early_lines = entered.lines
        self._same_log = not connected.new_log
        welcome = entered.welcome
        self._asked_after = welcome.after if isinstance(welcome.after, int) else state.resume.after
        # Until the first replayed line shows where they are missing.
        self._untold = connected.missed
        self._ending: Ending | None = None
        self._work = trio.Event()
        self._reading_since = trio.current_time()
        self._paused = False

    def notify(self) -> None:
        """There is something to send, and an answer to wait for."""
        self._work.set()
        self._state.inbox.interrupt()

    async def run(self) -> Ending:
        """Serve the connection until it ends, and say why it did. Closes the transport.

        Cancelled, it is closed at once; requests that were sent stay without an answer.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, nursery.cancel_scope)
                nursery.start_soon(self._watch, nursery.cancel_scope)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            await self._transport.aclose()
        return self._ending or Ending("lost", self._transport.ending)

    # Reading

    async def _read(self) -> None:
        state, transport = self._state, self._transport
        received = transport.bytes_received
        try:
            self._take(self._early_lines)
            while (lines := await transport.receive()) is not None:
                self._reading_since = trio.current_time()
                state.counts.bytes_received += transport.bytes_received - received
                received = transport.bytes_received
                self._take(lines)
                if transport.replies_due:
                    self._work.set()
                while state.inbox.full and not len(state.pending):
                    self._paused = True
                    await state.inbox.wait_space()
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
        state = self._state
        resume = state.resume
        if self._untold:
            self._tell_missed(event.seq)
        ours = state.pending.unconfirmed > 0 and state.pending.look_up(event)
        # What is not new was asked for once more to find what became of a statement.
        if not resume.arrived(event.seq) or (ours and not state.options.echo):
            return
        state.counts.events += 1
        if not state.options.receive:
            return
        if state.inbox.full and len(state.pending):
            state.inbox.leave_out(event, resume.log, resume.nick)
        else:
            # Without a question the reader stops after this chunk, so the inbox is over by one.
            state.inbox.append_event(event)

    def _take_other(self, item: object) -> None:
        state = self._state
        match item:
            case Ack():
                self._acked(item)
            case Members() | HistoryPage() | Pong() | Done() | Bans():
                self._answer(item.id, item)
            case Error():
                self._refused(item)
            case Gap():
                self._untold = 0
                self._miss(item.first, item.last)
            case Skipped():
                state.resume.arrived(item.seq)
            case Presence() | Slowed():
                self._tell(item)
            case Bye():
                self._ending = Ending(item.reason, item.text)
                state.servers.learn(item.servers, here=self._transport.here)
            case Welcome() | Help() | _:
                pass

    def _miss(self, first: int, last: int) -> None:
        """Tell of a hole, but for what of it was told before."""
        state = self._state
        first = max(first, state.resume.after + 1)
        if first <= last:
            state.resume.arrived(last)
            state.counts.missed += last - first + 1
            self._tell(Gap(first, last))

    def _tell_missed(self, first_replayed: int) -> None:
        """Say what a partial replay lacks at its beginning, if the server did not say it itself."""
        untold, self._untold = self._untold, 0
        last = min(first_replayed - 1, self._asked_after + untold)
        self._miss(self._asked_after + 1, last)

    def _tell(self, item: Item) -> None:
        if self._state.options.receive:
            if self._state.inbox.has_too_many_notices:
                raise BadLine("more notices than anybody reads")
            self._state.inbox.append(item)

    def _answer(
        self, identity: str | None, answer: Members | HistoryPage | Pong | Done | Bans
    ) -> None:
        request = self._state.pending.answered(identity, _ANSWERS[type(answer)])
        if request is not None:  # else who asked was cancelled meanwhile
            request.resolve(answer)

    def _acked(self, ack: Ack) -> None:
        state = self._state
        request = state.pending.acked(ack.id, ack.seq)
        if request is None:
            return  # that number may be somebody else's event
        state.resume.acked(ack.seq)
        state.counts.acked += 1
        if request.kind == "rename":
            asked = shown_nick(str(request.fields["to"]))
            state.resume.renamed(ack.nick if isinstance(ack.nick, str) else asked)
        request.resolve(ack.seq)

    def _refused(self, error: Error) -> None:
        request = self._state.pending.answered(error.id)
        self._state.counts.refused += 1
        if request is None:
            self._tell(error)
            return
        if request.kind == "rename" and error.code == NotStored.code:
            # Everybody has heard of it all the same.
            self._state.resume.renamed(shown_nick(str(request.fields["to"])))
        request.fail(from_code(error.code, error.text))

    # Writing

    async def _write(self, scope: trio.CancelScope) -> None:
        pending, transport = self._state.pending, self._transport
        try:
            if pending.unsettled and not await self._settle():
                scope.cancel()
            while True:
                while pending.queued or transport.replies_due:
                    await transport.send(pending.take(self._state.resume.after))
                self._work = trio.Event()
                await self._work.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            # What the server said before it closed is still to be read: a bye, say. The reader
            # sees the end of the stream, or, if the peer is gone without one, the watch does.
            await trio.sleep_forever()

    async def _settle(self) -> bool:
        """Find out which statements of the last connection the room has.

        False: one was a rename, and its name is to be had by coming back once more.
        """
        resume, pending = self._state.resume, self._state.pending
        heard: bool | None = None if pending.unconfirmed else False
        after = pending.lowest_unconfirmed()
        if after is not None and self._same_log:
            heard = await self._search(after, resume.welcome.seq if resume.welcome else 0)
        nick = pending.settle(heard=heard)
        if nick is None:
            return True
        if nick == resume.nick:
            resume.renamed(nick)
            pending.name_taken(None)
        elif resume.claim(nick):
            self._ending = Ending("lost", f"coming back as {nick}")
            return False
        else:
            pending.name_taken(NickTaken(f"the nick {nick} was yours, and is another's now"))
        return True

    async def _search(self, after: int, last: int) -> bool | None:
        """Look through the history up to `last`: False if it has no hole, None if it has one."""
        pending = self._state.pending
        for _ in range(LOOK_UP_PAGES):
            if after >= last or not pending.unconfirmed:
                return False
            page = await self._page_after(after)
            for event in page.events if page is not None else []:
                if isinstance(event, Gap) or event.seq != after + 1:
                    return None
                after = event.seq
                if pending.look_up(event):
                    self._state.resume.acked(event.seq)
            if page is None or not page.events:
                return None
        return None

    async def _page_after(self, after: int) -> HistoryPage | None:
        pending = self._state.pending
        request = pending.add("history", {"after": after, "limit": PAGE}, placed=False)
        try:
            await self._transport.send(pending.take_only(request))
            answer = await request.result()
        except RoomError:
            return None
        finally:
            pending.withdraw(request)  # it is of no use to the next connection
        return answer if isinstance(answer, HistoryPage) else None

    # Noticing that nobody is there

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Ask when nothing came for a while; end the connection when that is not answered."""
        interval = self._state.options.heartbeat_seconds
        while True:
            silent_since = self._reading_since
            await trio.sleep_until(silent_since + interval)
            if self._paused or self._reading_since != silent_since:
                if self._paused:
                    await trio.sleep(interval)
                continue
            await self._ask_for_a_sign(interval)
            if self._reading_since == silent_since and not self._paused:
                self._ending = Ending("lost", f"the server has been silent for {2 * interval:g} s")
                scope.cancel()

    async def _ask_for_a_sign(self, seconds: float) -> None:
        request = self._state.pending.add("ping", {}, placed=False)
        self.notify()
        try:
            await trio.sleep(seconds)
        finally:
            self._state.pending.withdraw(request)
