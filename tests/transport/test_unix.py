"""The room on a Unix socket: for its owner alone, beside TCP, and gone when the server is."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from chatroom.errors import ChatroomError
from chatroom.settings import ServerSettings
from chatroom.transport.listening import open_listeners
from chatroom.transport.sockets import is_local, peer_name
from tests.conftest import OpenHouse
from tests.visiting import PATIENCE_SECONDS, Visitor


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "room.sock")


async def _knock(path: str) -> Visitor:
    sock = trio.socket.socket(socket.AF_UNIX)
    await sock.connect(path)
    return Visitor(trio.SocketStream(sock))


async def test_who_comes_by_the_socket_is_in_the_same_room(open_room: OpenHouse, path: str) -> None:
    house = await open_room(unix_path=path)
    assert f"unix:{path}" in house.service.addresses
    alice = await house.enter("alice")
    bob = await _knock(path)
    await bob.say('/json {"nick":"bob"}')
    assert (await bob.object())["nick"] == "bob"
    assert await alice.line() == "-- bob joined"
    await alice.say("hello")
    assert (await bob.object())["text"] == "hello"
    await bob.say({"kind": "quit"})
    assert (await bob.rest())[-1].startswith('{"kind":"bye","reason":"quit"')
    await bob.aclose()


async def test_a_reader_on_the_socket_that_is_stuck_is_closed_with_its_bye(
    open_room: OpenHouse, path: str
) -> None:
    house = await open_room(unix_path=path, outbox_limit_bytes=65536)
    stuck = await _knock(path)
    await stuck.say("/nick stuck")
    await stuck.line()
    talker = await house.enter("talker")
    with trio.fail_after(PATIENCE_SECONDS):
        while not house.service.statistics().ended:
            await talker.say(*["x" * 1000] * 50)
            await talker.settle()
    assert (await stuck.rest())[-1].startswith("-- bye (slow_reader)")
    await stuck.aclose()


async def test_it_is_for_its_owner_alone_and_goes_with_the_server(
    nursery: trio.Nursery, open_room: OpenHouse, path: str
) -> None:
    house = await open_room(unix_path=path)
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    house.service.drain()
    await house.until(lambda: not os.path.lexists(path))


async def test_the_socket_of_a_dead_server_is_replaced_that_of_a_living_one_is_not(
    path: str,
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    settings = ServerSettings(port=0, unix_path=path)
    listeners = await open_listeners(settings)
    try:
        with pytest.raises(ChatroomError, match="another server listens on"):
            await open_listeners(settings)
    finally:
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("there", ["file", "folder", "link"])
async def test_what_is_no_socket_is_left_alone(tmp_path: Path, path: str, there: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if there == "file":
        Path(path).write_text("precious")
    elif there == "folder":
        Path(path).mkdir()
    else:
        Path(path).symlink_to(precious)
    with pytest.raises(ChatroomError, match="exists and is no socket; choose another"):
        await open_listeners(ServerSettings(port=0, unix_path=path))
    assert Path(path).exists()
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("path", ["/nowhere/at/all.sock", "x" * 200, "a\0b", ""])
async def test_a_path_that_cannot_be_had_is_one_clear_line(path: str) -> None:
    with pytest.raises(ChatroomError, match="cannot listen on the Unix socket") as caught:
        await open_listeners(ServerSettings(port=0, unix_path=path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "name", "local"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5", True),
        (("127.9.9.9", 5), "127.9.9.9:5", True),
        (("::1", 5, 0, 0), "[::1]:5", True),
        (("fe80::1%lo", 5, 0, 1), "[fe80::1%lo]:5", False),
        (("192.0.2.1", 5), "192.0.2.1:5", False),
        (("::ffff:127.0.0.1", 5, 0, 0), "[::ffff:127.0.0.1]:5", True),
        (("::ffff:192.0.2.1", 5, 0, 0), "[::ffff:192.0.2.1]:5", False),
        ("", "unix", True),
        ("/run/x", "unix:/run/x", True),
    ],
)
def test_who_is_on_this_machine(address: object, name: str, local: bool) -> None:
    assert peer_name(address) == name
    assert is_local(address) is local
