"""Which servers a client goes to, and which not, whoever names them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

import chatroom
from chatroom.client.errors import KeyChanged, NotEncrypted, Unreachable
from chatroom.client.servers import MOST_LEARNT, Servers
from chatroom.client.transport import address as address_module
from chatroom.client.transport.address import Address
from chatroom.client.transport.known_rooms import AUTHORITY, KnownRooms
from chatroom.client.transport.naming import given, learnt
from chatroom.settings import TlsSettings
from tests.certificates import make_certificate, write_pair
from tests.client.fake import FakeRoom
from tests.conftest import OpenHouse

GIVEN = {
    "a": ("a", 9009),
    "a:9019": ("a", 9019),
    "127.0.0.1:1": ("127.0.0.1", 1),
    "::1": ("::1", 9009),
    "[::1]": ("::1", 9009),
    "[::1]:9019": ("::1", 9019),
    "unix:/run/a:1": ("unix:/run/a:1", 9009),
    "wss://a:443/ws": ("wss://a:443/ws", 9009),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_person_names(name: str) -> None:
    assert given(name, 9009) == GIVEN[name]


@pytest.mark.parametrize("name", ["", ":9009", "a:", "a:b", "a:0", "a:65536", "[::1]:x", "a:²"])
def test_what_names_no_server(name: str) -> None:
    with pytest.raises(ValueError, match="neither HOST nor HOST:PORT"):
        given(name, 9009)


def test_what_a_server_names() -> None:
    assert learnt("b.example:9019") == ("b.example", 9019)
    assert learnt("10.0.0.2:9019") == ("10.0.0.2", 9019)
    assert learnt("[fe00::1]:9019") == ("fe00::1", 9019)


HOSTILE = ["b", "b:0", "b:65536", "b:99999", "unix:/run/b:1", "wss://b:1/ws", "-b:1", "user@b:1"]
HOSTILE += ["[fe80::1%eth0]:1", "b:\u0661", "\u0431:1"]
HOSTILE += ["", "b\n:1", "\x1b[2J:1", "b :1", "b:1\n", "a" * 300 + ":1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_server_may_name(name: str) -> None:
    assert learnt(name) is None


def _hosts(servers: Servers) -> list[str]:
    return [address.host for address in servers.round()]


def test_the_ring_begins_after_the_present_one() -> None:
    servers = Servers([Address("a", 1), Address("b", 1)])
    assert _hosts(servers) == ["a", "b"]
    servers.entered(Address("a", 1))
    assert _hosts(servers) == ["b", "a"]
    servers.learn(["c:1", "b:1"], here=False)
    assert _hosts(servers) == ["b", "c", "a"]


def test_whom_no_server_names_any_more_is_forgotten_but_not_whom_the_user_has_named() -> None:
    servers = Servers([Address("a", 1)])
    servers.learn(["b:1", "c:1"], here=False)
    b = servers.round()[0]
    servers.entered(b)
    servers.learn(["d:1"], here=False)
    assert _hosts(servers) == ["d", "a", "b"]
    servers.learn([], here=False)
    assert _hosts(servers) == ["d", "a", "b"]


def test_a_server_cannot_name_thousands() -> None:
    servers = Servers([Address("a", 1)])
    servers.learn([f"b{number}:1" for number in range(10_000)], here=False)
    assert len(servers) == 1 + MOST_LEARNT


@pytest.mark.parametrize("host", ["unix:/run/a", "ws://a/ws", "wss://a/ws"])
def test_what_is_not_reached_over_tcp_names_nobody(host: str) -> None:
    servers = Servers([Address(host, 1)])
    servers.learn(["b:1"], here=True)
    assert len(servers) == 1


def test_what_was_encrypted_stays_it() -> None:
    context = ssl.create_default_context()
    introduced = Address("a", 1, context, private=True).introduced("b", 2, here=False)
    assert introduced == Address("b", 2, context, private=True, away=True, introduced_by="a:1")
    again = introduced.introduced("c", 3, here=False)
    assert again == Address("c", 3, context, private=True, away=True, introduced_by="a:1")


async def test_a_server_elsewhere_sends_nobody_to_what_listens_here(fake: FakeRoom) -> None:
    introduced = Address("a", 1).introduced("127.0.0.1", fake.port, here=False)
    with pytest.raises(Unreachable, match="is this machine"):
        await introduced.connect()


async def test_what_was_said_on_this_machine_alone_stays_here(
    fake: FakeRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    introduced = Address("127.0.0.1", 1).introduced("127.0.0.1", fake.port, here=True)
    await (await introduced.connect()).aclose()
    monkeypatch.setattr(address_module, "is_local", lambda address: False)
    with pytest.raises(NotEncrypted, match="another machine"):
        await introduced.connect()


class TestKeys:
    """`tls=True` knows a server by what it has shown the first time."""

    @pytest.fixture(autouse=True)
    def known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownRooms:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        return KnownRooms()

    @pytest.fixture
    def pair(self, tmp_path: Path) -> TlsSettings:
        return write_pair(tmp_path, make_certificate("localhost"))

    async def test_another_server_has_to_show_the_same(
        self, open_room: OpenHouse, pair: TlsSettings, known: KnownRooms, tmp_path: Path
    ) -> None:
        first, second = await open_room(tls=pair), await open_room(tls=pair)
        (tmp_path / "other").mkdir()
        third = await open_room(tls=write_pair(tmp_path / "other", make_certificate("localhost")))
        a = Address("127.0.0.1", first.service.port, tls=True)
        with trio.fail_after(10):
            await (await a.connect()).aclose()
            b = a.introduced("127.0.0.1", second.service.port, here=True)
            await (await b.connect()).aclose()
            c = a.introduced("127.0.0.1", third.service.port, here=True)
            with pytest.raises(KeyChanged):
                await c.connect()
        assert known.look_up(str(c)) is None

    async def test_where_an_authority_has_vouched_one_has_to_again(
        self, open_room: OpenHouse, pair: TlsSettings, known: KnownRooms
    ) -> None:
        house = await open_room(tls=pair)
        known.remember("a:1", AUTHORITY)
        introduced = Address("a", 1, tls=True).introduced(
            "127.0.0.1", house.service.port, here=True
        )
        with trio.fail_after(10), pytest.raises(KeyChanged, match="no authority vouches"):
            await introduced.connect()

    async def test_a_server_with_another_key_is_passed_by(
        self, open_room: OpenHouse, pair: TlsSettings, known: KnownRooms
    ) -> None:
        bad, good = await open_room(tls=pair), await open_room(tls=pair)
        known.remember(f"127.0.0.1:{bad.service.port}", "sha256:" + "00" * 32)
        places = [f"127.0.0.1:{house.service.port}" for house in (bad, good)]
        with trio.fail_after(10):
            async with chatroom.connect(places, nick="alice", tls=True) as room:
                assert await room.who() == ["alice"]
