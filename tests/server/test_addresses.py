"""What one address may have of the server, and how whoever is turned away is told."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import pytest
import trio

from chatroom.access.buckets import Buckets
from chatroom.access.place import PLACES
from chatroom.room.commands import Impose
from chatroom.server import service
from chatroom.server.fairness.shares import AT_ONCE, FULL, KEPT, TOO_OFTEN, Shares
from chatroom.server.serving import turning_away
from chatroom.settings import LOBBY_CONNECTIONS, AddressSettings
from tests.certificates import make_certificate, write_pair
from tests.conftest import OpenHouse
from tests.server.strangers import ANOTHER, HERE, STRANGER, come_from_afar
from tests.visiting import PATIENCE_SECONDS, House, Visitor

ONE = AddressSettings(connections=1, new_per_minute=0)

TOO_MANY = "too many connections from your address"


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    come_from_afar(monkeypatch)


async def _inside(house: House, source: str) -> Visitor:
    visitor = await house.knock(source=source)
    await visitor.say("hello")
    assert "welcome" in await visitor.line()
    return visitor


FIRST_WORDS = {
    "plain": (b"hello\n", f"-- {TOO_MANY} (too_many_connections)\n"),
    "silence": (b"", f"-- {TOO_MANY} (too_many_connections)\n"),
    "half a line": (b"hel", f"-- {TOO_MANY} (too_many_connections)\n"),
    "irc": (b"NICK bob\r\n", f"ERROR :Closing link: (too_many_connections) {TOO_MANY}\r\n"),
    "json": (
        b'/json {"nick":"bob"}\n',
        f'{{"kind":"error","code":"too_many_connections","text":"{TOO_MANY}"}}\n',
    ),
}


UNFINISHED = ("silence", "half a line")


@pytest.mark.parametrize("said", FIRST_WORDS)
async def test_one_too_many_is_told_in_its_own_format(
    open_room: OpenHouse, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turning_away, "TURN_AWAY_SECONDS", 0.05 if said in UNFINISHED else 10)
    house = await open_room(address=ONE)
    first = await _inside(house, STRANGER)
    second = await house.knock(source=STRANGER)
    words, answer = FIRST_WORDS[said]
    for number in range(len(words)):  # however it is cut
        await second.send(words[number : number + 1])
    assert await _rest_bytes(second) == answer.encode()
    await _inside(house, ANOTHER)
    await _inside(house, HERE)
    await _inside(house, HERE)
    await first.aclose()
    await house.until(lambda: house.service.statistics().connections == 3)
    await _inside(house, STRANGER)
    assert house.service.statistics().turned_away == {"address_connections": 1}


async def _rest_bytes(visitor: Visitor) -> bytes:
    rest = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while chunk := await visitor.receive():
            rest += chunk
    return rest


@pytest.mark.parametrize("path", ["/", "/ws"])
async def test_http_and_websocket_are_told_by_a_status(open_room: OpenHouse, path: str) -> None:
    house = await open_room(address=ONE)
    await _inside(house, STRANGER)
    browser = await house.knock(source=STRANGER)
    await browser.send(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\r\n".encode()
    )
    head, _, body = (await _rest_bytes(browser)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"Connection: close" in head
    assert body == f"{TOO_MANY} (too_many_connections)\n".encode()


async def test_a_tls_hello_gets_an_alert_and_no_handshake(
    open_room: OpenHouse, tmp_path: Path
) -> None:
    pair = write_pair(tmp_path, make_certificate("localhost"))
    house = await open_room(address=ONE, tls=pair)
    await _inside(house, STRANGER)
    browser = await house.knock(source=STRANGER)
    await browser.send(b"\x16\x03\x01\x02\x00\x01")
    assert await _rest_bytes(browser) == b"\x15\x03\x01\x00\x02\x02\x31"  # fatal, access_denied


async def test_who_comes_too_often_is_told_so_and_others_come_in(open_room: OpenHouse) -> None:
    house = await open_room(address=AddressSettings(connections=0, new_per_minute=3))
    for _ in range(3):
        await _inside(house, STRANGER)
    fourth = await house.knock(source=STRANGER)
    await fourth.say("hello")
    text = "too many new connections from your address: wait a minute"
    assert await fourth.rest() == [f"-- {text} (too_many_connections)"]
    for _ in range(5):
        await _inside(house, HERE)
    await _inside(house, ANOTHER)
    assert house.service.statistics().turned_away == {"address_rate": 1}


async def test_who_is_banned_is_told_in_its_own_format(open_room: OpenHouse) -> None:
    house = await open_room()
    banned = Impose(None, "2026-11-25T00:00:00.000000Z", "192.0.2.7")
    assert house.service.room.apply(banned).refused is None
    visitor = await house.knock(source=STRANGER)
    await visitor.say("/json {}")
    assert json.loads(await visitor.line())["code"] == "banned"
    assert house.service.statistics().turned_away == {"banned": 1}


async def test_the_last_tenth_is_kept_for_those_who_hold_less(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "is_local", lambda address: False)  # it listens on a network
    house = await open_room(max_clients=20, address=AddressSettings(connections=0))
    for _ in range(9):
        await _inside(house, STRANGER)
        await _inside(house, HERE)
    for greedy in (STRANGER, HERE):  # loopback locks the network out no more than any other
        visitor = await house.knock(source=greedy)
        await visitor.say("hello")
        assert await visitor.rest() == ["-- the room is full for your address (room_full)"]
    await _inside(house, ANOTHER)
    await _inside(house, ANOTHER)
    last = await house.knock(source="127.0.1.9")
    await last.say("hello")
    assert (await last.rest())[0] == "-- the room is full (20 members) (room_full)"
    assert house.service.statistics().turned_away == {"address_share": 2}


async def test_on_this_machine_alone_all_places_are_its_own(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=10)
    for _ in range(10):
        await _inside(house, HERE)
    assert house.service.statistics().members == 10


async def test_hundreds_refused_at_once_are_all_told_and_nobody_inside_waits(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent ones at that: for so many it waits to be told how to say it, for no more."""
    monkeypatch.setattr(turning_away, "TURNING_AWAY", 16)
    house = await open_room(address=ONE)
    inside = await _inside(house, STRANGER)
    refused = 400
    with contextlib.ExitStack() as opened:
        crowd = []
        for _ in range(refused):
            sock = opened.enter_context(socket.socket())
            sock.bind((STRANGER, 0))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", house.service.port))
            crowd.append(sock)
        with trio.fail_after(PATIENCE_SECONDS):
            await inside.say("/ping")
            assert await inside.line() == "-- pong"
        await house.until(lambda: sum(house.service.statistics().turned_away.values()) == refused)
        assert house.service.statistics().connections == 1
        told = 0
        for sock in crowd:
            with contextlib.suppress(BlockingIOError):
                told += b"(too_many_connections)" in sock.recv(100)
        assert told == refused - 16


