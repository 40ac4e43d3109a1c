"""The client in a real pseudo-terminal, against the real server."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from tests.client.fake import FakeRoom
from tests.client.terminal.pty_client import PtyClient
from tests.visiting import House, open_house

if TYPE_CHECKING:
    from trio_typing import TaskStatus


@pytest.fixture
async def lobby(nursery: trio.Nursery) -> AsyncIterator[House]:
    house = await open_house(nursery, "epoll")
    yield house
    house.close()


async def started(house: House, home: Path, *arguments: str, nick: str = "alice") -> PtyClient:
    client = PtyClient("--port", str(house.service.port), "--nick", nick, *arguments, home=home)
    await client.until_shown("│ connected")
    return client


async def test_a_search_is_shown_as_history_is(nursery: trio.Nursery, tmp_path: Path) -> None:
    fake = FakeRoom()
    await nursery.start(fake.serve)
    for text in ["deploy one", "lunch", "deploy two"]:
        fake.happen("message", "bob", text=text)
    with PtyClient(
        "--port", str(fake.port), "--nick", "alice", "--last", "0", home=tmp_path
    ) as alice:
        await alice.until_shown("│ connected")
        alice.type("/search deploy\r")
        await alice.until_shown("── now ──")
        rows = [row for row in alice.shown if "──" in row or "bob: " in row]
        start = rows.index("── search: deploy ──")
        words = [row.rpartition("bob: ")[2] for row in rows[start:] if not row.startswith("── S")]
        assert words == ["── search: deploy ──", "deploy one", "deploy two", "── now ──"]
        alice.type("/search supper\r/search\r")
        await alice.until_shown("-- nothing was said with supper")
        await alice.until_shown("-- /search needs something after it: /search WORDS")
    nursery.cancel_scope.cancel()


async def test_a_conversation(lobby: House, tmp_path: Path) -> None:
    bob = await lobby.enter("bob")
    await bob.say("before", "/me waits")
    with await started(lobby, tmp_path) as alice:
        await alice.until(lambda: "bob: before" in "\n".join(alice.shown))
        await alice.until(lambda: alice.status == " lobby │ alice │ 2 here │ connected")
        alice.type("hello, ro")
        await bob.say("hi \x1b[2J\x1b]0;owned\x07 alice")
        await alice.until_shown("bob: hi �[2J�]0;owned� alice")
        assert b"\a" in alice.received
        await alice.until(lambda: alice.input == "> hello, ro")
        alice.type("om\r")
        await alice.until_shown("alice: hello, room")
        await alice.until(lambda: alice.input == ">")
        alice.type("bo\tyes\r/me w\x1b[Daves \r/nick al\r")
        await alice.until_shown("alice: bob: yes")
        await alice.until_shown("* alice aves w")
        await alice.until_shown("-- alice is now al")
        await alice.until(lambda: alice.status == " lobby │ al │ 2 here │ connected")
        assert await bob.lines(5) == [
            "-- alice joined",
            "alice: hello, room",
            "alice: bob: yes",
            "* alice aves w",
            "-- alice is now al",
        ]
        alice.type("/who\r/nonsense\r/ping\r//slash\r")
        for text in ("-- 2 here:", "-- al  bob", "/help lists", " ms", "al: /slash"):
            await alice.until_shown(text)
        await bob.say(*(f"line {number}" for number in range(40)))
        await alice.until_shown("line 39")
        assert any("bob: hi" in row for row in alice.scrolled)
        await alice.until(lambda: alice.status.endswith("│ connected │ 40 unread"))
        assert [row for row in alice.shown if "│ connected" in row] == [alice.status]
        alice.type("\x04")
        assert await alice.until_ended() == 0
        assert alice.input == ""
        assert "Traceback" not in alice.received.decode()


async def test_typed_lines_are_kept_and_ctrl_c_clears_then_leaves(
    lobby: House, tmp_path: Path
) -> None:
    with await started(lobby, tmp_path) as alice:
        alice.type("first\r")
        await alice.until_shown("alice: first")
        alice.type("something\x03")
        await alice.until(lambda: alice.input == ">")
        alice.type("\x03")
        assert await alice.until_ended() == 0
    with await started(lobby, tmp_path) as alice:
        alice.type("\x1b[A")
        await alice.until(lambda: alice.input == "> first")
        # A pasted block is shown, and becomes a message a line.
        alice.type("\x15\x1b[200~one\ntwo\nthree\x1b[201~")
        await alice.until_shown("three")
        alice.type("\r")
        for text in ("alice: one", "alice: two", "alice: three"):
            await alice.until_shown(text)
        os.kill(alice.pid, signal.SIGTERM)
        assert await alice.until_ended() == 0
    (kept,) = (tmp_path / ".local/state/chatroom").iterdir()
    assert kept.read_text().split("\n") == ["first", "one", "two", "three", ""]
    assert kept.stat().st_mode & 0o077 == 0


async def test_a_lost_connection_keeps_the_line_and_comes_back_by_itself(
    lobby: House, tmp_path: Path
) -> None:
    relay = Relay(lobby.service.port)
    async with trio.open_nursery() as nursery:
        await nursery.start(relay.run)
        bob = await lobby.enter("bob")
        with PtyClient("--port", str(relay.port), "--nick", "alice", home=tmp_path) as alice:
            await alice.until_shown("│ connected")
            alice.type("not lost")
            relay.cut(refuse=True)
            await alice.until_shown("connection lost")
            await alice.until(lambda: alice.status.startswith(" lobby │ alice │ reconnecting"))
            alice.type("\r")
            await alice.until(lambda: alice.status.startswith(" not connected"))
            assert alice.input == "> not lost"
            await bob.say("are you there?")
            relay.open()
            await alice.until_shown("bob: are you there?")
            await alice.until_shown("while you were away")
            await alice.until(lambda: alice.status.startswith(" lobby │ alice │ 2 here │ connect"))
            alice.type("\r")
            await alice.until_shown("alice: not lost")
            text = "\n".join(alice.shown)
            assert text.index("while you were") < text.index("are you there") < text.index("not lo")
            alice.type("/quit\r")
            assert await alice.until_ended() == 0
        nursery.cancel_scope.cancel()


async def test_what_is_typed_in_another_encoding_is_said_as_far_as_it_can_be(
    lobby: House, tmp_path: Path
) -> None:
    bob = await lobby.enter("bob")
    with await started(lobby, tmp_path) as alice:
        assert await bob.line() == "-- alice joined"
        alice.type("caf\udce9\r")
        assert (await bob.line()).startswith("alice: caf")
        alice.type("next\r")
        assert await bob.line() == "alice: next"


async def test_a_slash_that_is_not_said_is_not_counted(lobby: House, tmp_path: Path) -> None:
    bob = await lobby.enter("bob")
    with await started(lobby, tmp_path) as alice:
        assert await bob.line() == "-- alice joined"
        alice.type(f"//{'x' * 1024}\r")
        await alice.until_shown("too long by 1 bytes")
        alice.type("\b\r")
        assert await bob.line() == f"alice: /{'x' * 1023}"


async def test_a_changed_size_and_no_colour(lobby: House, tmp_path: Path) -> None:
    bob = await lobby.enter("bob")
    with await started(lobby, tmp_path, "--no-color") as alice:
        alice.resize(10, 40)
        await bob.say("after")
        await alice.until_shown("bob: after")
        alice.type("x")
        await alice.until(lambda: alice.input == "> x")
        alice.type("\x15/quit\r")
        assert await alice.until_ended() == 0
        assert b"\x1b[38;5;" not in alice.received
        assert b"\x1b[90m" not in alice.received


async def test_a_message_is_on_the_screen_at_once(lobby: House, tmp_path: Path) -> None:
    """Of many the fastest: one that is held back on purpose, if only 10 ms, never passes."""
    bob = await lobby.enter("bob")
    took = []
    with await started(lobby, tmp_path) as alice:
        for number in range(200):
            began = trio.current_time()
            await bob.say(f"number {number}.")
            await alice.until_shown(f"number {number}.")
            took.append(trio.current_time() - began)
            if took[-1] < 0.010:  # on a busy machine seldom
                break
    assert min(took) < 0.010


class Relay:
    """Stands between a client and the server, and breaks."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self._broken = trio.CancelScope()
        self._refuse = False

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._relay, listeners)

    def cut(self, *, refuse: bool = False) -> None:
        self._refuse = refuse
        self._broken.cancel()
        self._broken = trio.CancelScope()

    def open(self) -> None:
        self._refuse = False

    async def _relay(self, client: trio.SocketStream) -> None:
        async with client:
            if self._refuse:
                return
            server = await trio.open_tcp_stream("127.0.0.1", self._to)
            async with server:
                with self._broken:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._copy, client, server, nursery.cancel_scope)
                        nursery.start_soon(self._copy, server, client, nursery.cancel_scope)

    async def _copy(
        self, source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        try:
            async for chunk in source:
                await target.send_all(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()
