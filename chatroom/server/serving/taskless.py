"""Clients that are served without a task: who has just come, and who says nothing for a while.

A task with what it waits in is 2.5 KB, and a third of what a newcomer costs. In a full room hardly
anyone talks, and a newcomer's hello is dealt with in one go.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import trio

from chatroom.server.serving.expecting import Expecting
from chatroom.server.serving.greeting import Caller, Greeter
from chatroom.settings import REST_SECONDS
from chatroom.transport.idle import Idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_typing import TaskStatus

    from chatroom.protocol.session import Session
    from chatroom.transport.outbox import Outbox


class Quiet(Caller, Protocol):
    """A client's line, which may be served without a task."""

    talks: bool  #: it is likely that there is more soon
    stopped: bool  #: it is made to end
    is_settled: bool  #: unless it has been greeted, and nothing could be done for it

    @property
    def outbox(self) -> Outbox:
        """Of its connection."""

    @property
    def descriptor(self) -> int:
        """Of its socket."""

    def let_rest(self) -> None:
        """Have its task end, if all that it does is to wait for bytes."""


class Taskless:
    """Who has no task. One is in one of three states, or has a task: its first bytes are waited for
    (`Expecting`), it is being greeted (`Greeter`), or it rests (`Idle`; who is in one of the others
    may be there too). Whoever is to be served is woken.
    """

    def __init__(self, greeter: Greeter) -> None:
        self._greeter = greeter
        self._idle: Idle[Quiet] = Idle()
        self._expecting: Expecting[Quiet] = Expecting()
        #: Who is being greeted; None when there is nobody any more to serve them afterwards.
        self._greeted: set[Quiet] | None = None
        #: Who has a task after having been idle, and how much they had said when it was looked
        #: last whether they still talk.
        self._talking: dict[Quiet, int] = {}
        self._wake: Callable[[Quiet], None]

    async def run(
        self,
        wake: Callable[[Quiet], None],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Call `wake` for each that is to be served. Runs until cancelled; all who have no task
        then are to be served, too.
        """
        self._wake = wake
        self._greeted = set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._idle.run, self._go_on)
                nursery.start_soon(self._expecting.run, self._overdue)
                nursery.start_soon(self._let_rest)
                task_status.started()
        finally:
            greeted, self._greeted = self._greeted, None
            for line in dict.fromkeys((*greeted, *self._idle.close())):
                wake(line)

    # Newcomers

    def greet(self, line: Quiet, session: Session) -> bool:
        """Deal with a newcomer, whose session begins, without a task. False: it is to be served."""
        if self._greeted is None:
            return False
        line.session = session
        heard = self._hear(line, self._greeted)
        if heard is None and session.wait is not None:
            return self._expect(line, session.wait.seconds)
        return bool(heard)

    def _hear(self, line: Quiet, greeted: set[Quiet]) -> bool | None:
        """See `Greeter.hear`."""
        heard: bool | None = False
        greeted.add(line)
        try:
            heard = self._greeter.hear(line)
        except OSError as error:
            line.outbox.give_up(error)
        except MemoryError:  # what it has said may be gone
            line.outbox.break_off()
        if not heard:
            greeted.discard(line)
        return heard

    def _expect(self, line: Quiet, seconds: float) -> bool:
        """Wait for its first bytes; False: that can't be had."""
        expected = False
        try:
            self._expecting.add(line, seconds)
            expected = self.rest(line)
        finally:
            if not expected:
                self._expecting.discard(line)
        return expected

    def _overdue(self, line: Quiet) -> None:
        """Its time has passed: it has been silent for so long, unless nobody has looked."""
        if self._greeted is None:
            return
        try:
            if self._hear(line, self._greeted) is None:
                self._greeted.add(line)
                self._greeter.expire(line)
        except MemoryError:
            self._greeted.discard(line)
            line.outbox.break_off()
        # Who is at its end, and is in none of the sets, is found there by `_go_on`.

    def settle(self, line: Quiet, *, quiet: bool) -> None:
        """See `Caller.settle`. Where there is no memory for either, `_let_rest` tries again."""
        if self._greeted is None or line not in self._greeted:
            return
        try:
            if line.stopped or line.outbox.size_bytes or not (quiet and self.rest(line)):
                self._serve(line)
        except MemoryError:
            line.is_settled = False
        else:
            self._greeted.discard(line)

    # Who rests

    def rest(self, line: Quiet) -> bool:
        """Wait for `line` until there is something to be read; False: that can't be had."""
        try:
            self._idle.add(line.descriptor, line)
        except (MemoryError, OSError):
            return False
        return True

    def awaken(self, line: Quiet) -> None:
        """If `line` has no task, have it served."""
        if self._greeted is not None and line in self._greeted:
            return  # it is, when it is settled
        if line.descriptor in self._idle:
            self._serve(line)
        self._expecting.discard(line)

    def forget(self, line: Quiet) -> None:
        """Its task ends."""
        self._talking.pop(line, None)

    def _serve(self, line: Quiet) -> None:
        """After a `MemoryError` nothing has changed."""
        self._wake(line)
        self._idle.remove(line.descriptor)

    def _go_on(self, line: Quiet) -> None:
        """There is something to be read."""
        assert self._greeted is not None
        if line in self._greeted:
            self._idle.remove(line.descriptor)  # it comes back when it is settled
        elif self._expecting.discard(line):
            if not self._hear(line, self._greeted):
                self._serve(line)
        else:
            line.talks = True
            self._talking[line] = -1
            self._serve(line)

    async def _let_rest(self) -> None:
        """Who has said nothing between two looks gives its task back."""
        while True:
            await trio.sleep(REST_SECONDS)
            with suppress(MemoryError):  # the next look will do
                self._look()

    def _look(self) -> None:
        for line, heard_bytes in self._talking.items():
            received_bytes = line.connection.received_bytes
            self._talking[line] = received_bytes
            if heard_bytes == received_bytes:
                line.let_rest()
        for line in [line for line in self._greeted or () if not line.is_settled]:
            self.settle(line, quiet=False)
