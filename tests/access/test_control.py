"""The control socket: who may use it, and what it answers."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from chatroom.access.file import AccessFile
from chatroom.errors import ChatroomError
from chatroom.journal.memory import MemoryJournal
from chatroom.room.role import Role
from chatroom.server import administration
from chatroom.server.service import Service
from chatroom.settings import Access, AccessSettings, ServerSettings
from tests.access.conftest import PASSWORD

if TYPE_CHECKING:
    from tests.conftest import OpenHouse
    from tests.visiting import House


class Administrator:
    """Somebody at the control socket."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def ask(self, **request: object) -> dict[str, Any]:
        return await self.send(json.dumps(request).encode())

    async def send(self, line: bytes) -> dict[str, Any]:
        answer = b""
        with trio.fail_after(30):
            async with await trio.open_unix_socket(self._path) as stream:
                await stream.send_all(line + b"\n")
                while not answer.endswith(b"\n"):
                    chunk = await stream.receive_some(65536)
                    assert chunk, answer
                    answer += chunk
        loaded: dict[str, Any] = json.loads(answer)
        return loaded


async def _open(
    open_room: OpenHouse, directory: Path, accounts: AccessFile
) -> tuple[House, Administrator]:
    path = str(directory / "control")
    house = await open_room(
        access=AccessSettings(access=Access.MIXED, accounts_file=accounts.path, control_path=path)
    )
    return house, Administrator(path)


async def test_it_is_for_its_owner_alone_and_goes_with_the_server(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile
) -> None:
    house, administrator = await _open(open_room, tmp_path, accounts)
    path = tmp_path / "control"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    alice = await house.enter("bob")
    assert (await administrator.ask(kind="drain"))["kind"] == "done"
    assert (await alice.rest())[-1].startswith("-- bye (shutdown)")
    await house.until(lambda: not path.exists())


