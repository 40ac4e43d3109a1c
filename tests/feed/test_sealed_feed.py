"""A sealed feed of a running room, over real multicast on loopback: only members hear it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

import chatroom
from chatroom.access.accounts import Account
from chatroom.access.file import AccessFile
from chatroom.access.passwords import hash_password
from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.feed.listener import Listener
from chatroom.room.role import Role
from chatroom.settings import Access, AccessSettings, FeedSettings
from tests.conftest import OpenHouse
from tests.visiting import House, Visitor

PATIENCE_SECONDS = 30
SECRET = "open sesame"
PASSWORD = "correct horse battery"


@pytest.fixture
def secret_room(tmp_path: Path) -> AccessSettings:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text(SECRET + "\n")
    return AccessSettings(access=Access.SECRET, secret_file=str(path))


@pytest.fixture
def accounts_room(tmp_path: Path) -> AccessSettings:
    file = AccessFile(str(tmp_path / "room.access"))
    hashed = hash_password(PASSWORD)
    for nick, role in (("alice", Role.MEMBER), ("olga", Role.OPERATOR), ("lily", Role.LISTENER)):
        file.put(Account(nick, nick, role, hashed))
    return AccessSettings(access=Access.ACCOUNTS, accounts_file=file.path)


def where(house: House) -> str:
    return f"127.0.0.1:{house.service.port}"


async def next_text(feed: Listener) -> str:
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            item = await anext(feed)
            assert not isinstance(item, chatroom.Lost)
            if isinstance(item, Event) and item.kind == "message":
                return item.text


async def enter(house: House, **hello: str) -> Visitor:
    visitor, _ = await house.welcome(**hello)
    return visitor


async def test_who_knows_the_secret_hears_and_nobody_else(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room, feed=FeedSettings())
    talker = await enter(house, nick="talker", secret=SECRET)
    port = house.service.port + 1
    async with (
        chatroom.listen(port=port) as stranger,
        chatroom.listen(server=where(house), secret=SECRET) as member,
    ):
        await talker.say(*({"kind": "message", "text": f"line {n}"} for n in range(100)))
        assert [await next_text(member) for _ in range(100)] == [f"line {n}" for n in range(100)]
        with trio.move_on_after(0.3) as heard_nothing:
            await next_text(stranger)
        assert heard_nothing.cancelled_caught
        assert stranger.statistics.ignored
        assert not member.statistics.unopened
    # Nobody has come into the room for that.
    await talker.say({"kind": "who"})
    with trio.fail_after(PATIENCE_SECONDS):
        while (answer := await talker.object())["kind"] != "members":
            assert answer["kind"] != "join"
    assert answer["member_count"] == 1


@pytest.mark.parametrize(
    ("credentials", "error"),
    [({}, chatroom.LoginNeeded), ({"secret": "hm"}, chatroom.LoginFailed)],
)
async def test_who_may_not_come_in_gets_no_key(
    open_room: OpenHouse,
    secret_room: AccessSettings,
    credentials: dict[str, str],
    error: type[Exception],
) -> None:
    house = await open_room(access=secret_room, feed=FeedSettings())
    with pytest.raises(error):
        async with chatroom.listen(server=where(house), **credentials):  # type: ignore[arg-type]
            pytest.fail("it was let in")


async def test_a_room_without_a_feed_says_so(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room)
    with pytest.raises(chatroom.RoomError, match="no feed"):
        async with chatroom.listen(server=where(house), secret=SECRET):
            pytest.fail("there is none")


async def test_an_open_room_needs_no_key(open_room: OpenHouse) -> None:
    house = await open_room(feed=FeedSettings())
    talker = await house.enter("talker")
    async with chatroom.listen(server=where(house)) as feed:
        await talker.say("hello")
        assert await next_text(feed) == "hello"


async def test_who_is_banned_goes_blind_at_once_and_others_read_on(
    open_room: OpenHouse, accounts_room: AccessSettings
) -> None:
    house = await open_room(access=accounts_room, feed=FeedSettings())
    olga = await enter(house, account="olga", password=PASSWORD)
    lily, alice = (
        {"account": "lily", "password": PASSWORD},
        {
            "account": "alice",
            "password": PASSWORD,
        },
    )
    heard: list[str] = []

    async def listen() -> None:
        async with chatroom.listen(server=where(house), **alice) as feed:  # type: ignore[arg-type]
            listening.set()
            while True:
                heard.append(await next_text(feed))

    async def listen_until_banned() -> None:
        with pytest.raises(chatroom.Banned):
            await listen()

    async with (
        chatroom.listen(server=where(house), **lily) as others,  # type: ignore[arg-type]
        trio.open_nursery() as nursery,
    ):
        listening = trio.Event()
        nursery.start_soon(listen_until_banned)
        await listening.wait()
        await olga.say({"kind": "message", "text": "before"})
        assert await next_text(others) == "before"
        await house.until(lambda: heard == ["before"])
        await olga.say(
            {"kind": "ban", "mask": "account:alice"},
            *({"kind": "message", "text": f"after {n}"} for n in range(20)),
        )
        assert [await next_text(others) for _ in range(20)] == [f"after {n}" for n in range(20)]
        assert others.statistics.lost == 0
        assert others.statistics.unopened
    assert heard == ["before"]


async def test_a_reload_changes_the_keys_and_keys_turn_by_themselves(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room, feed=FeedSettings())
    talker, first = await house.welcome(nick="talker", secret=SECRET)
    async with chatroom.listen(server=where(house), secret=SECRET) as feed:
        await house.service.reload()
        await talker.say({"kind": "message", "text": "hello"})
        assert await next_text(feed) == "hello"
    _, second = await house.welcome(nick="other", secret=SECRET)
    assert first["multicast"]["key"] != second["multicast"]["key"]
    assert 0 < second["multicast"]["seconds"] <= 3600


async def test_a_listener_follows_the_next_server(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room, feed=FeedSettings())
    talker = await enter(house, nick="talker", secret=SECRET)
    port = house.service.port
    async with chatroom.listen(server=where(house), secret=SECRET) as feed:
        await talker.say({"kind": "message", "text": "one"})
        assert await next_text(feed) == "one"
        house.service.drain()
        ended = None
        with trio.fail_after(PATIENCE_SECONDS):
            while not isinstance(ended, chatroom.SessionEnded):
                ended = await anext(feed)
        again = await _open_again(open_room, access=secret_room, feed=FeedSettings(), port=port)
        talker = await enter(again, nick="talker", secret=SECRET)
        await talker.say(*({"kind": "message", "text": f"two {n}"} for n in range(3)))
        assert [await next_text(feed) for _ in range(3)] == [f"two {n}" for n in range(3)]
        assert feed.statistics.lost == 0


async def _open_again(open_room: OpenHouse, **settings: Any) -> House:
    """On the ports of a server that has not quite ended."""
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            try:
                return await open_room(**settings)
            except* ChatroomError:
                await trio.sleep(0.05)
