"""Connections that say nothing: one epoll for all of them, in place of a task for each."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: After there was no memory to wake somebody: they wait in the epoll.
_RETRY_SECONDS = 0.05

#: Awoken in one turn of Trio's loop, at most.
_WAKE_BATCH = 256


class Idle(Generic[T]):
    """Descriptors that nobody waits for, and what each belongs to.

    A task that waits in Trio costs 2.5 KB: itself, its cancel status, and the frame of each
    coroutine down to the descriptor. Most of a full room listens: here that costs an entry of a
    dict.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, T] = {}

    def add(self, descriptor: int, whose: T) -> None:
        """`run` hears of it when there is something to be read or the peer is gone: now or later,
        and until it is removed, which it is to be before the descriptor is closed. Raises OSError
        where the system has no memory for it. It may be there already.
        """
        if descriptor in self._waiting:
            return
        self._waiting[descriptor] = whose
        try:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)
        except BaseException:
            del self._waiting[descriptor]
            raise

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._waiting

    def remove(self, descriptor: int) -> bool:
        """It is not waited for any more; whether it was."""
        if self._waiting.pop(descriptor, None) is None:
            return False
        self._epoll.unregister(descriptor)
        return True

    async def run(self, awake: Callable[[T], None]) -> None:
        """Call `awake` for each that is to be read, over and over until `awake` has it read or
        removes it. Runs until cancelled. Where there is no memory for it, it is tried again.
        """
        while True:
            await trio.lowlevel.wait_readable(self._epoll)
            try:
                self._wake(awake)
            except MemoryError:
                await trio.sleep(_RETRY_SECONDS)

    def _wake(self, awake: Callable[[T], None]) -> None:
        for descriptor, _ in self._epoll.poll(0, _WAKE_BATCH):
            # `awake` for an earlier one may have removed it.
            whose = self._waiting.get(descriptor)
            if whose is not None:
                awake(whose)

    def close(self) -> list[T]:
        """Wait for none of them any more; returns them. Nothing may be added after that."""
        left = list(self._waiting.values())
        self._waiting.clear()
        self._epoll.close()
        return left
