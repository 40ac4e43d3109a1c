"""The room on a pipe: a line in is a message, an event is a line out."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import trio

from chatroom.client.connecting import open_room
from chatroom.client.errors import (
    NotStored,
    RoomClosed,
    RoomError,
    TextEmpty,
    TextTooLong,
    TooFast,
    Unconfirmed,
)
from chatroom.client.items import Connected, Disconnected
from chatroom.client.options import ConnectOptions
from chatroom.client.room import Receipt, Room
from chatroom.client.terminal.commands import size_bytes
from chatroom.client.terminal.printer import Printer
from chatroom.client.terminal.streams import (
    STDIN,
    STDOUT,
    can_be_read,
    lines_of,
    wait_reader_gone,
)
from chatroom.errors import ChatroomError
from chatroom.event import Event, Gap
from chatroom.protocol.answers import Slowed
from chatroom.room.visible import visible

#: Messages on their way at once: enough to keep a server busy that syncs its disk for each commit.
WINDOW = 64

#: After `too_fast` it is tried again this much later.
TOO_FAST_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PipeSettings:
    """How a pipe is served."""

    json: bool  #: events as JSON Lines, else as in the plain format
    last: int  #: events of the history at the beginning
    #: What the end of the input means: True, go on listening; False, leave; None, leave if there
    #: was any input at all.
    follow: bool | None = None


async def converse_on_pipe(options: ConnectOptions, settings: PipeSettings) -> int:
    """Say what stdin says, a line a message, and print what happens in the room.

    Returns the exit code: 0, or 1 if the room refused a line, or if it is not known to have one;
    stderr says which. Raises `RoomError` if the room can't be entered or is lost for good. SIGINT
    and SIGTERM leave it. Cancelled, lines that have no ack yet may be said or not, and one may be
    written in part.
    """
    async with open_room(options) as room:
        pipe = Pipe(room, settings)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await pipe.run(signals)
    return pipe.outcome()  # now that the acks which leaving waits for are here


async def say_once(options: ConnectOptions, text: str) -> None:
    """Say the lines of a text, but for those with nothing in them, and leave when each is acked.

    Raises `RoomError`: before anything is said if there is nothing to say, or a line is longer
    than the room takes. Cancelled, the line that has no ack yet may be said or not, and those
    behind it are not.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise TextEmpty("a message needs some text")
    async with open_room(options) as room:
        for line in lines:
            if (size := size_bytes(line)) > room.text_limit_bytes:
                what = "the text" if len(lines) == 1 else f"the line {line[:20]}…"
                allowed = f"{room.text_limit_bytes} are allowed"
                raise TextTooLong(f"{what} has {size} bytes, {allowed}: nothing was said")
        for line in lines:
            await room.say(line)


