"""A log applied again from its beginning, here or in a process whose sets have another order."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from chatroom.event import encode_event
from chatroom.order import replica as replicas
from chatroom.order.contract import Applied, Position, decode_entry
from chatroom.order.replica import Replica
from tests.order.servers import events_of

_LENGTH = struct.Struct("!I")


class History(msgspec.Struct):
    """What a log says when it is read from its beginning to its end."""

    snapshot: bytes
    events: dict[str, bytes]  #: by `key`
    gaps: list[tuple[int, int]]  #: numbers that nobody has in this history


def key(session: str, seq: int) -> str:
    """Of an event."""
    return f"{session} {seq}"


def replay(rows: Sequence[tuple[int, int, bytes]]) -> History:
    """Apply entries, given with their positions."""
    replica = Replica("lobby")
    history = History(b"", {}, [])
    for ms, number, data in rows:
        seq = replica.room.seq
        applied = replica.apply(Position(ms, number), decode_entry(data), len(data))
        if applied.began_after is not None:
            history.gaps.append((seq + 1, applied.began_after))
        _note(history, replica, applied)
    history.snapshot = replica.snapshot()
    return history


def _note(history: History, replica: Replica, applied: Applied) -> None:
    for event in events_of(applied):
        history.events[key(replica.session, event.seq)] = encode_event(event)


class AnotherProcess:
    """Replays in a process with its own hash seed."""

    def __init__(self) -> None:
        seed = "7" if os.environ.get("PYTHONHASHSEED") == "8" else "8"
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
        )

    def replay(self, rows: Sequence[tuple[int, int, bytes]]) -> History:
        """See `replay`. Blocks."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        _write(process.stdin, msgspec.msgpack.encode((replicas.SNAPSHOT_ENTRIES, rows)))
        return msgspec.msgpack.decode(_read(process.stdout), type=History)

    def close(self) -> None:
        """It ends."""
        self._process.communicate()


def _read(file: IO[bytes]) -> bytes:
    head = file.read(_LENGTH.size)
    return file.read(*_LENGTH.unpack(head)) if head else b""


def _write(file: IO[bytes], data: bytes) -> None:
    file.write(_LENGTH.pack(len(data)) + data)
    file.flush()


def _serve() -> None:
    while data := _read(sys.stdin.buffer):
        told = msgspec.msgpack.decode(data, type=tuple[int, list[tuple[int, int, bytes]]])
        replicas.SNAPSHOT_ENTRIES, rows = told
        _write(sys.stdout.buffer, msgspec.msgpack.encode(replay(rows)))


if __name__ == "__main__":
    _serve()
