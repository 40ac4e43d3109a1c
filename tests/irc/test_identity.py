"""Who logs in later, and whose role changes: what IRC clients are told of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chatroom.access.file import AccessFile
from chatroom.room.role import Role
from chatroom.settings import Access, AccessSettings
from tests.access.conftest import PASSWORD
from tests.access.test_control import Administrator
from tests.irc.speaking import connect, join

if TYPE_CHECKING:
    from tests.conftest import OpenHouse


async def test_who_logs_in_later_has_an_account_then(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    told, untold = await join(house, "told", "account-notify"), await join(house, "untold")
    guest = await house.enter("guy")
    await told.all()
    await untold.all()
    await guest.say(f"/login olga {PASSWORD}")
    renamed = ":guy!member@chatroom.local NICK olga"
    mode = ":chatroom.local MODE #lobby +o olga"
    assert [(await told.told()).raw for _ in range(3)] == [
        renamed,
        ":olga!member@chatroom.local ACCOUNT olga",
        mode,
    ]
    assert [(await untold.told()).raw for _ in range(2)] == [renamed, mode]


async def test_a_new_role_is_a_mode(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile
) -> None:
    control = str(tmp_path / "control")
    access = AccessSettings(access=Access.MIXED, accounts_file=accounts.path, control_path=control)
    house = await open_room(access=access)
    olga = await connect(house)
    await olga.say(f"PASS :olga:{PASSWORD}", "NICK olga", "USER o 0 * :O", "JOIN #lobby")
    await olga.until("366")
    bob = await join(house, "bob")
    await olga.all()
    account = accounts.account("olga")
    assert account is not None
    for role, sign in ((Role.MEMBER, "-"), (Role.OPERATOR, "+")):
        accounts.put(type(account)("olga", "olga", role, account.password_hash))
        assert (await Administrator(control).ask(kind="reload"))["kind"] == "done"
        mode = f":chatroom.local MODE #lobby {sign}o olga"
        assert [line.raw for line in await olga.all()] == [mode]
        assert [line.raw for line in await bob.all()] == [mode]
    assert (await Administrator(control).ask(kind="reload"))["kind"] == "done"
    assert await bob.all() == []  # nothing has changed


async def test_who_is_outside_has_the_new_role_when_it_comes_in_or_no_name_any_more(
    open_room: OpenHouse, tmp_path: Path, accounts: AccessFile
) -> None:
    control = str(tmp_path / "control")
    access = AccessSettings(access=Access.MIXED, accounts_file=accounts.path, control_path=control)
    house = await open_room(access=access)
    bob = await join(house, "bob")
    clients = []
    for nick in ("olga", "alice"):
        client = await connect(house)  # not before: who is silent for a moment is a guest
        await client.say(f"PASS :{nick}:{PASSWORD}", f"NICK {nick}", f"USER {nick} 0 * :X")
        await client.until("376")
        clients.append(client)
    olga, alice = clients
    account = accounts.account("olga")
    assert account is not None
    accounts.put(type(account)("olga", "olga", Role.MEMBER, account.password_hash))
    accounts.remove("alice")
    assert (await Administrator(control).ask(kind="reload"))["kind"] == "done"
    gone = "ERROR :Closing link: (kicked) by server: the account was removed"
    assert [line.raw for line in await alice.rest()] == [gone]
    assert await bob.all() == []
    names = [line.text for line in await olga.answer("JOIN #lobby") if line.command == "353"]
    assert names == ["bob olga"]
    (refused,) = await olga.answer("KICK #lobby bob")
    assert refused.command == "482"
    await join(house, "alice")
