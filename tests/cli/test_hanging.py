"""A server in which a thread hangs for ever can be ended all the same, or ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.cli.running import PATIENCE_SECONDS, Caller, clean_environment

#: `chatroom`, with one of its functions, which runs in a thread, hanging from when it is called on.
_HANGING = """
import importlib, sys, threading
from chatroom.cli import main, running
from chatroom.server import pulse

pulse.LOOK_SECONDS = 0.1
running.INSISTED_SECONDS = float(sys.argv.pop(1))
module, name = sys.argv.pop(1).split(":")
def hang(*_):
    sys.stderr.write("hangs\\n")
    threading.Event().wait()
setattr(importlib.import_module(module), name, hang)
main()
"""
#: The same, in a room whose turns find no memory at their end.
_IN_DOUBT = """
from chatroom.server.fanout.announcer import Announcer
def flush(self):
    raise MemoryError
Announcer.flush = flush
"""
_OPTIONS = ["--port", "0", "--no-multicast", "--journal", ":memory:", "--grace", "0.1"]

#: In which thread it hangs: the server's, once a second, or the one that reads what a client says.
_HOUSE, _READER = (
    "chatroom.server.housekeeping:_idle_bytes",
    "chatroom.server.serving.modes:run_blocking",
)

#: In none.
_UNUSED = "chatroom.server.housekeeping:_trim"

#: In Trio's loop, when somebody comes.
_NEWCOMER = "chatroom.server.serving.clients:peer_address"


class _Server:
    """A process in which `what` hangs."""

    def __init__(
        self, what: str, mode: str, insisted_seconds: float = 0.2, planted: str = ""
    ) -> None:
        command = [sys.executable, "-c", planted + _HANGING, str(insisted_seconds), what, "serve"]
        command += _OPTIONS
        command += ["--mode", mode]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=clean_environment()
        )

    def logged(self, text: str, *besides: str) -> str:
        """The line with `text` in it, once there is one for each of `besides` too."""
        assert self.process.stderr is not None
        lines: dict[str, str] = {}
        wanted = (text, *besides)
        while len(lines) < len(wanted):
            line = self.process.stderr.readline()
            assert line, "the server has ended"
            lines |= {word: line for word in wanted if word in line}
        return lines[text]

    def knock(self, *besides: str) -> Caller:
        ready = self.logged("ready", *besides)
        return Caller(int(ready.partition("tcp=127.0.0.1:")[2].split()[0]))

    def drain(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.logged("draining")

    def end(self) -> tuple[int, str]:
        """The exit code, and what was still logged, once it has ended."""
        _, rest = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, rest

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def test_a_second_signal_ends_it_and_says_what_hung(mode: str) -> None:
    with _Server(_HOUSE, mode) as server:
        server.logged("hangs")
        server.drain()
        server.process.send_signal(signal.SIGTERM)
        code, rest = server.end()
        assert code == 1
        assert " in hang\n" in rest


def test_a_hanging_reader_does_not_outlive_a_second_signal() -> None:
    with _Server(_READER, "thread") as server, server.knock():
        server.logged("hangs")
        server.drain()
        server.process.send_signal(signal.SIGTERM)
        assert server.end()[0] == 1


def test_a_third_signal_waits_for_nothing(mode: str) -> None:
    with _Server(_HOUSE, mode, insisted_seconds=600) as server:
        server.logged("hangs")
        server.drain()
        server.process.send_signal(signal.SIGINT)
        server.logged("a second signal")
        server.process.send_signal(signal.SIGTERM)
        assert server.end()[0] == -signal.SIGTERM


def test_a_server_whose_loop_hangs_ends_and_says_where() -> None:
    with _Server(_NEWCOMER, "epoll") as server, server.knock():
        server.logged("hangs")
        code, rest = server.end()
        assert code == 1
        assert "the event loop hangs" in rest
        assert " in hang\n" in rest


def test_a_room_in_doubt_ends_and_says_so(mode: str) -> None:
    with _Server(_UNUSED, mode, planted=_IN_DOUBT) as server, server.knock() as caller:
        caller.say("/nick alice")
        code, rest = server.end()
    assert code == 1
    assert "chatroom: a fault in the server, perhaps for want of memory" in rest
    assert "start it again" in rest
    assert "the room is in doubt" in rest
    assert "in flush\n" in rest  # where


def test_a_room_in_doubt_ends_although_a_thread_hangs() -> None:
    with _Server(_HOUSE, "epoll", planted=_IN_DOUBT) as server, server.knock("hangs") as caller:
        caller.say("/nick alice")
        code, rest = server.end()
    assert code == 1
    assert " in hang\n" in rest
