"""Keeping what outlives the room: bans and the topic go to the disk when they have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from chatroom.errors import ChatroomError
from chatroom.event import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatroom.access.file import AccessFile
    from chatroom.room.charter import Charter

log = logging.getLogger("chatroom.server")

#: The log says no more often that the disk refuses; as often it is tried again.
RETRY_SECONDS = 5.0


class Keeper:
    """Writes the charter in a thread, one at a time, and the last state at the end."""

    def __init__(self, file: AccessFile | None, charter: Callable[[str], Charter]) -> None:
        """`file`: None keeps nothing. `charter` tells what is to be kept at a time."""
        self._file = file
        self._charter = charter
        self._clock = Clock()
        self._changed = trio.Event()

    def note(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Keep what changes until cancelled; `aclose` then keeps what is left."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            kept = False
            try:
                kept = await self._keep()
            finally:
                if not kept:  # or cancelled
                    self._changed.set()
            if not kept:
                await trio.sleep(RETRY_SECONDS)

    async def aclose(self) -> None:
        """Keep what has not been kept yet."""
        if self._changed.is_set():
            await self._keep()

    async def _keep(self) -> bool:
        if self._file is None:
            return True
        try:
            charter = self._charter(self._clock.utc_now())
            await trio.to_thread.run_sync(self._file.keep, charter)
        except ChatroomError as error:
            log.error("bans and topic would not outlive a restart: %s", error)  # noqa: TRY400 - no fault of ours
            return False
        return True
