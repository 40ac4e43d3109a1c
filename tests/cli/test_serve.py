"""`chatroom serve` as its operator has it: signals, descriptors, the log."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE_SECONDS, Caller, ServerProcess, run_chatroom, until

BYE = "-- bye (shutdown): the server is going down"


@pytest.mark.parametrize(
    ("mode", "number"),
    [("epoll", signal.SIGINT), ("epoll", signal.SIGTERM), ("thread", signal.SIGTERM)],
)
def test_a_signal_drains(mode: str, number: signal.Signals) -> None:
    with (
        ServerProcess("--mode", mode) as server,
        server.enter("alice") as alice,
        server.knock() as bob,
    ):
        bob.say('/json {"nick":"bob","presence":false}')
        assert json.loads(bob.line())["kind"] == "welcome"
        bob.say(*(f'{{"kind":"message","text":"m{n}","id":"{n}"}}' for n in range(500)))
        for n in range(500):
            assert json.loads(bob.line())["id"] == str(n)
        server.signal(number)
        assert alice.rest() == ["-- bob joined", *(f"bob: m{n}" for n in range(500)), BYE]
        assert [json.loads(line)["reason"] for line in bob.rest()] == ["shutdown"]
        alice.close()  # the server waits a second for clients that do not
        bob.close()
        assert server.wait() == 0
        log = server.rest_of_log()
        assert [record["message"] for record in log if record["level"] != "info"] == []
        assert log[-1]["message"] == "ended"
        assert log[-1]["shutdown"] == 2


def _stuck(server: ServerProcess) -> Caller:
    """Somebody who does not read, with more waiting than two kernels keep."""
    stuck = server.enter("stuck", receive_buffer_bytes=4096)
    with server.enter("talker") as talker:
        talker.say(*["x" * 1000] * 3900)
        talker.say("/ping")
        assert talker.line() == "-- pong"
    return stuck


def test_a_second_signal_ends_it_at_once(mode: str) -> None:
    options = ("--mode", mode, "--grace", "600")
    with ServerProcess(*options, "--write-deadline", "600") as server, _stuck(server):
        server.signal(signal.SIGTERM)
        server.logged("draining")
        server.signal(signal.SIGTERM)
        assert server.wait() == 128 + signal.SIGTERM
        server.rest_of_log()


def test_the_grace_ends_the_drain(mode: str) -> None:
    options = ("--mode", mode, "--grace", "0.3")
    with ServerProcess(*options, "--write-deadline", "600") as server, _stuck(server):
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.rest_of_log()[-1]["message"] == "ended"


def test_out_of_descriptors_newcomers_are_refused_and_the_talk_goes_on(mode: str) -> None:
    with (
        ServerProcess("--mode", mode, descriptors=40) as server,
        server.enter("alice") as alice,
        contextlib.ExitStack() as crowd,
    ):
        inside = []
        for number in range(80):
            newcomer = crowd.enter_context(server.knock())
            if _is_let_in(newcomer, f"n{number}"):
                inside.append(newcomer)
        assert 5 < len(inside) < 40
        alice.say("hello")
        for member in inside:
            while member.line() != "alice: hello":
                pass
        inside[0].close()
        # The leave is told before the descriptor is free.
        until(lambda: _is_let_in(crowd.enter_context(server.knock()), "late"))
        assert "n0" not in _members(alice)
        server.signal(signal.SIGTERM)
        crowd.close()
        assert server.wait() == 0
        log = server.rest_of_log()
        warnings = [record for record in log if record["level"] != "info"]
        assert {record["message"] for record in warnings} == {
            "newcomers are refused: Too many open files; see ulimit -n"
        }
        seconds = [record["time"][:19] for record in warnings]
        assert len(set(seconds)) >= len(seconds) - 1


def _is_let_in(newcomer: Caller, nick: str) -> bool:
    """Say `/nick`; whether it was welcomed. The others are told at once, or at least closed."""
    try:
        newcomer.say(f"/nick {nick}")
        line = newcomer.line()
    except ConnectionError:
        return False  # it was refused before it had spoken
    assert f"you are {nick} " in line or line in ("-- the room is full (room_full)", "")
    return "you are" in line


def _members(caller: Caller) -> set[str]:
    caller.say("/who", "/ping")
    names: set[str] = set()
    while (line := caller.line()) != "-- pong":
        if line.startswith("--   "):
            names |= set(line.removeprefix("--   ").split(", "))
    return names


def test_a_conversation_with_nc(mode: str) -> None:
    nc = shutil.which("nc")
    assert nc is not None, "netcat-openbsd is not installed"
    with ServerProcess("--mode", mode) as server, server.enter("alice") as alice:
        command = [nc, "127.0.0.1", str(server.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as person:
            assert person.stdin is not None
            assert person.stdout is not None
            person.stdin.write("/nick bob\nhell\u00f6 room\n".encode())
            person.stdin.flush()
            assert alice.line() == "-- bob joined"
            assert alice.line() == "bob: hell\u00f6 room"
            alice.say("hello, bob", "/me waves")
            said = [person.stdout.readline().decode() for _ in range(3)]
            assert said == [
                "-- welcome to lobby, you are bob (2 here, /help lists the commands)\n",
                "alice: hello, bob\n",
                "* alice waves\n",
            ]
            last, _ = person.communicate(b"/quit\n", timeout=PATIENCE_SECONDS)
            assert last == b"-- bye (quit): see you\n"
            assert person.returncode == 0
        script = subprocess.run(
            [nc, "-N", *command[1:]],
            input=b"/nick script\nbuild is green\n/history 1\n",
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        assert script.stdout.decode().splitlines()[1] == "-- the last 1 events:"
        assert script.stdout.decode().splitlines()[2].endswith(" script: build is green")
        assert script.stdout.decode().splitlines()[3:] == ["-- bye (quit): see you"]
        heard = [alice.line() for _ in range(4)]
        assert heard == [
            "-- bob left (quit)",
            "-- script joined",
            "script: build is green",
            "-- script left (quit)",
        ]


def test_the_ready_line_names_what_it_listens_on() -> None:
    with ServerProcess("--host", "localhost", "--room", "den") as server:
        assert server.ready["room"] == "den"
        assert server.ready["level"] == "info"
        addresses = server.ready["tcp"].split(",")
        for address in addresses:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        assert len({address.rpartition(":")[2] for address in addresses}) == 1


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_chatroom("serve", "--no-multicast", "--journal", ":memory:", "--port", port)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"chatroom: port {port} on 127.0.0.1 is in use;"
        " choose another with --port, 0 for any free one\n"
    )


def test_the_same_server_twice_is_told_of_the_port(tmp_path: Path) -> None:
    journal = ("--journal", str(tmp_path / "room.db"))
    with ServerProcess(*journal) as server:
        again = run_chatroom("serve", "--no-multicast", *journal, "--port", str(server.port))
        elsewhere = run_chatroom("serve", "--no-multicast", *journal, "--port", "0")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        server.rest_of_log()
    assert (again.returncode, elsewhere.returncode) == (1, 1)
    assert f"port {server.port} on 127.0.0.1 is in use" in again.stderr
    assert "used by another chatroom server" in elsewhere.stderr


def test_a_start_that_fails_leaves_the_log_unbroken(tmp_path: Path) -> None:
    journal = ("--journal", str(tmp_path / "room.db"))
    with ServerProcess(*journal) as server, server.enter("alice") as alice:
        session = server.ready["session"]
        alice.close()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        server.rest_of_log()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_chatroom("serve", "--no-multicast", *journal, "--port", port)
    assert done.returncode == 1
    with ServerProcess(*journal) as server:
        assert server.ready["session"] == session


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("203.0.113.9", "203.0.113.9 is not an address of this machine; see --host"),
        ("a..b", "cannot listen on a..b: no such address"),
        ("a b", "cannot listen on a b: no such address"),
    ],
)
def test_an_address_that_cannot_be_listened_on(host: str, line: str) -> None:
    done = run_chatroom(
        *("serve", "--no-multicast", "--journal", ":memory:", "--port", "0", "--host", host)
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"chatroom: {line}")
    assert done.stderr.count("\n") == 1


def test_options_come_from_the_environment_too() -> None:
    done = run_chatroom(
        *("serve", "--no-multicast"), CHATROOM_HOST="203.0.113.9", CHATROOM_JOURNAL=":memory:"
    )
    assert done.returncode == 1
    assert "203.0.113.9" in done.stderr
