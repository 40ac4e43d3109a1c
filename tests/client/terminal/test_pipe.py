"""`chatroom client` without a terminal: the real program, its streams and its exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.web_relay import WebRelay
from tests.visiting import House, Visitor, open_house

CLIENT = [sys.executable, "-m", "chatroom", "client"]
PIPE = subprocess.PIPE


@pytest.fixture
async def lobby(nursery: trio.Nursery) -> AsyncIterator[House]:
    house = await open_house(nursery, "epoll")
    yield house
    house.close()


def command(house: House, *arguments: str) -> list[str]:
    return [*CLIENT, "--port", str(house.service.port), *arguments]


async def run(
    house: House, *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the client to its end."""
    with trio.fail_after(60):
        return await trio.run_process(
            command(house, *arguments),
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


async def start(house: House, nursery: trio.Nursery, *arguments: str, stdin: int) -> trio.Process:
    """Start it, with its stdout on a pipe."""
    process: trio.Process = await nursery.start(
        partial(trio.run_process, command(house, *arguments), stdin=stdin, stdout=PIPE, check=False)
    )
    return process


async def a_line(process: trio.Process) -> bytes:
    """The next that it writes, which is one line where events come one by one."""
    assert process.stdout is not None
    with trio.fail_after(60):
        return bytes(await process.stdout.receive_some())


async def heard(visitor: Visitor, count: int) -> list[str]:
    """The next messages that a plain visitor gets."""
    lines: list[str] = []
    while len(lines) < count:
        line = await visitor.line()
        if not line.startswith("-- "):
            lines.append(line)
    return lines


async def test_a_message_argument_is_said_and_acked(lobby: House) -> None:
    bob = await lobby.enter("bob")
    done = await run(lobby, "--nick", "deploy", "version 7 is out")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert await heard(bob, 1) == ["deploy: version 7 is out"]


async def test_a_message_of_several_lines_is_said_whole_or_not_at_all(lobby: House) -> None:
    bob = await lobby.enter("bob")
    done = await run(lobby, "--nick", "al", "one\n\n \ntwo\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert await heard(bob, 2) == ["al: one", "al: two"]
    done = await run(lobby, "--nick", "al", f"three\n{'x' * 1025}")
    assert done.returncode == 1
    assert b"1025 bytes, 1024 are allowed: nothing was said" in done.stderr
    done = await run(lobby, "--nick", "al", " \n\n")
    assert (done.returncode, done.stderr) == (1, b"chatroom: a message needs some text\n")
    await run(lobby, "--nick", "al", "four")
    assert await heard(bob, 1) == ["al: four"]


async def test_a_refused_message_ends_with_one(lobby: House) -> None:
    done = await run(lobby, "x" * 5000)
    assert done.returncode == 1
    assert done.stderr.startswith(b"chatroom: the text has 5000 bytes")
    assert done.stderr.count(b"\n") == 1


async def test_lines_of_the_input_are_messages_in_their_order(lobby: House) -> None:
    bob = await lobby.enter("bob")
    lines = [f"/line {number} é" for number in range(500)]
    text = "\n".join([*lines, "", "x" * 3000, "no end"]).encode() + b" \xff"
    done = await run(lobby, "--nick", "logs", stdin=text)
    assert done.returncode == 1
    assert b"line 502 was not said" in done.stderr
    assert await heard(bob, 501) == [*(f"logs: {line}" for line in lines), "logs: no end �"]


async def test_json_without_input_listens_until_the_server_ends(lobby: House) -> None:
    bob = await lobby.enter("bob")
    async with trio.open_nursery() as nursery:
        process = await start(
            lobby, nursery, "--json", "--last", "1", stdin=os.open("/dev/null", os.O_RDONLY)
        )
        first: dict[str, Any] = json.loads(await a_line(process))
        assert (first["kind"], first["nick"]) == ("join", "guest1")
        await bob.say("hi \u200b")
        line = await a_line(process)
        assert line.isascii()
        assert json.loads(line)["text"] == "hi \u200b"
        lobby.service.drain()
        with trio.fail_after(60):
            assert await process.wait() == 0


async def test_an_interrupt_is_a_clean_end(lobby: House) -> None:
    bob = await lobby.enter("bob")
    async with trio.open_nursery() as nursery:
        process = await start(lobby, nursery, "--nick", "al", stdin=PIPE)
        assert await bob.line() == "-- al joined"
        await bob.say("/me waves \x1b[2J")
        assert (await a_line(process)).decode() == "* bob waves �[2J\n"
        process.send_signal(signal.SIGINT)
        with trio.fail_after(60):
            assert await process.wait() == 0
        assert await bob.line() == "-- al left (quit)"


async def test_it_ends_when_nobody_reads(lobby: House) -> None:
    bob = await lobby.enter("bob")
    async with trio.open_nursery() as nursery:
        process = await start(lobby, nursery, "--nick", "al", stdin=PIPE)
        assert await bob.line() == "-- al joined"
        assert process.stdout is not None
        await process.stdout.aclose()
        with trio.fail_after(60):
            assert await process.wait() == 0


async def test_lines_without_an_ack_are_no_clean_end(fake: FakeRoom) -> None:
    """Nobody knows whether they were said; a script that trusts the exit code has to hear it."""
    heard = trio.Event()

    def swallow(connection: FakeConnection, request: Line) -> bool:
        if request.get("text") == "two":
            heard.set()
        return bool(request["kind"] == "message" and request["text"] != "zero")

    fake.before = swallow
    async with trio.open_nursery() as nursery:
        client = [*CLIENT, "--port", str(fake.port)]
        process: trio.Process = await nursery.start(
            partial(trio.run_process, client, stdin=PIPE, stderr=PIPE, check=False)
        )
        assert process.stdin is not None
        await process.stdin.send_all(b"zero\none\ntwo\n")
        await process.stdin.aclose()
        with trio.fail_after(60):
            await heard.wait()
            process.terminate()
            assert await process.wait() == 1
            assert process.stderr is not None
            complaint = await process.stderr.receive_some()
    assert complaint == b"chatroom: 2 lines may have been said or not\n"


async def test_input_that_nobody_took_is_no_clean_end(lobby: House, tmp_path: Path) -> None:
    bob = await lobby.enter("bob")
    await bob.say("the only event")
    line = f"seq -f y%g 1 20000 | {shlex.join(command(lobby, '--last', '1'))}"
    line = f"{{ {line}; echo $? > {tmp_path / 'code'}; }} | head -1"
    with trio.fail_after(60):
        done = await trio.run_process(["sh", "-c", line], capture_stdout=True, capture_stderr=True)
    assert (tmp_path / "code").read_text() == "1\n"
    assert done.stderr.endswith(b"chatroom: the rest of the input was not said\n")


async def test_follow_goes_on_after_the_input(lobby: House) -> None:
    bob = await lobby.enter("bob")
    async with trio.open_nursery() as nursery:
        process = await start(lobby, nursery, "--nick", "al", "--follow", stdin=PIPE)
        assert process.stdin is not None
        await process.stdin.send_all(b"hello\n")
        await process.stdin.aclose()
        assert await heard(bob, 1) == ["al: hello"]
        await bob.say("still there?")
        assert await a_line(process) == b"bob: still there?\n"
        process.terminate()


async def test_nobody_there_and_a_taken_nick(lobby: House, tmp_path: Path) -> None:
    await lobby.enter("bob")
    done = await run(lobby, "--nick", "Bob", "hi")
    assert (done.returncode, done.stderr) == (1, b"chatroom: the nick Bob is taken\n")
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = str(listener.socket.getsockname()[1])
    await listener.aclose()
    done = await run(lobby, "--port", port, "hi")
    assert done.returncode == 1
    assert done.stderr.startswith(b"chatroom: nothing listens at 127.0.0.1:" + port.encode())
    done = await run(lobby, "--port", "0", "hi")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("streams", "code", "complaint"),
    [
        ("--no-follow <&- >&-", 0, ""),
        ("--last 1 > /dev/full < /dev/null", 1, "chatroom: cannot write the output: No space left"),
    ],
)
async def test_strange_streams_are_no_traceback(
    lobby: House, streams: str, code: int, complaint: str
) -> None:
    line = f"{shlex.join(command(lobby))} {streams}"
    with trio.fail_after(60):
        done = await trio.run_process(["sh", "-c", line], capture_stderr=True, check=False)
    assert done.returncode == code
    assert done.stderr.decode().startswith(complaint)
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("way", ["web", "unix"])
async def test_other_ways_in(nursery: trio.Nursery, tmp_path: Path, way: str) -> None:
    house = await open_house(nursery, "epoll", unix_path=str(tmp_path / "room.sock"))
    relay = WebRelay(house.service.port)
    await nursery.start(relay.run)
    address = relay.url if way == "web" else f"unix:{tmp_path / 'room.sock'}"
    bob = await house.enter("bob")
    with trio.fail_after(60):
        done = await trio.run_process(
            [*CLIENT, "--host", address, "--nick", "al"],
            stdin=b"one\ntwo\n",
            capture_stderr=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert await heard(bob, 2) == ["al: one", "al: two"]
    house.close()
    nursery.cancel_scope.cancel()
