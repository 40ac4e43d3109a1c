"""Threads that help sending to a large audience: a `send` lets the interpreter's lock go."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import BuiltinMethodType
from typing import TYPE_CHECKING

import trio

from chatroom.server.fanout.elsewhere import Elsewhere

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.settings import ServerSettings

Send = Callable[[bytes], int]

#: The place of a `send` that did not take everything, and what it took or raised. None: it is for
#: Trio's thread only, and was not called.
Unsent = tuple[int, "int | OSError | None"]

#: All ways out, which part of them, and what to send.
Task = tuple[Sequence[Send], int, bytes]

#: With fewer connections waking a thread may take longer than it saves (`loadtest turn`: 0.65 of
#: one thread's time with 300 readers on two idle cores, 0.82 with 100, more on busy ones).
LEAST_AUDIENCE = 256

#: More than these would wait for the interpreter's lock, which is held for a quarter of a send.
MOST_THREADS = 3


class Senders:
    """Each thread has a fixed part of an audience, and so has Trio's. All are done before the turn
    goes on, and whatever touches an outbox is left to Trio's thread: so that with threads and
    without the same happens in the same order.
    """

    def __init__(self, threads: int) -> None:
        """`threads`: beside Trio's; 0: that one sends all."""
        self.least = sys.maxsize  #: they are for audiences of at least so many, while `run` runs
        self._threads = threads
        self._to_do: list[SimpleQueue[Task | None]] = []
        self._elsewhere = Elsewhere(())
        self._done: SimpleQueue[list[Unsent] | BaseException] = SimpleQueue()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Have the threads until cancelled. They have ended then, which is at once: nothing is
        being sent between turns.
        """
        self._to_do = [SimpleQueue() for _ in range(self._threads)]
        threads = [
            # Should Trio's thread die without a word, they are not to keep the process.
            threading.Thread(target=self._work, args=(to_do,), name="sender", daemon=True)
            for to_do in self._to_do
        ]
        for thread in threads:
            thread.start()
        self._elsewhere = Elsewhere([thread.native_id for thread in threads if thread.native_id])
        if threads:
            self.least = LEAST_AUDIENCE
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            self.least = sys.maxsize
            for to_do in self._to_do:
                to_do.put(None)
            for thread in threads:
                thread.join()
            self._to_do = []

    def send(self, sends: Sequence[Send], records: bytes) -> list[Unsent]:
        """Call all `sends`, which nobody may change meanwhile; returns what was left, to be dealt
        with in Trio's thread. Called there; blocks until all have returned.
        """
        self._elsewhere.keep()
        for part, to_do in enumerate(self._to_do, 1):
            to_do.put((sends, part, records))
        try:
            unsent = self._send_part(sends, 0, records)
        finally:
            others = [self._done.get() for _ in self._to_do]
        for other in others:
            if isinstance(other, BaseException):
                raise other
            unsent += other
        return unsent

    def _work(self, to_do: SimpleQueue[Task | None]) -> None:
        while (task := to_do.get()) is not None:
            try:
                self._done.put(self._send_part(*task))
            except BaseException as error:  # noqa: ASYNC103 - `send` raises it, in the turn
                self._done.put(error)

    def _send_part(self, sends: Sequence[Send], part: int, records: bytes) -> list[Unsent]:
        unsent: list[Unsent] = []
        size_bytes = len(records)
        for slot in range(part, len(sends), self._threads + 1):
            send = sends[slot]
            # A socket's own, or `len`. Anything else is an outbox's, or OpenSSL's.
            if type(send) is not BuiltinMethodType:
                unsent.append((slot, None))
                continue
            try:
                sent_bytes = send(records)
            except BlockingIOError:
                sent_bytes = 0
            except OSError as error:
                unsent.append((slot, error))
                continue
            if sent_bytes != size_bytes:
                unsent.append((slot, sent_bytes))
        return unsent


#: Trio's thread sends all.
NO_SENDERS = Senders(0)


def threads_by_cores() -> int:
    """How many there are where nobody has said: for all cores but two, three at most. The second
    core has other work (the kernel's for what comes in, the journal, clients on the same machine):
    1,000 such clients had 1.67 times the median where a thread took it.
    """
    return max(0, min(len(os.sched_getaffinity(0)) - 2, MOST_THREADS))


def senders_of(settings: ServerSettings) -> Senders:
    """As many as the settings ask for."""
    if settings.mode == "thread":  # each client has its own
        return Senders(0)
    threads = settings.send_threads
    return Senders(threads_by_cores() if threads is None else threads)
