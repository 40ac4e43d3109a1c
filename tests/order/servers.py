"""Servers of a shared room, as far as the log is concerned: each notes all that it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import trio

from chatroom.event import Event, encode_event
from chatroom.order.contract import EPOCH_SHIFT, Applied, Batch, Origin, Rules
from chatroom.order.part import Part, UnavailableError
from chatroom.order.replica import Replica
from chatroom.order.shared import SharedLog
from chatroom.order.store import Keeping, Store
from chatroom.room.charter import Charter
from chatroom.room.commands import Command, Join, Leave, Outcome, Say
from tests.shared_log import Line, MemoryStore

RULES = Rules(max_members=50, presence_limit=50)


_sessions = count(1)


class Ear:
    """One server: its log, and what it has been told."""

    def __init__(self, store: MemoryStore | Store, name: str, heard: int = 0) -> None:
        self.name = name
        self.told: list[str] = []  #: what happened to this server
        self.applied: list[Applied] = []
        self.applied_before: list[int] = []  #: each beginning
        self.events: dict[tuple[str, int], bytes] = {}  #: by session and number
        self.contradictions: list[tuple[str, int]] = []
        self.outcomes: dict[Command, Outcome] = {}  #: of what this server has asked
        self.unavailable: list[Command] = []  #: it was told that these will never count
        self.replica = Replica("lobby")
        self.came_back_seconds: list[float] = []
        self._asked: dict[int, tuple[Command, ...]] = {}
        self._numbers = count(1)
        self._scope = trio.CancelScope()
        part = Part(
            "lobby",
            name,
            (f"{name}:9009",),
            RULES,
            Charter(),
            heard,
            lambda: f"{name.upper()}{next(_sessions):09}",
        )
        self.line = Line(store if isinstance(store, MemoryStore) else MemoryStore())
        own: Store = self.line if isinstance(store, MemoryStore) else store
        self.log = SharedLog(own, part, self)

    async def run(  # noqa: ASYNC128 - the log's does
        self, *, task_status: Any = trio.TASK_STATUS_IGNORED
    ) -> None:
        with self._scope:
            await self.log.run(task_status=task_status)

    def kill(self) -> None:
        """As with -9."""
        self._scope.cancel()

    # What it asks

    def ask(self, *commands: Command) -> bool:
        """Append; whether that was possible."""
        try:
            counter = self.log.append(commands)
        except UnavailableError:
            return False
        self._asked[counter] = commands
        return True

    def new_who(self) -> int:
        """The number of a newcomer."""
        assert self.log.origin is not None
        return self.log.origin.epoch << EPOCH_SHIFT | next(self._numbers)

    def join(self, nick: str | None = None) -> int | None:
        """Somebody comes in here; None: not now."""
        if self.log.origin is None:
            return None
        who = self.new_who()
        return who if self.ask(Join(who, "", nick, f"token {who}")) else None

    def say(self, who: int, text: str) -> bool:
        return self.ask(Say(who, "", "message", text))

    # What it is told

    def begin(self, replica: Replica) -> None:
        self.told.append("begin")
        self.applied_before.append(len(self.applied))
        self.replica = replica

    def hear(self, applied: Sequence[Applied]) -> None:
        for one in applied:
            self.applied.append(one)
            for event in events_of(one):
                self._note_event(event)
            if one.valid and isinstance(one.entry, Batch) and one.entry.origin == self.log.origin:
                asked = self._asked.pop(one.entry.counter, ())
                for command, done in zip(asked, one.done, strict=False):
                    self.outcomes[command] = done.outcome

    def entered(self, origin: Origin) -> None:
        self.told.append(f"entered {origin.epoch}")

    def out(self) -> None:
        self.told.append("out")
        for commands in self._asked.values():
            self.unavailable += commands
        self._asked.clear()

    def away(self, reason: str) -> None:
        self.told.append("away")

    def back(self, keeping: Keeping) -> None:
        self.told.append("back")

    def came_back(self, seconds: float) -> None:
        self.came_back_seconds.append(seconds)

    def _note_event(self, event: Event) -> None:
        key = self.replica.session, event.seq
        line = encode_event(event)
        if self.events.setdefault(key, line) != line:
            self.contradictions.append(key)

    # What a test asks about it

    @property
    def lines(self) -> list[str]:
        """All events, briefly."""
        return [line.decode() for line in self.events.values()]


def events_of(applied: Applied) -> list[Event]:
    """The events of an entry, in the order of their numbers."""
    found = []
    for _, outcome in (*applied.lost, *applied.done):
        events = (*(gone.event for gone in outcome.removed), outcome.event)
        found += [event for event in events if event is not None]
    return found


async def settle(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Until it holds; raises `trio.TooSlowError` if it does not."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.05)


def leaves(ear: Ear) -> list[tuple[str, str]]:
    """Who left, and why."""
    found = []
    for applied in ear.applied:
        for done in (*applied.lost, *applied.done):
            event = done.outcome.event
            if isinstance(done.command, Leave) and event is not None:
                found.append((event.nick, event.reason))
    return found
