"""An interface that was removed and made again: the kernel has forgotten who listened on it."""

from __future__ import annotations

import socket
from math import inf

import pytest
import trio

from chatroom.event import Event
from chatroom.feed import group as groups
from chatroom.feed.group import Group, open_sending
from chatroom.feed.line import Line, WantedLine
from chatroom.feed.listener import ListenOptions, Place, open_listener
from chatroom.feed.reassembly import SessionBegan
from tests.feed.live import PATIENCE_SECONDS, open_feed, say
from tests.ports import free_port

GONE = 99_999  # an index that no interface has


def forget(line: Line) -> None:
    """As it is when the interface has come back as another."""
    index = groups.index_of(line.group)
    assert index is not None
    groups._leave(line.socket, line.group, index)
    line._index = GONE


def heard(sock: socket.socket) -> list[bytes]:
    try:
        return [sock.recv(100)]
    except BlockingIOError:
        return []


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
def test_a_group_is_joined_again_where_the_interface_is(interface: str) -> None:
    group = Group("239.255.90.9", free_port(), interface)
    line = Line(WantedLine(group))
    sending = open_sending(group, 0)
    try:
        assert not line.join_again(inf)
        forget(line)
        sending.send(b"one")
        assert heard(line.socket) == []
        assert line.join_again(inf)
        assert not line.join_again(inf)
        sending.send(b"two")
        assert heard(line.socket) == [b"two"]
    finally:
        sending.close()
        line.socket.close()


def test_a_group_of_ipv6_is_joined_again_too() -> None:
    line = Line(WantedLine(Group("ff15::9009", free_port(), "lo")))
    try:
        forget(line)
        assert line.join_again(inf)
        forget(line)  # raises if it is not joined
    finally:
        line.socket.close()


def test_nothing_is_looked_at_while_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(WantedLine(Group("239.255.90.9", free_port(), "lo")))
    try:
        line._index = GONE
        line.hear(("127.0.0.1", 1), 10)
        assert not line.join_again(12)
        monkeypatch.setattr("chatroom.feed.line.index_of", lambda group: None)  # not back yet
        assert not line.join_again(13)
        monkeypatch.undo()
        assert not line.join_again(13)  # it was the same one after all: nothing was missed
        assert line._index == groups.index_of(line.group)
    finally:
        line.socket.close()


async def test_a_listener_hears_on_and_says_so(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("line", "listener"):
        monkeypatch.setattr(f"chatroom.feed.{module}.SESSION_SILENCE_SECONDS", 0.01)
    port = free_port()
    feed = await open_feed(nursery, port)
    async with open_listener(ListenOptions(start=1), [Place(port=port)]) as listener:
        say(feed, 1, 1)
        assert isinstance(await anext(listener), SessionBegan)
        assert isinstance(await anext(listener), Event)
        forget(listener._lines[0])
        with trio.fail_after(PATIENCE_SECONDS):
            while not listener.statistics.rejoined:  # noqa: ASYNC110 - asked, not told
                await trio.sleep(0.01)
            say(feed, 2, 1)
            event = await anext(listener)
        assert isinstance(event, Event)
        assert event.seq == 2
    nursery.cancel_scope.cancel()