class Pipe:
    def __init__(self, room: Room, settings: PipeSettings) -> None:
        self._room = room
        self._settings = settings
        self._printer = Printer(STDOUT, json=settings.json)
        self._status = 0
        #: Messages on their way at once. One, from when the room takes them slowly: who waits for
        #: each ack follows its pace, and does not push until it is closed for it.
        self._window = WINDOW
        #: Of each line that was handed to the room and not confirmed: its number, and its text.
        self._on_their_way: deque[tuple[int, str, Receipt]] = deque()
        self._holds_a_line = False  #: one was read, and not yet handed to the room
        self._input_ended = False
        self._lost: ChatroomError | None = None
        self._only_listening = False

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Until the input or the room has ended; see `PipeSettings.follow`. Cancelled as
        `converse_on_pipe` is.
        """
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(self._watch_signals, signals, scope)
            nursery.start_soon(self._listen, scope)
            nursery.start_soon(self._watch_reader, scope)
            said = await self._say_all()
            follow = self._settings.follow
            if self._lost is not None or follow is False or (follow is None and said):
                scope.cancel()
            self._only_listening = True

    def outcome(self) -> int:
        """The exit code, once the room is left; stderr says what is not known to have been said.
        Raises the `ChatroomError` that it has ended with, if that is one.
        """
        unknown = sum(not self._is_answered(*line) for line in self._on_their_way)
        if unknown:
            self._complain(f"{unknown} line{'s' * (unknown != 1)} may have been said or not")
        if self._lost is not None:
            raise self._lost
        if self._holds_a_line or (not self._input_ended and can_be_read(STDIN)):
            self._complain("the rest of the input was not said")
        return self._status

    def _complain(self, text: str) -> None:
        self._status = 1
        print(f"chatroom: {text}", file=sys.stderr)

    async def _watch_signals(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for _ in signals:
            scope.cancel()

    async def _watch_reader(self, scope: trio.CancelScope) -> None:
        await wait_reader_gone(STDOUT)
        scope.cancel()

    async def _listen(self, scope: trio.CancelScope) -> None:
        try:
            await self._print_items()
        except BrokenPipeError:
            pass  # nobody reads any more, as behind `head`: time to go
        except OSError as error:
            self._lost = ChatroomError(f"cannot write the output: {error.strerror}")
        except RoomError as error:
            self._lost = error
        scope.cancel()

    async def _print_items(self) -> None:
        printer, room = self._printer, self._room
        async for item in room.items():
            if isinstance(item, Event | Gap):
                printer.add(item)
                if printer.full or not room.waiting:
                    await printer.flush()
            elif isinstance(item, Connected) and not item.again and self._settings.last:
                page = await room.history(limit=self._settings.last, before=item.welcome.seq + 1)
                for event in page.events:
                    printer.add(event)
                await printer.flush()
            elif isinstance(item, Slowed):
                self._window = 1
                print(f"chatroom: {visible(item.text)}", file=sys.stderr)
            elif isinstance(item, Disconnected):
                if self._ends_with(item):
                    return
                if item.tries == 0:
                    print(f"chatroom: connection lost: {visible(item.text)}", file=sys.stderr)

    def _ends_with(self, disconnected: Disconnected) -> bool:
        """A room that was shut down in good order ends who only listens."""
        closed = disconnected.reason == "shutdown" and disconnected.servers == 1
        return closed and self._only_listening

    async def _say_all(self) -> bool:
        """Say every line of the input; once each is answered, True if there was one."""
        number = 0
        try:
            async for text in lines_of(STDIN):
                number += 1
                if not text.strip():
                    continue
                self._holds_a_line = True
                while len(self._on_their_way) >= self._window:
                    await self._confirm_first()
                self._on_their_way.append((number, text, self._room.say_nowait(text)))
                self._holds_a_line = False
            self._input_ended = True
            while self._on_their_way:
                await self._confirm_first()
        except ChatroomError as error:
            self._lost = error
        return number > 0

    async def _confirm_first(self) -> None:
        number, text, receipt = self._on_their_way[0]
        try:
            await receipt.wait()
        except TooFast:
            await trio.sleep(TOO_FAST_SECONDS)
            self._on_their_way[0] = (number, text, self._room.say_nowait(text))
            return
        except RoomError as error:
            self._complain(f"line {number} {what_became(error)}")
        self._on_their_way.popleft()

    def _is_answered(self, number: int, text: str, receipt: Receipt) -> bool:
        """Whether it is known what became of a line, which is told if it is not good."""
        try:
            return receipt.seq_nowait() is not None
        except (Unconfirmed, RoomClosed):
            return False
        except RoomError as error:
            self._complain(f"line {number} {what_became(error)}")
            return True


def what_became(error: RoomError) -> str:
    """What became of a line that was answered by an error, in words that follow its number."""
    match error:
        case Unconfirmed():
            return "may have been said or not: the connection broke before the answer came"
        case NotStored():
            return "was said, but not stored: it may be missing in the history"
        case _:
            return f"was not said: {visible(str(error))}"