async def test_the_status_names_who_reads_slowest_and_talks_most(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile, nursery: trio.Nursery
) -> None:
    house, administrator = await _open(open_room, tmp_path, accounts)
    slow = await house.enter("slow", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    room = house.service.room
    by_nick = {room.nick(c.id): c.outbox for c in house.service._connections if c.inside}
    outbox = by_nick["slow"]

    async def talk() -> None:
        while True:
            await talker.say(*["x" * 1000] * 20)
            await trio.sleep(0.005)

    nursery.start_soon(talk)
    await house.until(lambda: outbox.size_bytes > 100_000)
    status = await administrator.ask(kind="status")
    assert (status["members"], status["room"]) == (2, "lobby")
    assert [each["nick"] for each in status["slowest"]] == ["slow"]
    assert status["slowest"][0]["waiting_bytes"] > 100_000
    assert status["busiest"][0]["nick"] == "talker"
    assert status["busiest"][0]["bytes_per_second"] > 10_000
    await slow.aclose()
    nursery.cancel_scope.cancel()


async def test_those_named_are_in_order_and_what_was_said_before_does_not_count(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, administrator = await _open(open_room, tmp_path, accounts)
    loud, quiet, mute = [await house.enter(nick) for nick in ("loud", "quiet", "mute")]
    await mute.say(*["before"] * 100)
    await mute.settle()
    looking, look = trio.Event(), trio.Event()

    async def wait(seconds: float) -> None:
        looking.set()
        await look.wait()

    monkeypatch.setattr(administration, "trio", SimpleNamespace(sleep=wait))

    async def ask() -> None:
        status = await administrator.ask(kind="status")
        assert [each["nick"] for each in status["busiest"]] == ["loud", "quiet"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await looking.wait()
        await quiet.say("hello")
        await loud.say("hello, everybody")
        await quiet.settle()
        await loud.settle()
        look.set()


async def test_the_administrator_does_what_operators_do(
    open_room: OpenHouse,
    tmp_path: Path,
    accounts: AccessFile,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    house, administrator = await _open(open_room, tmp_path, accounts)
    bob = await house.enter("bob")
    carol = await house.enter("carol")
    requests: list[dict[str, object]] = [
        {"kind": "topic", "text": "order"},
        {"kind": "mute", "nick": "bob"},
        {"kind": "unmute", "nick": "bob"},
        {"kind": "redact", "of": 1},
        {"kind": "ban", "mask": "bob", "text": "enough", "seconds": 60},
    ]
    answers = [await administrator.ask(**request) for request in requests]
    assert {answer["kind"] for answer in answers} == {"done"}
    assert await carol.lines(3) == [
        "-- server set the topic: order",
        "-- server removed what was said in #1",
        "-- bob left (kicked by server: enough)",
    ]
    assert (await bob.rest())[-1] == "-- bye (kicked): by server: enough"
    bans = await administrator.ask(kind="bans")
    assert [(ban["mask"], ban["by"]) for ban in bans["bans"]] == [("bob", "server")]
    assert (await administrator.ask(kind="unban", mask="bob"))["kind"] == "done"
    assert (await administrator.ask(kind="kick", nick="carol"))["kind"] == "done"
    logged = [record.getMessage() for record in caplog.records]
    for kind in ("topic", "mute", "unmute", "redact", "ban", "unban", "kick"):
        assert f"server: {kind}" in logged


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "bad_json"),
        (b'{"kind":7}', "bad_json"),
        (b'{"kind":"message","text":"hi"}', "unknown_kind"),
        (b'{"kind":"kick"}', "bad_request"),
        (b'{"kind":"kick","nick":"nobody"}', "bad_request"),
        (b'{"kind":"ban","mask":"x","seconds":0}', "bad_json"),
    ],
)
async def test_what_cannot_be_done_is_said(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile, line: bytes, code: str
) -> None:
    _, administrator = await _open(open_room, tmp_path, accounts)
    assert (await administrator.send(line))["code"] == code


async def test_a_reload_makes_accounts_and_roles_true(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile
) -> None:
    house, administrator = await _open(open_room, tmp_path, accounts)
    alice = await house.enter_json(account="alice", password=PASSWORD)
    lily = await house.enter_json(account="lily", password=PASSWORD)
    account = accounts.account("lily")
    assert account is not None
    accounts.put(type(account)("lily", "lily", Role.MEMBER, account.password_hash))
    accounts.remove("alice")
    assert (await administrator.ask(kind="reload"))["kind"] == "done"
    assert '"by server: the account was removed"' in (await alice.rest())[-1]
    await lily.say({"kind": "message", "text": "at last", "id": "1"})
    assert [(await lily.object())["kind"] for _ in range(2)] == ["leave", "ack"]
    await house.enter("alice")


async def test_a_reload_that_cannot_be_is_said_and_all_stays(
    open_room: OpenHouse, tmp_path: Path, secret_file: Path
) -> None:
    path = str(tmp_path / "control")
    house = await open_room(
        access=AccessSettings(access=Access.SECRET, secret_file=str(secret_file), control_path=path)
    )
    administrator = Administrator(path)
    secret_file.write_text("another\n")
    assert (await administrator.ask(kind="reload"))["kind"] == "done"
    await house.welcome(secret="another")
    secret_file.unlink()
    answer = await administrator.ask(kind="reload")
    assert (answer["kind"], answer["code"]) == ("error", "unavailable")
    await house.welcome(secret="another")


async def test_where_it_cannot_be_nothing_is_left_open(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "control"
    path.write_text("a note")
    access = AccessSettings(control_path=str(path))
    unix = tmp_path / "unix"
    settings = ServerSettings(port=0, mode=mode, access=access, unix_path=str(unix))
    with pytest.raises(ChatroomError, match="is no socket"):
        await Service(settings, MemoryJournal(1)).run()
    assert path.read_text() == "a note"
    assert not unix.exists()
