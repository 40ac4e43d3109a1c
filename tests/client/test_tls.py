"""Whom a client believes under TLS."""

from __future__ import annotations

import contextlib
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

import chatroom
from chatroom.client.transport.known_rooms import AUTHORITY, KnownRooms, default_path
from chatroom.settings import TlsSettings
from chatroom.transport.tls_fingerprint import parse_fingerprint
from chatroom.transport.tls_server import ServerTls
from tests.certificates import Signed, make_certificate, write_pair
from tests.client.fake import FakeRoom
from tests.conftest import OpenHouse
from tests.visiting import House

Replace = Callable[[Signed], Awaitable[None]]


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownRooms:
    """The memory of a user who has been nowhere yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return KnownRooms()


@pytest.fixture
def pair(tmp_path: Path) -> TlsSettings:
    return write_pair(tmp_path, make_certificate("localhost"))


@pytest.fixture
async def house(open_room: OpenHouse, pair: TlsSettings) -> House:
    return await open_room(tls=pair)


@pytest.fixture
def replace(house: House, tmp_path: Path) -> Replace:
    """Gives the server another certificate, for those who come next."""

    async def replace(signed: Signed) -> None:
        write_pair(tmp_path, signed)
        await house.service.reload()

    return replace


async def _visit(house: House, tls: ssl.SSLContext | str | bool) -> None:
    where = ("127.0.0.1", house.service.port)
    async with chatroom.connect(*where, nick="alice", tls=tls, reconnect=False) as room:
        await room.say("hello")


async def test_by_fingerprint(house: House, pair: TlsSettings, replace: Replace) -> None:
    fingerprint = ServerTls(pair).fingerprint
    await _visit(house, fingerprint)
    copied = fingerprint.removeprefix("sha256:").upper()
    await _visit(house, "SHA256:" + ":".join(copied[i : i + 2] for i in range(0, 64, 2)))
    await replace(make_certificate("localhost"))
    with pytest.raises(chatroom.KeyChanged, match=r"IS ANOTHER.*asked for"):
        await _visit(house, fingerprint)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:12", "md5:" + "0" * 64, "0" * 64])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(ValueError, match="is no fingerprint"):
        parse_fingerprint(text)


async def test_by_an_authority(house: House, replace: Replace) -> None:
    root = make_certificate("root", signs=True)
    await replace(make_certificate("localhost", root))
    await _visit(house, ssl.create_default_context(cadata=root.pem.decode()))
    other = make_certificate("other", signs=True)
    with pytest.raises(chatroom.Unreachable, match=r"no TLS with .*unable to get local issuer"):
        await _visit(house, ssl.create_default_context(cadata=other.pem.decode()))


async def test_trust_on_first_use(
    house: House,
    pair: TlsSettings,
    replace: Replace,
    known: KnownRooms,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fingerprint = ServerTls(pair).fingerprint
    server = f"127.0.0.1:{house.service.port}"
    await _visit(house, tls=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"{server} is new: its certificate {fingerprint} is trusted from now on"
    ]
    await _visit(house, tls=True)
    assert len(caplog.records) == 1
    assert known.path.read_text() == f"{server} {fingerprint}\n"
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600
    await replace(make_certificate("localhost"))
    with pytest.raises(chatroom.KeyChanged, match=r"remove its line from .*known_rooms"):
        await _visit(house, tls=True)
    assert known.path.read_text() == f"{server} {fingerprint}\n"


async def test_a_changed_key_ends_the_coming_back(
    nursery: trio.Nursery, fake: FakeRoom, tmp_path: Path
) -> None:
    streams: list[trio.SocketStream] = []

    async def handle(stream: trio.SocketStream) -> None:
        streams.append(stream)
        tls = ServerTls(write_pair(tmp_path, make_certificate("localhost")))  # another each time
        encrypted = trio.SSLStream(stream, tls.context, server_side=True, https_compatible=True)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await fake.handle(encrypted)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, handle, [listener])
    port = listener.socket.getsockname()[1]
    async with chatroom.connect(port=port, nick="alice", tls=True) as room:
        await trio.aclose_forcefully(streams[-1])
        with contextlib.suppress(chatroom.Unconfirmed):  # as it broke
            await room.say("a secret")
        with pytest.raises(chatroom.RoomClosed, match="IS ANOTHER") as closed:
            await room.say("another")
        assert closed.value.code == "key_changed"
    assert len(fake.hellos) == 1
    nursery.cancel_scope.cancel()


async def test_whom_an_authority_vouched_for_is_not_taken_at_its_own_word_later(
    house: House,
    replace: Replace,
    known: KnownRooms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make_certificate("root", signs=True)
    (tmp_path / "root.pem").write_bytes(root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    await replace(make_certificate("localhost", root))
    await _visit(house, tls=True)
    await replace(make_certificate("localhost", root))  # renewed, as such are every few weeks
    await _visit(house, tls=True)
    assert known.look_up(f"127.0.0.1:{house.service.port}") == AUTHORITY
    await replace(make_certificate("localhost"))
    with pytest.raises(chatroom.KeyChanged, match="an authority vouched for it before"):
        await _visit(house, tls=True)


async def test_a_certificate_for_another_name_is_not_trusted_on_first_use(
    open_room: OpenHouse, tmp_path: Path, known: KnownRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_certificate("root", signs=True)
    (tmp_path / "root.pem").write_bytes(root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    house = await open_room(tls=write_pair(tmp_path, make_certificate("elsewhere", root)))
    with pytest.raises(chatroom.Unreachable, match="Hostname mismatch"):
        async with chatroom.connect("localhost", house.service.port, tls=True):
            pass
    assert not known.path.exists()


async def test_a_websocket(house: House) -> None:
    url = f"wss://127.0.0.1:{house.service.port}/ws"
    async with chatroom.connect(url, nick="alice", tls=True) as room:
        await room.say("hello")
    with pytest.raises(chatroom.Unreachable, match="no TLS with"):
        async with chatroom.connect(url):  # without the wish for more, an authority is needed
            pass
    with pytest.raises(chatroom.Unreachable, match="is not encrypted"):
        async with chatroom.connect(url.replace("wss", "ws"), tls=True):
            pass


async def test_a_memory_that_cannot_be_read_is_no_reason_to_trust(
    house: House, known: KnownRooms
) -> None:
    known.path.mkdir(parents=True)
    with pytest.raises(chatroom.Unreachable, match=r"cannot read .*: Is a directory"):
        await _visit(house, tls=True)


async def test_a_memory_that_cannot_be_kept_is_no_reason_not_to_talk(
    house: House, known: KnownRooms, caplog: pytest.LogCaptureFixture
) -> None:
    known.path.parent.parent.symlink_to("nowhere")
    await _visit(house, tls=True)
    assert "cannot be remembered" in caplog.records[-1].getMessage()


def test_lines_that_are_none_are_passed_over(known: KnownRooms) -> None:
    known.path.parent.mkdir(parents=True)
    known.path.write_bytes(
        b"# a comment\n\nhalf\nhost:1 sha256:aa more\n\xff\xfe\nhost:1 sha256:bb\n"
    )
    assert known.look_up("host:1") == "sha256:bb"
    known.remember("host:2", "sha256:cc")
    assert known.look_up("host:2") == "sha256:cc"
    assert known.look_up("host:3") is None


def test_the_configuration_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_path() == tmp_path / "config" / "chatroom" / "known_rooms"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".config" / "chatroom" / "known_rooms"


async def test_cancelled_in_the_handshake_nothing_is_left_open(nursery: trio.Nursery) -> None:
    closed = trio.Event()
    entering = trio.CancelScope()

    async def silent(stream: trio.SocketStream) -> None:
        assert await stream.receive_some()
        entering.cancel()
        while await stream.receive_some():
            pass
        closed.set()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, silent, [listener])
    port = listener.socket.getsockname()[1]
    with entering:
        async with chatroom.connect(port=port, tls=True):
            pass
    with trio.fail_after(30):
        await closed.wait()
    nursery.cancel_scope.cancel()
