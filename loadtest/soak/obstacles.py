"""A disk that is full or slow and a clock that is set back, for one server: `obstacles.c`."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

from chatroom.errors import ChatroomError

_SOURCE = Path(__file__).with_name("obstacles.c")
_LAYOUT = struct.Struct("=iiq")  # `struct control`


class Obstacles:
    """What stands in a server's way; nothing at first. Changes are seen by its next system call.

    Args:
        directory: where the library and the mapped file are put.

    Raises:
        ChatroomError: there is no C compiler, or it failed.
    """

    def __init__(self, directory: Path) -> None:
        library, control = directory / "obstacles.so", directory / "obstacles"
        compiler = shutil.which("gcc")
        if compiler is None:
            raise ChatroomError("a soak needs gcc, for a disk that fails and a clock that is wrong")
        command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise ChatroomError(f"gcc: {done.stderr.decode().strip()}")
        control.write_bytes(bytes(_LAYOUT.size))
        with control.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), _LAYOUT.size)
        #: What a server has to have in its environment.
        self.environment = {"LD_PRELOAD": str(library), "SOAK_CONTROL": str(control)}

    def put(
        self, *, disk_full: bool = False, sync_milliseconds: int = 0, clock_back_seconds: int = 0
    ) -> None:
        """From now on these and no others stand in the way."""
        self._mapped[:] = _LAYOUT.pack(disk_full, sync_milliseconds, clock_back_seconds)

    def clear(self) -> None:
        """Everything is well again."""
        self.put()

    def close(self) -> None:
        """Let go of the file."""
        self._mapped.close()
