"""Memory that is refused at one step of what the server does, whichever that is."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType

import chatroom

_OURS = str(Path(chatroom.__file__).parent)

#: To call these takes no memory, and they come to their end without; only what they call may fail.
_CERTAIN = frozenset({"Audience.break_off", "Fanout.put_back", "Recent.extend"})


class Failing:
    """The call number `at` that our code makes, of a function of whoever's, raises `MemoryError` in
    place of being made; then `more` after it of which a function in Python is called.

    Calls are where memory is asked for, and where Python's profiler can step in: what it raises
    comes out of the call. Each failure ends the profiling, so that the second one is a tracer's.
    """

    def __init__(self, at: int, more: int = 0) -> None:
        self.calls = 0
        self.failed = ""  #: which call that was
        self._at = at
        self._more = more

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """In this thread, inside the block. The collector waits: who listens to it is not ours."""
        gc.disable()
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            sys.settrace(None)
            gc.enable()

    def _profile(self, frame: FrameType, event: str, called: object) -> None:
        if event == "call":
            caller, name = frame.f_back, frame.f_code.co_qualname
        elif event == "c_call":
            caller, name = frame, getattr(called, "__qualname__", "")
        else:
            return
        if caller is None or not _is_ours(caller) or _is_collector(frame):
            return
        if name in _CERTAIN or name.endswith("__exit__"):  # of a lock, which is let go of
            return
        self.calls += 1
        if self.calls == self._at:
            self.failed = f"{name} in {caller.f_code.co_qualname}"
            if self._more:
                sys.settrace(self._trace)
            raise MemoryError

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable[..., None] | None:
        caller = frame.f_back
        code = frame.f_code
        # That a generator is gone on with or closed takes none, nor what an object does that goes.
        if code.co_qualname in _CERTAIN or code.co_name == "__del__":
            return None
        if code.co_flags & CO_GENERATOR:
            return None
        if caller is not None and _is_ours(caller) and not _is_collector(frame):
            self._more -= 1
            if not self._more:
                self.failed += f", {frame.f_code.co_qualname} in {caller.f_code.co_qualname}"
                raise MemoryError
        return None


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _is_collector(frame: FrameType) -> bool:
    """What is called when an object goes can't raise anything."""
    code = frame.f_code
    return code.co_name == "__del__" or code.co_filename.endswith(("weakref.py", "_weakrefset.py"))