async def test_who_has_gone_before_it_is_turned_away_leaves_no_trace(open_room: OpenHouse) -> None:
    house = await open_room(address=ONE)
    await _inside(house, STRANGER)
    for _ in range(20):
        (await house.knock(source=STRANGER)).reset()
    await house.until(lambda: sum(house.service.statistics().turned_away.values()) == 20)
    await house.enter("alice")


# On paper


def test_a_bucket_fills_again_and_only_so_many_are_remembered() -> None:
    buckets = Buckets(2, 4, most=3)
    assert [buckets.take("a", 10.0) for _ in range(5)] == [True] * 4 + [False]
    assert [buckets.take("a", 10.6) for _ in range(2)] == [True, False]
    assert [buckets.take("a", 1e9) for _ in range(5)] == [True] * 4 + [False]
    for key in "bcd":
        assert buckets.take(key, 1e9)
    assert len(buckets) == 3
    assert buckets.take("a", 1e9)  # it was used longest ago, and is forgotten


def test_what_is_kept_of_an_attacker_with_a_whole_network_is_bounded() -> None:
    shares = Shares(AddressSettings(), places=100, networked=True)
    for number in range(20_000):
        assert shares.bar(f"2001:db8:0:{number:x}::/64", 0, 0.0) is None
    assert len(shares._new) == PLACES
    assert not shares._held


def test_how_much_one_place_gets() -> None:
    shares = Shares(AddressSettings(connections=2, new_per_minute=4), places=100, networked=True)
    shares.hold("192.0.2.7")
    assert shares.bar("192.0.2.7", 1, 0.0) is None
    shares.hold("192.0.2.7")
    assert shares.bar("192.0.2.7", 2, 0.0) is AT_ONCE
    shares.release("192.0.2.7")
    assert shares.bar("192.0.2.7", 1, 0.0) is None
    assert shares.bar("192.0.2.7", 1, 0.0) is None
    assert shares.bar("192.0.2.7", 1, 0.0) is TOO_OFTEN
    assert shares.bar("192.0.2.7", 1, 15.0) is None
    assert shares.bar("192.0.2.8", 100 + LOBBY_CONNECTIONS, 0.0) is FULL


@pytest.mark.parametrize(("networked", "barred"), [(True, KEPT), (False, None)])
def test_this_machine_has_all_places_where_nobody_else_comes(
    networked: bool, barred: object
) -> None:
    shares = Shares(AddressSettings(), places=100, networked=networked)
    for _ in range(90):
        assert shares.bar("", 89, 0.0) is None
        shares.hold("")
    assert shares.bar("", 90, 0.0) is barred
