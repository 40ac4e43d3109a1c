"""The servers in C: the original design, and one that does as little as a server can do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from chatroom.errors import ChatroomError

_HERE = Path(__file__).parent


def build(source: str) -> Path:
    """The program made of a C source in `loadtest/reference`, compiled anew if it is older.

    Raises:
        ChatroomError: there is no compiler, or it refuses.
    """
    origin = _HERE / source
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chatroom-loadtest"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / origin.stem
    if target.exists() and target.stat().st_mtime > origin.stat().st_mtime:
        return target
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-pthread", "-o", str(target), str(origin)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ChatroomError(
            f"the C reference needs a C compiler, and {compiler} is not there:"
            " apt-get install gcc libc6-dev, or set CC"
        ) from None
    except subprocess.CalledProcessError as error:
        raise ChatroomError(f"{compiler} refuses {source}: {error.stderr.strip()}") from None
    return target
