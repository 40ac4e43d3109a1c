"""Under a supervisor: nobody is refused while the server is restarted, and it says how it does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from chatroom.server.supervision import Supervisor as Supervised
from chatroom.transport.inherited import take_inherited
from tests.cli.running import PATIENCE_SECONDS, Caller
from tests.cli.supervising import Supervisor


def test_a_restart_refuses_nobody(tmp_path: Path) -> None:
    served: list[str] = []
    failed: list[str] = []
    enough = threading.Event()

    def come_and_go(port: int) -> None:
        while not enough.is_set():
            try:
                with Caller(port) as caller:
                    caller.say("/ping", "/quit")
                    served.append((caller.rest() or ["nothing"])[0])
            except OSError as error:
                failed.append(str(error))

    with Supervisor(tmp_path) as supervisor:
        supervisor.start()
        visitors = [threading.Thread(target=come_and_go, args=(supervisor.port,)) for _ in range(3)]
        for visitor in visitors:
            visitor.start()
        try:
            for _ in range(4):
                before = len(served)
                while len(served) < before + 20:
                    enough.wait(0.01)
                assert supervisor.stop() == 0
                supervisor.start()
        finally:
            enough.set()
            for visitor in visitors:
                visitor.join()
    assert not failed
    # Who was inside when it ended was told so; who came in between waited for the next one.
    assert {line.partition(",")[0] for line in served} <= {
        "-- welcome to lobby",
        "-- bye (shutdown): the server is going down",
    }


def test_it_says_that_it_lives_reloads_and_stops(tmp_path: Path) -> None:
    with Supervisor(tmp_path, watchdog_seconds=0.2) as supervisor:
        supervisor.start()
        for _ in range(3):
            assert supervisor.word("WATCHDOG") == "WATCHDOG=1"
        supervisor.signal(signal.SIGHUP)
        assert supervisor.word("RELOADING").startswith("RELOADING=1\nMONOTONIC_USEC=")
        supervisor.word("READY=1")
        assert supervisor.stop() == 0


def test_the_loop_itself_gives_the_sign_of_life(tmp_path: Path) -> None:
    with Supervisor(tmp_path, watchdog_seconds=0.2) as supervisor:
        supervisor.start()
        supervisor.signal(signal.SIGSTOP)
        supervisor.told.settimeout(0.5)
        for _ in range(3):  # at most so many were on their way
            try:
                supervisor.word("WATCHDOG")
            except TimeoutError:
                break
        else:
            pytest.fail("a stopped server gives signs of life")
        supervisor.told.settimeout(PATIENCE_SECONDS)
        supervisor.signal(signal.SIGCONT)
        supervisor.word("WATCHDOG")


def test_an_abstract_address_is_told_too() -> None:
    name = f"chatroom-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind("\0" + name)
        environ = {"NOTIFY_SOCKET": "@" + name}
        Supervised(environ).stopping()
        assert told.recv(4096) == b"STOPPING=1\nSTATUS=drains"
    assert not environ


def test_a_supervisor_that_has_gone_is_no_trouble(tmp_path: Path) -> None:
    supervised = Supervised({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    supervised.ready("serves")
    assert not supervised.is_there


def test_without_one_nothing_is_said() -> None:
    supervised = Supervised({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    supervised.stopping()
    assert not supervised.is_there
    assert not supervised.watchdog_seconds


def test_sockets_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    assert take_inherited(environ) == []
    assert not environ


def test_what_is_no_listening_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as idle, open(os.devnull) as null:
        for descriptor, complaint in [
            (os.dup(idle.fileno()), "does not listen"),
            (os.dup(null.fileno()), "no socket was given"),
        ]:
            monkeypatch.setattr("chatroom.transport.inherited._FIRST", descriptor)
            environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
            with pytest.raises(ChatroomError, match=complaint):
                take_inherited(environ)
        os.close(descriptor)  # it was no socket, so nobody has closed it
