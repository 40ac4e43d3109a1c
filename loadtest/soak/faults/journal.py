"""What somebody else does to the journal's files while the server has them open."""

from __future__ import annotations

import os
import signal
from abc import abstractmethod
from pathlib import Path
from random import Random

import trio

from loadtest.soak.faults.fault import Fault, Ground

_SUFFIXES = ("", "-wal", "-shm")
#: While the server stands still: when for so long nothing has come, all that it said has.
_QUIET_SECONDS = 0.2


def _files(journal: Path) -> list[Path]:
    return [path for suffix in _SUFFIXES if (path := Path(f"{journal}{suffix}")).exists()]


class _Destroyed(Fault):
    """What was acked before is gone, which the history has to say; nothing acked later is."""

    async def strike(self, ground: Ground) -> None:
        # While it stands still, so that what it has said is known to the last event.
        ground.server.send(signal.SIGSTOP)
        heard = -1
        while heard != ground.ledger.deliveries:
            heard = ground.ledger.deliveries
            await trio.sleep(_QUIET_SECONDS)
        ground.ledger.endanger()
        self._destroy(ground.server.journal)
        ground.server.send(signal.SIGCONT)
        await trio.sleep(2)
        await self._mend(ground.server.journal)

    @abstractmethod
    def _destroy(self, journal: Path) -> None:
        """What somebody else does to it."""

    async def _mend(self, journal: Path) -> None:
        """What an administrator would do."""


class JournalDeleted(_Destroyed):
    """The files are deleted."""

    name = "journal deleted"

    def _destroy(self, journal: Path) -> None:
        for path in _files(journal):
            path.unlink()


class JournalTruncated(_Destroyed):
    """The file is cut off. Its administrator moves the rest away, to make room for a new one."""

    name = "journal truncated"

    def __init__(self, random: Random) -> None:
        self._bytes = random.choice([0, 100, 4096, 8192])

    def _destroy(self, journal: Path) -> None:
        os.truncate(journal, self._bytes)

    async def _mend(self, journal: Path) -> None:
        if not self._bytes:
            return  # of an empty file the server has made a new one itself, and acks again
        for path in _files(journal):
            path.unlink()
        await trio.sleep(1)


class JournalReplaced(Fault):
    """Somebody's own file stands in its place for a while; then the old one is put back."""

    name = "journal replaced"

    def __init__(self, random: Random) -> None:
        self._seconds = random.uniform(0.1, 3)

    async def strike(self, ground: Ground) -> None:
        journal = ground.server.journal
        away = journal.with_name("away")
        journal.rename(away)
        journal.write_bytes(b"somebody's own")
        await trio.sleep(self._seconds)
        away.replace(journal)
