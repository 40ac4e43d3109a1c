"""Coming into a room that is not open, with `chatroom.connect` and `chatroom client`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import trio

import chatroom
from chatroom.access.accounts import Account
from chatroom.access.file import AccessFile
from chatroom.access.passwords import hash_password
from chatroom.cli import password as passwords
from chatroom.client.options import ConnectOptions
from chatroom.client.terminal.commands import Typed, read
from chatroom.client.terminal.operators import operate
from chatroom.client.transport import address as addresses
from chatroom.client.transport.stream import StreamTransport
from chatroom.errors import ChatroomError
from chatroom.event import CloseReason
from chatroom.room.role import Role
from chatroom.settings import Access, AccessSettings
from tests.cli.running import clean_environment
from tests.conftest import OpenHouse

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> AccessSettings:
    file = AccessFile(str(tmp_path / "access"))
    file.put(Account("alice", "Alice", Role.LISTENER, hash_password(PASSWORD)))
    return AccessSettings(access=Access.ACCOUNTS, accounts_file=file.path)


async def test_an_account_lets_one_in_and_back_in(
    open_room: OpenHouse, accounts: AccessSettings
) -> None:
    house = await open_room(access=accounts)
    port = house.service.port
    with pytest.raises(chatroom.LoginNeeded):
        async with chatroom.connect(port=port):
            raise AssertionError
    with pytest.raises(chatroom.LoginFailed):
        async with chatroom.connect(port=port, account="alice", password="a guess"):
            raise AssertionError
    async with chatroom.connect(port=port, account="alice", password=PASSWORD) as room:
        assert room.nick == "Alice"
        with pytest.raises(chatroom.Muted):
            await room.say("I may only listen")
        connection = room._reconnector._connection
        assert connection is not None
        transport = connection._transport
        assert isinstance(transport, StreamTransport)
        assert isinstance(transport._stream, trio.SocketStream)
        transport._stream.socket.shutdown(socket.SHUT_RDWR)  # the line breaks
        with trio.fail_after(10):
            async for item in room.items():
                if isinstance(item, chatroom.Connected) and item.again:
                    break
        assert room.nick == "Alice"


async def test_operators_operate(open_room: OpenHouse, accounts: AccessSettings) -> None:
    file = AccessFile(str(accounts.accounts_file))
    file.put(Account("olga", "olga", Role.OPERATOR, hash_password(PASSWORD)))
    house = await open_room(access=accounts)
    port = house.service.port
    async with (
        chatroom.connect(port=port, account="olga", password=PASSWORD) as olga,
        chatroom.connect(port=port, account="alice", password=PASSWORD, reconnect=False) as alice,
    ):
        operating = olga.operating
        assert (olga.role, alice.role, olga.topic) == ("operator", "listener", "")
        await operating.topic("order")
        await operating.redact(await olga.say("oops"))
        await operating.mute("alice", seconds=60)
        await operating.unmute("alice")
        await operating.ban("192.0.2.0/24", seconds=60, text="enough")
        assert [ban.mask for ban in await operating.bans()] == ["192.0.2.0/24"]
        await operating.unban("192.0.2.0/24")
        with pytest.raises(chatroom.RoomError, match="operators"):
            await alice.operating.kick("olga")
        typed = read("/kick Alice be nice")
        assert typed is not None
        assert await operate(olga, typed) == ["Alice was shown out"]
        assert await operate(olga, Typed("bans")) == ["nobody is banned"]
        with pytest.raises(chatroom.RoomError, match="say /mute"):
            await operate(olga, Typed("mute", "alice soon"))
        assert await operate(olga, Typed("topic", "-")) == []
        with pytest.raises(chatroom.RoomClosed):
            async for _ in alice:
                pass
    kinds = [(event.kind, event.text) for event in house.journal.recent][2:7]
    assert kinds == [
        ("topic", "order"),
        ("message", ""),
        ("redaction", ""),
        ("leave", "be nice"),
        ("topic", ""),
    ]


async def test_a_secret_lets_one_in(open_room: OpenHouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("open sesame\n")
    access = AccessSettings(access=Access.SECRET, secret_file=str(secret))
    house = await open_room(access=access)
    async with chatroom.connect(port=house.service.port, secret="open sesame") as room:
        assert room.nick == "guest1"


async def test_a_password_is_said_to_no_other_machine_without_tls(
    open_room: OpenHouse, accounts: AccessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_room(access=accounts)
    monkeypatch.setattr(addresses, "_is_here", lambda stream: False)
    with pytest.raises(chatroom.NotEncrypted):
        async with chatroom.connect(port=house.service.port, account="alice", password=PASSWORD):
            raise AssertionError
    assert house.service.statistics().ended.get(CloseReason.PROTOCOL_ERROR) is None


def test_options_do_not_show_their_password() -> None:
    options = ConnectOptions(secret="hush", account="alice", password="hush")
    assert "hush" not in repr(options)


@pytest.mark.parametrize("command", ["false", "true", "no-such-command", "'"])
def test_a_command_that_gives_no_password_is_said(command: str) -> None:
    with pytest.raises(ChatroomError, match="password"):
        passwords.from_command(command)


def test_the_first_line_of_a_command_is_the_password() -> None:
    assert passwords.from_command("printf 'two words\\r\\nand a note\\n'") == "two words"


async def test_the_client_logs_in_by_its_options(
    open_room: OpenHouse, accounts: AccessSettings
) -> None:
    house = await open_room(access=accounts)
    command = [sys.executable, "-m", "chatroom", "client", "--port", str(house.service.port)]
    command += ["--account", "alice", "--password-command", f"echo {PASSWORD}", "hello"]
    done = await trio.run_process(
        command,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=clean_environment(),
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"chatroom: you may listen, and not talk\n"
